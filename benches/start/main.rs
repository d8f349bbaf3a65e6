//! How long it takes from starting a process to its first grounded token: `cargo bench --bench start`.
//!
//! A collection of 100,000 chunks lies ready, filled once and kept. Each round starts every target once, one after the
//! other, on the same two things: nothing that was computed before is in memory, and the files are in the page cache
//! (with `--cold` they are not). The machine should have nothing else to do.

#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/answer.rs"]
mod answer;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/filled.rs"]
mod filled;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/kept.rs"]
mod kept;
#[allow(dead_code, reason = "the other benchmark sets its pace")]
#[path = "../shared/mock.rs"]
mod mock;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/numbers.rs"]
mod numbers;
mod picture;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/process.rs"]
mod process;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/questions.rs"]
mod questions;
mod record;
mod run;
mod store;
#[path = "../shared/svg.rs"]
mod svg;
mod target;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/usage.rs"]
mod usage;
#[path = "../shared/wire.rs"]
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use mock::Pace;
pub use process::Outcome;
use process::{Place, ended};
use questions::Questions;
use record::{Cache, Record};

/// The text that documents and questions are made of.
const TEXT: &str = "collections/debian/debian-constitution.txt";

/// Measures the time from starting a process to listening and to its first token, and its memory.
#[derive(Parser)]
#[command(name = "start")]
pub struct Arguments {
    /// Only these, of empty, words, minilm, litellm, python-chat
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Starts of each target that count; one before them does not
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Rounds in which the page cache is emptied before each start; the system lets only root do that
    #[arg(long, default_value_t = 0)]
    cold: usize,
    /// Chunks of the collection
    #[arg(long, default_value_t = 100_000)]
    chunks: usize,
    /// Folder of the embedding model
    #[arg(long, env = "LASTRO_BENCH_MODEL", default_value = ".tools/models/all-MiniLM-L6-v2")]
    model: PathBuf,
    /// Another lastro than the one just built, as NAME=PATH, started beside it
    #[arg(long, value_parser = binary)]
    binary: Vec<(String, PathBuf)>,
    /// The script that starts the others
    #[arg(long, default_value = "scripts/peer")]
    peers: PathBuf,
    /// Write the figures to this file too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draw the warm starts into this file
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn binary(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=PATH")?;
    let path = PathBuf::from(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
    Ok((name.to_owned(), path))
}

impl Arguments {
    fn wants(&self, target: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|wanted| wanted == target)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured by tests: cargo bench --bench start");
        return ExitCode::SUCCESS;
    }
    ended("start", measure(&arguments))
}

fn measure(arguments: &Arguments) -> Outcome<()> {
    let text = std::fs::read_to_string(TEXT).map_err(|e| format!("{TEXT}: {e}"))?;
    let questions = Questions::new(&text);
    let mock = mock::start(Pace { frames: 4, gap: Duration::ZERO })?;
    let place = Place::of_built(mock.address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stores = runtime.block_on(store::prepare(arguments, &place, &questions))?;
    let targets = target::all(arguments, &place, &stores);
    let mut record = Record::new(arguments, &targets);
    println!("{}", record.describe());
    let mut round = |cache: Cache, counts: bool| -> Outcome<()> {
        for target in targets.iter().filter(|target| target.absent.is_none()) {
            if cache == Cache::Cold {
                drop_caches()?;
            }
            let started = run::start(target, place.upstream, &questions);
            match started {
                Ok(started) if counts => record.add(&target.id, cache, started),
                Ok(_) => {}
                Err(error) => record.failed(&target.id, error.to_string()),
            }
        }
        Ok(())
    };
    round(Cache::Warm, false)?;
    for _ in 0..arguments.rounds {
        round(Cache::Warm, true)?;
    }
    for _ in 0..arguments.cold {
        round(Cache::Cold, true)?;
    }
    record.finish();
    print!("{}", record.table());
    if let Some(path) = &arguments.json {
        write(path, &(serde_json::to_string_pretty(&record)? + "\n"))?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &picture::draw(&record.lines(Cache::Warm), &record.describe_short()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    Ok(std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?)
}

/// Lets go of what the system keeps of files.
fn drop_caches() -> Outcome<()> {
    const CONTROL: &str = "/proc/sys/vm/drop_caches";
    // What is not written yet cannot be let go of.
    std::process::Command::new("sync").status()?;
    Ok(std::fs::write(CONTROL, "1").map_err(|error| format!("{CONTROL}: {error}; --cold needs root"))?)
}
