//! What the commands that measure have in common: a program of their own over a data folder, without its server.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::CommandError;
use crate::app::{App, AppError};
use crate::config::Config;
use crate::evaluation::Progress;
use crate::store::OpenError;

/// Opens the program, and shows how far the work with it is. It is closed when that is done, or when somebody has waited
/// enough.
pub(super) async fn measured<T>(
    config: Config,
    work: impl AsyncFnOnce(Arc<App>, Progress<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let app = App::open(config).await.map_err(told)?;
    let background = tokio::spawn(app.clone().work());
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{prefix:>10} [{bar:30}] {pos}/{len} {eta}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let progress = |what: &str, done: usize, all: usize| {
        bar.set_prefix(what.to_owned());
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let done = tokio::select! {
        done = work(app.clone(), &progress) => done,
        interrupted = tokio::signal::ctrl_c() => {
            Err(interrupted.map_or_else(CommandError::Io, |()| CommandError::Usage("interrupted".to_owned())))
        }
    };
    bar.finish_and_clear();
    app.ingest.stop().await;
    background.abort();
    app.close().await;
    done
}

/// A folder that a server has is not asked through it: what is measured is this program.
fn told(error: AppError) -> CommandError {
    match error {
        AppError::Open(OpenError::InUse { path, holder }) => {
            let holder = holder.unwrap_or_else(|| "another process".to_owned());
            CommandError::Refused(format!(
                "the data folder {} is held by {holder}: lastro eval opens it itself, so stop that first, or name another one with --data",
                path.display()
            ))
        }
        error => error.into(),
    }
}
