//! Events of `tracing` as lines of the log.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::log::Log;

/// Starts the log of this process's events and panics: as JSON or as text, of the level that `LASTRO_LOG` names, or else
/// of `level`. It is written as long as the returned log is kept.
pub fn log_events(json: bool, level: &str) -> io::Result<Log> {
    let filter = EnvFilter::try_from_env("LASTRO_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = Log::to_stderr()?;
    log.takes_panics();
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.lines())
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    if json {
        events.json().flatten_event(true).init()
    } else {
        events.init()
    }
    Ok(log)
}
