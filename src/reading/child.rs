//! Files are parsed in a process of their own, so that the server outlives any file.
//!
//! The parent opens the file and gives it to the child as standard input, so no name of a file
//! becomes part of a command. The child limits itself before it reads a byte, answers with one JSON
//! object on standard output, and ends.

mod inside;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::document::Extracted;
use super::error::{ExtractError, crashed, out_of_memory, timeout, too_large};
use super::options::ExtractOptions;
use super::pdf::LIBRARY_VARIABLE;

pub use inside::child_main;

/// The command of our own program that parses a file; not one for people.
pub const COMMAND: &str = "extract-document";
/// Carries a [`Task`] to the child.
const TASK_VARIABLE: &str = "LASTRO_EXTRACT";
/// What a child may inherit: where libraries are found, and what its log shows.
const INHERITED: &[&str] = &[LIBRARY_VARIABLE, "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "RUST_LOG"];
/// The last of what a child says on standard error is kept for the log.
const STDERR_TAIL: usize = 4 << 10;
/// What JSON and the structure of a document add to its text at most: escapes of six bytes a
/// character, and a fixed part.
const ANSWER_BYTES_PER_CHARACTER: usize = 6;
const ANSWER_BYTES: usize = 16 << 20;

/// Last words of a process without memory: Rust's, C++'s, and Rust's of an exception out of PDFium,
/// which throws for nothing else.
const OUT_OF_MEMORY: [&str; 3] = ["memory allocation of", "bad_alloc", "foreign exception"];

/// What one file may cost.
#[derive(Debug, Clone)]
pub struct ExtractLimits {
    /// Time on the clock; processor time is held to the same.
    pub timeout: Duration,
    /// Address space on top of what the program takes by itself.
    pub memory_bytes: u64,
    /// The longest text to accept.
    pub max_characters: usize,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        let max_characters = ExtractOptions::default().max_characters;
        Self { timeout: Duration::from_secs(60), memory_bytes: 1 << 30, max_characters }
    }
}

/// Why a child gave no text.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The file is at fault.
    #[error(transparent)]
    Document(#[from] ExtractError),
    /// The stored file is not there.
    #[error("the stored file is gone")]
    Gone,
    /// The machine is: no process, no descriptor, no memory for one, a disk that does not read, or somebody who told the
    /// child to end.
    #[error("{0}")]
    Machine(String),
    /// The system killed the child, which keeps to limits of its own and does not die of those in this way.
    #[error("the parser was killed")]
    Killed,
}

/// How a child says that the machine would not let it work; numbers of `sysexits.h`.
const NO_LIMITS: u8 = 71;
const NO_INPUT: u8 = 74;

#[derive(Serialize, Deserialize)]
struct Task {
    filename: String,
    max_characters: usize,
    memory_bytes: u64,
    processor_seconds: u64,
}

/// A program that reads files, each in a process with limits.
#[derive(Clone, Debug)]
pub struct Parser {
    /// This program, which is started again.
    pub program: PathBuf,
    pub limits: ExtractLimits,
    /// PDFium's library, where it is not in one of the usual places.
    pub pdfium: Option<PathBuf>,
}

impl Parser {
    /// Reads a file in a child process: `program extract-document`.
    ///
    /// `filename` is what its owner calls it, `path` where its bytes are. Dropping the future ends the child.
    pub async fn read(&self, path: &Path, filename: &str) -> Result<Extracted, ChildError> {
        let limits = &self.limits;
        let machine = |what: &str| {
            let place = path.display().to_string();
            let what = what.to_owned();
            move |error: std::io::Error| ChildError::Machine(format!("{what} ({place}): {error}"))
        };
        let file = match tokio::fs::File::open(path).await {
            Ok(file) => file.into_std().await,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ChildError::Gone),
            Err(error) => return Err(machine("the stored file could not be opened")(error)),
        };
        let task = Task {
            // Enough for the extension, which is all that matters of it.
            filename: filename
                .chars()
                .rev()
                .take(255)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .filter(|c| *c != '\0')
                .collect(),
            max_characters: limits.max_characters,
            memory_bytes: limits.memory_bytes,
            processor_seconds: limits.timeout.as_secs().saturating_add(1),
        };
        let task = serde_json::to_string(&task).map_err(|error| ChildError::Machine(error.to_string()))?;
        let mut command = Command::new(&self.program);
        command.arg(COMMAND).env_clear().env(TASK_VARIABLE, task);
        command.envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        if let Some(pdfium) = &self.pdfium {
            command.env(LIBRARY_VARIABLE, pdfium);
        }
        // Each arena of glibc reserves 64 MiB of address space.
        command.env("MALLOC_ARENA_MAX", "1").env("RAYON_NUM_THREADS", "1");
        command.stdin(Stdio::from(file)).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(machine("the parser could not be started"))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(ChildError::Machine("the parser has no output".to_owned()));
        };
        let answer_limit =
            limits.max_characters.saturating_mul(ANSWER_BYTES_PER_CHARACTER).saturating_add(ANSWER_BYTES);
        let work = async {
            // An answer over the limit closes the pipe, which ends the child.
            let (answer, complaint) = tokio::join!(read_up_to(stdout, answer_limit), read_tail(stderr));
            (answer, complaint, child.wait().await)
        };
        let Ok((answer, complaint, status)) = tokio::time::timeout(limits.timeout, work).await else {
            return Err(timeout().into());
        };
        let answer = answer.map_err(machine("the parser's answer could not be read"))?;
        let status = status.map_err(machine("the parser's end could not be learnt"))?;
        if !complaint.is_empty() {
            tracing::debug!(path = %path.display(), complaint, "the parser complained");
        }
        let Some(answer) = answer else { return Err(too_large(limits.max_characters).into()) };
        if !status.success() {
            tracing::warn!(path = %path.display(), %status, complaint, "the parser did not survive a file");
            return Err(cause_of_death(status, &complaint));
        }
        let answer = serde_json::from_slice::<Result<Extracted, ExtractError>>(&answer);
        answer.map(|extracted| extracted.map_err(ChildError::Document)).unwrap_or_else(|error| {
            tracing::error!(path = %path.display(), %error, "the parser's answer makes no sense");
            Err(crashed("The parser's answer makes no sense; see the server's log.").into())
        })
    }
}

