//! `lastro doctor`: looks at everything that a server needs, and says what to do about what is wrong.
//!
//! Nothing is changed: no data folder is made or brought to a new format, and where a server runs on the data folder
//! it is asked, so that no second model is loaded beside it. Keys are never printed.

mod data;
mod exposure;
mod limits;
mod memory;
mod model;
mod mounts;
mod originals;
mod pdf;
mod report;
mod reranking;
mod store;
mod upstream;

use std::path::Path;
use std::process::ExitCode;

use super::CommandError;
use crate::config::{Config, ConfigError};

use report::Report;

/// What is wanted of the doctor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Examination {
    /// Ask the LLM server for one token.
    pub ask: bool,
    /// JSON in place of lines.
    pub json: bool,
}

/// Looks at everything and prints what was found. The exit code says whether nothing failed.
pub async fn doctor(
    config: Result<Config, ConfigError>,
    file: Option<&Path>,
    wanted: Examination,
) -> Result<ExitCode, CommandError> {
    let mut report = Report::new(wanted.json);
    let read = match file {
        Some(file) => format!("{} was read", file.display()),
        None => "no lastro.toml here: flags, variables and defaults alone".to_owned(),
    };
    match config {
        Ok(config) => {
            report.ok("configuration", read);
            examine(&config, wanted, &mut report).await?;
        }
        Err(error) => {
            let advice = "correct it: `lastro settings` explains every setting; the other checks need it";
            report.fail("configuration", error.to_string(), advice);
        }
    }
    limits::clock(&mut report);
    report.close()?;
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(config: &Config, wanted: Examination, report: &mut Report) -> Result<(), CommandError> {
    upstream::check(config, wanted.ask, report).await;
    reranking::check(config, report).await;
    data::check(&config.data, report);
    let found = store::check(&config.data, report).await?;
    originals::check(&config.data, config.trash, report);
    model::check(config, &found, report).await;
    pdf::check(config, report).await;
    exposure::check(config, &found, report);
    limits::check(config, report);
    memory::check(config, report);
    Ok(())
}
