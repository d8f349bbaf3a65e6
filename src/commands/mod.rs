//! The commands. `serve` is the server; `ingest`, `ask`, `search` and `keys` are its clients: of the server that runs on
//! the data folder, or else of one of their own, started for as long as they need it.

mod ask;
mod calibrate;
mod connection;
mod doctor;
mod eval;
mod events;
mod healthcheck;
mod ingest;
mod keys;
mod measuring;
mod output;
mod processors;
mod search;
mod serve;
mod settings;

pub use ask::ask;
pub use calibrate::{CalibrateArguments, calibrate};
pub use doctor::{Examination, doctor};
pub use eval::{EvalArguments, eval};
pub use healthcheck::healthcheck;
pub use ingest::ingest;
pub use keys::{KeysCommand, keys};
pub use output::remark;
pub use processors::use_own_processors;
pub use search::search;
pub use serve::serve;
pub use settings::settings;

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Settings that cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    #[error(transparent)]
    Exposed(#[from] crate::app::Exposed),
    #[error(transparent)]
    App(#[from] crate::app::AppError),
    #[error(transparent)]
    Evaluation(#[from] crate::evaluation::EvaluationError),
    #[error("the server could not be asked: {}", crate::net::root_cause(.0))]
    Http(#[from] reqwest::Error),
    /// The server said no; this is its message.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Usage(String),
    /// Nobody reads the output any more: there is nothing left to do, and nothing wrong.
    #[error("the output was closed")]
    Closed,
}
