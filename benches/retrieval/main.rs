//! How fast passages are found, from a thousand chunks on: `cargo bench --bench retrieval`, or `make bench-retrieval`.
//!
//! A question's search without its embedding: the program's own code, in this process, with the vectors of the questions
//! given. The vector index and the words index alone, beside peers in Python, in turns. Many collections, of which few are
//! open, in the release binary. What texts and vectors are made of, `corpus.rs` says. The machine should have nothing else
//! to do; `taskset -c 1` in front holds it to one core.

mod corpus;
mod data;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/filled.rs"]
mod filled;
mod hybrid;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/kept.rs"]
mod kept;
mod many;
#[allow(dead_code, reason = "the other benchmark sets its pace")]
#[path = "../shared/mock.rs"]
mod mock;
mod nearest;
#[path = "../shared/numbers.rs"]
mod numbers;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/process.rs"]
mod process;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/questions.rs"]
mod questions;
#[path = "../shared/report.rs"]
mod report;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use corpus::{Corpus, Question};
use mock::Pace;
pub use process::Outcome;
use process::{Place, ended};
use report::Report;

/// Measures searches of one size after the other, the indexes beside peers, and many collections.
#[derive(Parser)]
#[command(name = "retrieval")]
pub struct Arguments {
    /// Only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Chunks of a collection, one size after the other; 1000000 takes minutes to fill, and 4 GiB of disk
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    chunks: Vec<u64>,
    /// Chunks at which the indexes are measured beside peers
    #[arg(long, default_value_t = 100_000)]
    nearest: u64,
    /// Collections of which few are open, and the chunks of each
    #[arg(long, default_value_t = 10_000)]
    collections: u64,
    #[arg(long, default_value_t = 100)]
    each: u64,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Questions of a round
    #[arg(long, default_value_t = 200)]
    questions: u64,
    /// Seconds of questions while chunks come and go
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds that a graph may take to be built; without it vectors are compared one by one
    #[arg(long, default_value_t = 3_600)]
    patience: u64,
    /// Folders of real texts (.txt, .md) that chunks are made of
    #[arg(long, env = "LASTRO_BENCH_TEXTS", value_delimiter = ',', default_values = ["collections", "docs/guide", "tests/fixtures/followups"])]
    texts: Vec<PathBuf>,
    /// Folder of the embedding model that passages are embedded with; without it vectors are made up
    #[arg(long, env = "LASTRO_BENCH_MODEL", default_value = ".tools/models/all-MiniLM-L6-v2")]
    model: PathBuf,
    /// The Python of the peers; those that it has not are absent
    #[arg(long, env = "LASTRO_BENCH_PYTHON", default_value = ".tools/peers/retrieval/bin/python")]
    python: PathBuf,
    /// Write the figures to this file too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A question's search without its embedding
    Hybrid,
    /// The indexes beside peers
    Nearest,
    /// Many collections
    Many,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured by tests: cargo bench --bench retrieval");
        return ExitCode::SUCCESS;
    }
    ended("retrieval", measure(&arguments))
}

fn measure(arguments: &Arguments) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_all(arguments))
}

async fn measure_all(arguments: &Arguments) -> Outcome<()> {
    let corpus = Corpus::read(&arguments.texts, &arguments.model, &kept::folder()).await?;
    let mut report = Report::new();
    println!("lastro {} on {}\n{}", report.lastro, report.machine, corpus.about);
    report.about = corpus.about.clone();
    report.kept = arguments.json.clone();
    // One table of given vectors for all sizes.
    let sizes = arguments.chunks.iter().chain([&arguments.nearest]);
    let sets: Vec<Vec<Question>> =
        sizes.map(|size| (0..arguments.questions).map(|n| corpus.question(n, *size)).collect()).collect();
    data::give(sets.iter().flatten());
    for (chunks, questions) in arguments.chunks.iter().zip(&sets) {
        if arguments.wants(Part::Hybrid) {
            hybrid::measure(&mut report, arguments, &corpus, questions, *chunks).await;
        }
    }
    if let (true, Some(questions)) = (arguments.wants(Part::Nearest), sets.last()) {
        nearest::measure(&mut report, arguments, &corpus, questions, arguments.nearest).await;
    }
    if arguments.wants(Part::Many) {
        let mock = mock::start(Pace { frames: 4, gap: Duration::ZERO })?;
        many::measure(&mut report, arguments, &Place::of_built(mock.address)?, &corpus).await;
    }
    println!("\nat the end: {}", numbers::machine());
    match &arguments.json {
        Some(path) => report.write(path),
        None => Ok(()),
    }
}
