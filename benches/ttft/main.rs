//! What lastro and other proxies add to the time to the first token: `cargo bench --bench ttft`.
//!
//! Every target is a process of its own with one core. An upstream of ours answers at once; clients ask by a schedule
//! and not when they have their last answer; in each round all targets have a turn, and a round's turns are compared
//! with asking the upstream directly in the same round. The machine should have nothing else to do.

#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/answer.rs"]
mod answer;
mod arguments;
mod cancel;
mod connection;
mod cores;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/filled.rs"]
mod filled;
mod half_open;
#[path = "../shared/kept.rs"]
mod kept;
mod load;
#[path = "../shared/mock.rs"]
mod mock;
#[path = "../shared/numbers.rs"]
mod numbers;
mod peer;
mod picture;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/process.rs"]
mod process;
#[path = "../shared/questions.rs"]
mod questions;
mod record;
mod relay;
mod rounds;
mod summary;
#[path = "../shared/svg.rs"]
mod svg;
mod table;
mod target;
#[path = "../shared/usage.rs"]
mod usage;
#[path = "../shared/wire.rs"]
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use arguments::{Arguments, Mode};
use cores::Cores;
use mock::Pace;
pub use process::Outcome;
use process::{Place, ended};
use questions::Questions;
use record::{Known, LoadRecord, Record};
use target::Starter;

/// The text that documents and questions are made of.
const TEXT: &str = "collections/debian/debian-constitution.txt";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let [listen, upstream] = arguments.relay[..] {
        return ended("ttft", relay::run(listen, upstream).map_err(Into::into));
    }
    if !arguments.bench {
        println!("nothing is measured by tests: cargo bench --bench ttft");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome =
        runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments.complete()?)));
    ended("ttft", outcome)
}

async fn run(arguments: &Arguments) -> Outcome<()> {
    // Targets inherit it, and hold as many connections as this process.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = Cores::new(arguments.load_cores.clone(), arguments.target_cores.clone());
    let machine = numbers::machine();
    println!("{machine}\n{}", cores.describe());
    let text = std::fs::read_to_string(TEXT).map_err(|e| format!("{TEXT}: {e}"))?;
    let questions = Questions::new(&text);
    let gap = Duration::from_secs_f64(arguments.gap_ms / 1e3);
    let mock = mock::start(Pace { frames: arguments.frames, gap })?;
    let place = Place::of_built(mock.address)?;
    let starter = Starter { arguments, place: &place, cores: &cores, questions: &questions };
    let targets = starter.all().await;
    // Collections are filled on all cores; from here on it matters.
    cores.take()?;
    let mut record = Record {
        machine,
        cores: cores.describe(),
        arguments: std::env::args().skip(1).collect(),
        frames: arguments.frames,
        gap_ms: arguments.gap_ms,
        targets: targets.iter().map(Known::new).collect(),
        loads: Vec::new(),
        cancel: Vec::new(),
        half_open: Vec::new(),
    };
    match arguments.mode {
        Mode::Ttft => {
            for load in arguments.loads() {
                let measured = rounds::measure(&targets, load, arguments, &questions, cores.target())?;
                table::print(&targets, &measured, arguments, cores.target());
                record.loads.push(LoadRecord::new(&targets, &measured, arguments.seed, cores.target()));
            }
        }
        Mode::Cancel => record.cancel = cancel::measure(&targets, arguments, &mock, &questions),
        Mode::Halfopen => record.half_open = half_open::measure(&targets, arguments, &questions)?,
    }
    if let Some(path) = &arguments.json {
        record::write(path, &(serde_json::to_string_pretty(&record)? + "\n"))?;
    }
    if let Some(path) = &arguments.svg {
        if record.loads.is_empty() {
            return Err("--svg draws the added time: it goes with --mode ttft".into());
        }
        record::write(path, &picture::draw(&record))?;
    }
    Ok(())
}
