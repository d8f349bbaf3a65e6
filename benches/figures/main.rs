//! The figures that a release is described by: `cargo bench --bench figures`, or with `-- --json FILE`.
//!
//! Every figure is taken from the release binary as a process of its own. One that could not be measured says why.
//! The machine should have nothing else to do.

#[path = "../shared/filled.rs"]
mod filled;
mod ingest;
#[allow(dead_code, reason = "the other benchmark sets its pace")]
#[path = "../shared/mock.rs"]
mod mock;
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
mod search;
mod start;
#[allow(dead_code, reason = "each benchmark uses its part")]
#[path = "../shared/wire.rs"]
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use filled::Filled;
use mock::Pace;
pub use process::Outcome;
use process::{Place, ended};
use questions::Questions;
use report::Report;

/// The models by the names of their folders; the first is also the one that questions are embedded with.
const MODELS: [&str; 2] = ["all-MiniLM-L6-v2", "multilingual-e5-small"];

/// Measures start, memory, ingestion and search. `cargo bench --bench ttft` has the time to the first token.
#[derive(Parser)]
struct Arguments {
    /// Write the figures to this file too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only these groups
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// A PDF to ingest, of about 100 pages
    #[arg(long, env = "LASTRO_BENCH_PDF", default_value = "collections/debian/debian-faq.pdf")]
    pdf: PathBuf,
    /// Folder of embedding models
    #[arg(long, env = "LASTRO_BENCH_MODELS", default_value = ".tools/models")]
    models: PathBuf,
    /// Chunks searched by words alone
    #[arg(long, default_value_t = 10_000)]
    chunks: usize,
    /// Chunks searched by words and meaning: embedding them is most of a run's time
    #[arg(long, default_value_t = 2_000)]
    model_chunks: usize,
    /// Questions
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Start,
    Ingest,
    Search,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured by tests: cargo bench --bench figures");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments)));
    ended("figures", outcome)
}

async fn run(arguments: &Arguments) -> Outcome<()> {
    let mut report = Report::new();
    println!("lastro {} on {}", report.lastro, report.machine);
    let pdfium = std::env::var_os("LASTRO_PDFIUM").map_or(".tools/pdfium/libpdfium.so".into(), PathBuf::from);
    let mock = mock::start(Pace { frames: 1, gap: Duration::ZERO })?;
    let place = Place { pdfium: pdfium.canonicalize().ok(), ..Place::of_built(mock.address)? };
    let wanted = |group| arguments.only.is_empty() || arguments.only.contains(&group);
    let pdf = arguments.pdf.canonicalize().map_err(|e| format!("{}: {e}", arguments.pdf.display()))?;
    let samples = Path::new("collections").canonicalize().map_err(|e| format!("collections: {e}"))?;
    if wanted(Group::Start) {
        start::measure(&mut report, &place, &samples, |name| model(arguments, name)).await;
    }
    if wanted(Group::Ingest) {
        ingest::measure(&mut report, &place, &pdf, |name| model(arguments, name)).await;
    }
    if wanted(Group::Search) {
        let text = ingest::text_of(&place, &samples.join("debian")).await?;
        let questions = Questions::new(&text);
        let words = Filled::new(&place, &questions, None, arguments.chunks).await;
        let meaning = match model(arguments, MODELS[0]) {
            Ok(model) => Filled::new(&place, &questions, Some(&model), arguments.model_chunks).await,
            Err(error) => Err(error),
        };
        let filled = [("by words alone", "lexical", words), ("by words and meaning", "hit", meaning)];
        search::measure(&mut report, &place.client, &questions, arguments.requests, &filled).await;
    }
    match &arguments.json {
        Some(path) => report.write(path),
        None => Ok(()),
    }
}

/// The folder of a model, if it is there.
fn model(arguments: &Arguments, name: &str) -> Outcome<PathBuf> {
    let folder = arguments.models.join(name);
    folder
        .canonicalize()
        .map_err(|e| format!("{}: {e}; --models names their folder", folder.display()).into())
}
