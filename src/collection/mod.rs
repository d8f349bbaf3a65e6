//! Collections: a catalog of them, their settings, and the search within.

mod catalog;
mod embedder;
mod fusion;
mod lag;
mod legs;
mod meaning;
mod open;
mod runs;
mod search;
mod settings;
mod upkeep;
mod words;

pub use catalog::{Catalog, Change, New};
pub use embedder::{Embedder, EmbedderError, EmbeddingModel};
pub use open::{Collection, Expiry, is_handle, with_headings};
pub use search::{By, Found, Hit, Query, Scope, Stage, Timings, search};
pub use settings::{OnEmpty, Settings, SettingsError};

use std::sync::Arc;

use tokio::task::JoinError;

use crate::index::IndexError;
use crate::store::StoreError;

/// Why a collection could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// Nothing of that name or id for this caller.
    #[error("no collection '{0}'")]
    Unknown(String),
    /// Several of that name.
    #[error("several collections are named '{name}': use an id, one of {}", .ids.join(", "))]
    Ambiguous { name: String, ids: Vec<String> },
    /// Its time was over.
    #[error(
        "collection '{0}' expired, and its documents were removed: give it another expires_after and new files"
    )]
    Expired(String),
    /// Not a name that a collection may have.
    #[error(
        "'{0}' cannot name a collection: use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit and not with 'vs_'"
    )]
    BadName(String),
    /// The caller may not do this.
    #[error("this key may not {0}")]
    Forbidden(&'static str),
    /// Documents of a synced folder are changed in the folder.
    #[error("collection '{0}' is kept equal to a folder: change its documents there")]
    Synced(String),
    /// Settings that do not read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An index said no.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The indexes could not be brought up to the store, which has it all: all who waited for that have the same cause.
    #[error("the indexes lag behind the store: {0}")]
    Lagging(Arc<CollectionError>),
    /// The deadline for retrieval passed.
    #[error("retrieval did not finish in time")]
    Deadline,
    /// A worker thread died.
    #[error("search worker: {0}")]
    Worker(String),
}

impl From<JoinError> for CollectionError {
    fn from(died: JoinError) -> Self {
        Self::Worker(died.to_string())
    }
}

impl CollectionError {
    /// Why an index's files could not be written.
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::Index(IndexError::Io(source)) => Some(source.kind()),
            Self::Lagging(cause) => cause.io_kind(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
