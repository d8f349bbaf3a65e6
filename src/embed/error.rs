//! Why a text has no vector, and why a model could not be loaded.

use std::io;
use std::path::{Path, PathBuf};

use tokio::task::JoinError;

/// Why a text has no vector.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EmbedError {
    #[error("the embedding model is still being loaded")]
    NotReady,
    #[error("there is no embedding model: {0}")]
    NoModel(String),
    /// A text that must not be cut, `of` so many. `place` counts from 0; `tokens` are all of it, or as many as were
    /// counted.
    #[error("text {place} has {tokens} tokens or more, but the model reads at most {window}")]
    TooLong { place: usize, of: usize, tokens: usize, at_least: bool, window: usize },
    #[error("the embedding failed: {0}")]
    Failed(String),
}

impl From<JoinError> for EmbedError {
    fn from(died: JoinError) -> Self {
        Self::Failed(died.to_string())
    }
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{0} is missing: {1}")]
    Missing(PathBuf, String),
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("{0} cannot be used: {1}. Correct it, or download the model again.")]
    Broken(PathBuf, String),
    #[error("the model cannot be computed: {0}")]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    pub(super) fn broken(path: &Path, why: &str) -> Self {
        ModelError::Broken(path.to_owned(), why.to_owned())
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let copy = io::Error::new(error.kind(), error.to_string());
        ModelError::Unreadable(path.to_owned(), copy)
    }
}
