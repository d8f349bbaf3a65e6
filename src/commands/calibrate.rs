//! `lastro calibrate`: how a model's vectors tell what has to do with a question, for its `lastro.json`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::CommandError;
use super::measuring::measured;
use super::output::say;
use crate::config::Config;
use crate::evaluation::{bring_in, calibrate as measure, read_corpus, read_folder};

/// What to measure with.
#[derive(Args)]
pub struct CalibrateArguments {
    /// BEIR folders (corpus.jsonl, queries.jsonl, qrels.tsv) on different subjects: the more, the better
    #[arg(required = true)]
    datasets: Vec<PathBuf>,
    /// Ask only so many of each one's questions, always the same ones
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..))]
    questions: u32,
}

/// Measures a model on datasets, and prints what goes into its folder. What is embedded for it is removed.
pub async fn calibrate(mut config: Config, arguments: CalibrateArguments) -> Result<(), CommandError> {
    if config.embedding.is_none() {
        let problem = "there is no model to measure: name its folder with --embedding-model";
        return Err(CommandError::Usage(problem.to_owned()));
    }
    let mut read = Vec::with_capacity(arguments.datasets.len());
    for path in &arguments.datasets {
        let corpus = read_corpus(path)?;
        read.push((read_folder(path, &corpus)?, corpus));
    }
    let folder = tempfile::tempdir()?;
    config.data = folder.path().to_owned();
    config.collections = None;
    let calibrated = measured(config, async |app, progress| {
        let mut sets = Vec::with_capacity(read.len());
        for (number, (mut dataset, mut corpus)) in (1..).zip(read) {
            // Folders of the same name are two collections all the same.
            corpus.name = format!("{number}-{}", corpus.name);
            let subject = bring_in(&app, corpus, &mut dataset, progress).await?;
            dataset.keep_judged();
            dataset.sample(arguments.questions as usize);
            sets.push((dataset, subject));
        }
        Ok(measure(&app, &sets, progress).await?)
    })
    .await?;
    say!("{}", calibrated.table)?;
    if let Some(problem) = calibrated.calibration.problem() {
        say!(
            "These thresholds cannot be used: {problem}. The datasets may be too small, or too much alike."
        )?;
    }
    say!("For lastro.json in the model's folder:")?;
    say!("{}", json!({ "relevance": calibrated.calibration }))
}
