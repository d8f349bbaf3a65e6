//! `lastro eval`: how well the questions of a dataset find what they should.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::CommandError;
use super::measuring::measured;
use super::output::{self, say};
use crate::access::Access;
use crate::app::App;
use crate::config::Config;
use crate::evaluation::{
    Dataset, Evaluation, EvaluationError, Ranking, Report, Subject, bring_in, compare, evaluate, look_up,
    read_corpus, read_folder, read_spreadsheet, table,
};

/// What to measure, and where to write it.
#[derive(Args)]
pub struct EvalArguments {
    /// A BEIR folder (corpus.jsonl, queries.jsonl, qrels.tsv), or a CSV of your own questions
    dataset: PathBuf,
    /// Collection that the questions of a CSV are asked of
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// BEIR folder whose documents are asked, in place of the dataset's own
    #[arg(long, value_name = "FOLDER", conflicts_with = "collection")]
    corpus: Option<PathBuf>,
    /// Rankings to measure [default: all that there are]
    #[arg(long = "ranking", value_name = "RANKING")]
    rankings: Vec<Ranking>,
    /// Ask only so many of the questions, always the same ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    questions: Option<u32>,
    /// Write everything that was measured, question by question, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print what changed since an earlier run, which --json has written
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Write what the search knew of each candidate, a JSON line for each question: for fitting constants
    #[arg(long, value_name = "FILE")]
    candidates: Option<PathBuf>,
}

impl ValueEnum for Ranking {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// Asks the questions and prints what came of it. The documents of a BEIR folder are kept in the data folder only where
/// that was named for it.
pub async fn eval(
    mut config: Config,
    arguments: EvalArguments,
    data_is_named: bool,
) -> Result<(), CommandError> {
    if let Some(ranking) = arguments.rankings.iter().find(|ranking| ranking.needs_meaning())
        && config.embedding.is_none()
    {
        let problem = "needs an embedding model: name its folder with --embedding-model";
        return Err(CommandError::Usage(format!("the ranking '{ranking}' {problem}")));
    }
    if arguments.rankings.iter().any(|ranking| ranking.needs_reranker()) && config.rerank.is_none() {
        let problem = "the ranking 'reranked' needs a reranker: name its address with --rerank-upstream";
        return Err(CommandError::Usage(problem.to_owned()));
    }
    // Before anything is computed.
    let earlier = arguments.compare.as_deref().map(read_report).transpose()?;
    let read = Read::of(&arguments)?;
    let json = arguments.json.as_deref().map(opened).transpose()?;
    let mut candidates = arguments.candidates.as_deref().map(created).transpose()?;
    let temporary = match read {
        Read::Folder(..) if !data_is_named => Some(tempfile::tempdir()?),
        _ => None,
    };
    if let Some(folder) = &temporary {
        config.data = folder.path().to_owned();
    }
    // A folder of samples is the server's to sync.
    config.collections = None;
    let report = measured(config, async |app, progress| {
        let (dataset, subject) = read.brought_in(&app, &arguments, progress).await?;
        let candidates = arguments.candidates.as_deref().zip(candidates.as_mut());
        let report = evaluate(Evaluation {
            app: &app,
            subject: &subject,
            dataset,
            rankings: Some(arguments.rankings.clone()).filter(|rankings| !rankings.is_empty()),
            candidates: candidates.map(|(path, out)| (path, out as &mut dyn Write)),
            progress,
        });
        Ok(report.await?)
    })
    .await?;
    if let Some(out) = &mut candidates {
        out.flush()?;
    }
    if let Some(file) = json {
        file.set_len(0)?;
        let mut out = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    output::print(format_args!("{}", table(&report)))?;
    if let Some(earlier) = &earlier {
        say!("\n{}", compare(earlier, &report).trim_end())?;
    }
    Ok(())
}

/// A dataset as it was named.
enum Read {
    Folder(Dataset, crate::evaluation::Corpus),
    Spreadsheet(Dataset, String),
}

impl Read {
    fn of(arguments: &EvalArguments) -> Result<Self, CommandError> {
        let path = &arguments.dataset;
        let usage = |problem: &str| Err(CommandError::Usage(format!("{}: {problem}", path.display())));
        if path.is_dir() {
            if arguments.collection.is_some() {
                return usage(
                    "a BEIR folder brings its own documents: leave --collection out, or name another folder's with --corpus",
                );
            }
            let corpus = read_corpus(arguments.corpus.as_deref().unwrap_or(path))?;
            return Ok(Self::Folder(read_folder(path, &corpus)?, corpus));
        }
        if !path.exists() {
            return usage("no such file or folder");
        }
        if arguments.corpus.is_some() {
            return usage(
                "the questions of a CSV are asked of a collection: name it with --collection, not --corpus",
            );
        }
        match &arguments.collection {
            Some(collection) => Ok(Self::Spreadsheet(read_spreadsheet(path)?, collection.clone())),
            None => usage("name the collection that its questions are asked of with --collection"),
        }
    }

    async fn brought_in(
        self,
        app: &Arc<App>,
        arguments: &EvalArguments,
        progress: &(dyn Fn(&str, usize, usize) + Sync),
    ) -> Result<(Dataset, Subject), CommandError> {
        let sampled = |dataset: &mut Dataset| {
            dataset.keep_judged();
            if let Some(most) = arguments.questions {
                dataset.sample(most as usize);
            }
        };
        match self {
            Self::Folder(mut dataset, corpus) => {
                let subject = bring_in(app, corpus, &mut dataset, progress).await?;
                sampled(&mut dataset);
                Ok((dataset, subject))
            }
            Self::Spreadsheet(mut dataset, collection) => {
                let collection = app.catalog.find(&Access::everything(), &collection);
                let collection = collection.map_err(EvaluationError::from)?;
                let subject = look_up(app, collection, &mut dataset, progress).await?;
                sampled(&mut dataset);
                Ok((dataset, subject))
            }
        }
    }
}

fn read_report(path: &Path) -> Result<Report, CommandError> {
    let named = |problem: String| CommandError::Usage(format!("{}: {problem}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| named(error.to_string()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| named(format!("no report of lastro eval --json, as --compare needs one: {error}")))
}

/// A file to write to. A report that is in it stays until there is another one.
fn opened(path: &Path) -> Result<File, CommandError> {
    let file = File::options().write(true).create(true).truncate(false).open(path);
    file.map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))
}

fn created(path: &Path) -> Result<BufWriter<File>, CommandError> {
    match File::create(path) {
        Ok(file) => Ok(BufWriter::new(file)),
        Err(error) => Err(CommandError::Usage(format!("{}: {error}", path.display()))),
    }
}