async fn read_up_to(source: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

async fn read_tail(mut source: impl AsyncRead + Unpin) -> String {
    let mut tail = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = source.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..read]);
        if tail.len() > 2 * STDERR_TAIL {
            tail.drain(..tail.len() - STDERR_TAIL);
        }
    }
    String::from_utf8_lossy(&tail).trim().to_owned()
}

fn cause_of_death(status: ExitStatus, complaint: &str) -> ChildError {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    // Numbers of signals are those of Linux and macOS: SIGXCPU, SIGABRT and SIGKILL, then SIGHUP, SIGINT and SIGTERM.
    match (signal, status.code()) {
        (Some(24), _) => timeout().into(),
        // PDFium aborts without a word when it is refused memory, which a compressed stream may ask for without end.
        // Whatever else aborts says why.
        (Some(6), _) if complaint.is_empty() => out_of_memory().into(),
        (Some(9), _) => ChildError::Killed,
        // Somebody told it to end. Ctrl-C and systemd tell all processes of a service, and this one heeds it before the
        // server does, which lets open answers end first.
        (Some(signal @ (1 | 2 | 15)), _) => {
            ChildError::Machine(format!("the parser was told to end, by signal {signal}"))
        }
        (_, Some(code)) if code == i32::from(NO_LIMITS) || code == i32::from(NO_INPUT) => {
            ChildError::Machine(format!("the parser could not work: {complaint}"))
        }
        _ if OUT_OF_MEMORY.iter().any(|words| complaint.contains(words)) => out_of_memory().into(),
        _ => {
            let message = "The file broke the parser. It may be damaged: open it and save it again, or export it to PDF.";
            crashed(message).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(program: impl Into<PathBuf>, limits: &ExtractLimits) -> Parser {
        Parser { program: program.into(), limits: limits.clone(), pdfium: None }
    }

    /// `document` and its code, or what else went wrong.
    fn kind(error: &ChildError) -> &'static str {
        match error {
            ChildError::Document(error) => error.code(),
            ChildError::Gone => "gone",
            ChildError::Machine(_) => "machine",
            ChildError::Killed => "killed",
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_ours_is_an_error_and_not_a_success() {
        let file = tempfile::NamedTempFile::new().expect("the test input is good");
        let limits = ExtractLimits { timeout: Duration::from_millis(300), ..ExtractLimits::default() };
        for (program, expected) in
            [("/bin/true", "parser_crashed"), ("/bin/false", "parser_crashed"), ("/nowhere", "machine")]
        {
            let error = parser(program, &limits).read(file.path(), "a.txt").await;
            let error = error.expect_err("it cannot be read");
            assert_eq!(kind(&error), expected, "{program}");
        }
    }

    #[tokio::test]
    async fn a_parser_that_hangs_is_stopped_and_one_that_floods_is_cut() {
        let limits = ExtractLimits {
            timeout: Duration::from_millis(700),
            max_characters: 10,
            ..ExtractLimits::default()
        };
        for (script, code) in [
            ("exec sleep 30", "timeout"),
            ("exec /bin/cat /dev/zero", "too_large"),
            ("kill -24 $$", "timeout"),
            ("kill -11 $$", "parser_crashed"),
        ] {
            let started = std::time::Instant::now();
            assert_eq!(end_of(script, &limits).await, code, "{script}");
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }

    #[tokio::test]
    async fn what_the_machine_does_is_told_from_what_the_file_does() {
        let limits = ExtractLimits::default();
        for (script, what) in [
            ("kill -9 $$", "killed"),
            ("kill -15 $$", "machine"),
            ("exit 71", "machine"),
            ("exit 74", "machine"),
            ("exit 1", "parser_crashed"),
            ("echo memory allocation of 9 bytes failed >&2; kill -6 $$", "out_of_memory"),
            ("kill -6 $$", "out_of_memory"),
            ("echo has overflowed its stack >&2; kill -6 $$", "parser_crashed"),
        ] {
            assert_eq!(end_of(script, &limits).await, what, "{script}");
        }
        let missing = Path::new("/nowhere/at/all");
        let error = parser("/bin/true", &limits).read(missing, "a.txt").await;
        assert!(matches!(error, Err(ChildError::Gone)), "{error:?}");
    }

    /// Not by a shell: where the tests run under `nohup` or in the background, it ignores the first two.
    #[cfg(unix)]
    #[test]
    fn who_is_told_to_end_is_not_at_fault() {
        use std::os::unix::process::ExitStatusExt;
        for signal in [1, 2, 15] {
            assert_eq!(kind(&cause_of_death(ExitStatus::from_raw(signal), "")), "machine", "{signal}");
        }
    }

    /// How a child ends that is this script.
    async fn end_of(script: &str, limits: &ExtractLimits) -> &'static str {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("the test input is good");
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n"))
            .expect("the test input is good");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .expect("the test input is good");
        let ended = parser(&program, limits).read(&program, "a.txt").await;
        kind(&ended.expect_err("it cannot be read"))
    }
}
