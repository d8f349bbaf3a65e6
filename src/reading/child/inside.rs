//! What runs inside of the child: it limits itself before it reads a byte.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rlimit::Resource;

use super::{COMMAND, NO_INPUT, NO_LIMITS, TASK_VARIABLE, Task};
use crate::reading::error::{crashed, out_of_memory};
use crate::reading::extract::extract;
use crate::reading::options::ExtractOptions;

/// Parsers recurse along the nesting of their input. Address space only, until it is used.
const STACK_BYTES: usize = 64 << 20;
/// How willingly a child is killed where memory runs out (`man 5 proc`): before the server, and before all else.
const OOM_SCORE: &str = "1000";
/// How much a child yields of the processor to the server and its neighbours (`man 2 nice`): a tenth of the weight of a
/// process with none, and all of what nobody else wants.
#[cfg(unix)]
const NICENESS: i32 = 10;

/// The child: limits itself, reads the file on standard input, writes the result to standard output.
pub fn child_main() -> ExitCode {
    step_back();
    // The log of a library goes to standard error, whose tail the parent keeps; a second subscriber is no loss.
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).try_init();
    let task = std::env::var(TASK_VARIABLE).ok().and_then(|task| serde_json::from_str::<Task>(&task).ok());
    let Some(task) = task else {
        tracing::error!("`{COMMAND}` is for lastro's own use: the server runs it to read one file");
        return ExitCode::from(64);
    };
    if let Err(error) = limit_self(&task) {
        tracing::error!(%error, "the limits of the parser could not be set");
        return ExitCode::from(NO_LIMITS);
    }
    let parse = move || {
        let mut bytes = Vec::new();
        if let Err(error) = std::io::stdin().lock().read_to_end(&mut bytes) {
            return match error.kind() {
                std::io::ErrorKind::OutOfMemory => Ok(Err(out_of_memory())),
                _ => Err(error),
            };
        }
        let options = ExtractOptions { max_characters: task.max_characters };
        let extracted = catch_unwind(AssertUnwindSafe(|| extract(&bytes, &task.filename, &options)));
        let broken = || crashed("The file broke the parser. Open it and save it again, or export it to PDF.");
        Ok(extracted.unwrap_or_else(|_| Err(broken())))
    };
    let parser = std::thread::Builder::new().name("parser".to_owned()).stack_size(STACK_BYTES).spawn(parse);
    let answer = match parser.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, "the stored file could not be read");
            return ExitCode::from(NO_INPUT);
        }
        Ok(Err(_)) => return ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(%error, "the parser's thread could not be started");
            return ExitCode::from(NO_LIMITS);
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written =
        serde_json::to_writer(&mut out, &answer).map_err(std::io::Error::from).and_then(|()| out.flush());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Gives the server precedence: for the processor, and in the choice of whom to kill where memory runs out. Nothing
/// depends on it.
fn step_back() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the parser yields to no one");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
        tracing::debug!(%error, "the parser is killed no sooner than others");
    }
}

/// Holds this process to what its task allows; the limits cannot be raised again.
fn limit_self(task: &Task) -> std::io::Result<()> {
    let space = address_space().saturating_add(STACK_BYTES as u64).saturating_add(task.memory_bytes);
    let limits = [
        (Resource::CORE, 0),
        (Resource::FSIZE, 0),
        (Resource::NOFILE, 32),
        (Resource::CPU, task.processor_seconds),
        #[cfg(target_os = "linux")]
        (Resource::AS, space),
    ];
    for (resource, limit) in limits {
        let (_, hard) = resource.get()?;
        resource.set(limit.min(hard), limit.min(hard))?;
    }
    Ok(())
}

/// The address space of this process so far (`man 5 proc`, statm, in pages).
fn address_space() -> u64 {
    const USUAL: u64 = 256 << 20;
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = statm.and_then(|statm| statm.split_whitespace().next()?.parse::<u64>().ok());
    pages.map_or(USUAL, |pages| pages.saturating_mul(PAGE))
}
