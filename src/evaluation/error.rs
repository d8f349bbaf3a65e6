//! Why nothing could be measured.

use std::path::{Path, PathBuf};

use tokio::task::JoinError;

use crate::collection::CollectionError;
use crate::selection::SelectionError;
use crate::store::StoreError;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// A dataset that cannot be used: what is wrong, and what was expected.
    #[error("{path}: {problem}")]
    Dataset { path: PathBuf, problem: String },
    #[error("the embedding model could not be loaded: {0}")]
    Model(String),
    #[error(transparent)]
    Collection(#[from] CollectionError),
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a question could not be put as a chat: {0}")]
    Question(#[from] serde_json::Error),
    #[error(
        "nothing was found by meaning, so there is nothing to measure: name a model with --embedding-model, and datasets with documents"
    )]
    NothingToCalibrate,
    #[error("a question could not be read back from its chat: please report this")]
    NoQuestion,
}

impl From<JoinError> for EvaluationError {
    fn from(died: JoinError) -> Self {
        Self::Collection(died.into())
    }
}

impl EvaluationError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(super) fn dataset(path: &Path, problem: impl Into<String>) -> Self {
        Self::Dataset { path: path.to_owned(), problem: problem.into() }
    }
}
