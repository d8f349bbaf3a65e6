//! Two derived rankings over a collection's chunks: words ([`LexicalIndex`]) and meaning ([`VectorIndex`]).
//!
//! Both may be deleted: they are rebuilt from the store, and say at which of its revisions they stand.
//! This module is a leaf and knows chunks and documents by their numbers alone.

mod analysis;
#[cfg(test)]
mod conformance;
mod exact;
mod lexical;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::task::JoinError;

pub use exact::ExactScan;
pub use lexical::{LexicalBatch, LexicalIndex, LexicalRow};

/// Why an index could not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The deadline passed first.
    #[error("the index did not answer in time")]
    Deadline,
    /// A vector of another length than the index's, or one that is not finite.
    #[error("unusable vector: {0}")]
    Vector(String),
    /// The files do not read as an index: it is to be rebuilt.
    #[error("damaged index: {0}")]
    Damaged(String),
    /// Somebody else writes to it: it is as good as before.
    #[error("the index is being written by somebody else")]
    Busy,
    /// The folder cannot be used, or the machine has no room, memory, file or thread for it now: it is as good as before.
    #[error("index files: {0}")]
    Io(#[from] std::io::Error),
}

impl From<JoinError> for IndexError {
    /// A worker that died, as tantivy's do on some damaged files; or one that was not begun, since the process ends.
    fn from(ended: JoinError) -> Self {
        if ended.is_panic() {
            Self::Damaged(format!("a worker died: {ended}"))
        } else {
            Self::Io(std::io::Error::new(std::io::ErrorKind::Interrupted, ended))
        }
    }
}

/// Which chunks may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All.
    Everything,
    /// Those of these documents.
    Documents(BTreeSet<i64>),
}

impl Filter {
    /// Whether a chunk of this document may be found.
    pub fn admits(&self, document: i64) -> bool {
        match self {
            Self::Everything => true,
            Self::Documents(documents) => documents.contains(&document),
        }
    }
}

/// A chunk that was found, with the ranking's own score: raw cosine, or BM25.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub chunk: u64,
    pub score: f32,
}

/// A vector to be indexed. It has length 1, so that a dot product is the cosine.
#[derive(Clone, Debug)]
pub struct VectorRow {
    pub chunk: u64,
    pub document: i64,
    pub vector: Vec<f32>,
}

/// Changes that bring a vector index to `revision`.
#[derive(Clone, Debug, Default)]
pub struct VectorBatch {
    pub revision: u64,
    pub removed: Vec<u64>,
    pub added: Vec<VectorRow>,
}

/// Nearest chunks by cosine. What every implementation promises, and the conformance suite checks:
/// - after `apply` returns, `search` sees all of the batch, and `revision` is the batch's;
/// - a removed chunk is not found; an added one replaces an older one of the same id; removing what is not there is no error;
/// - `search` returns at most `k` chunks that the filter admits, best first, equal scores by lower id, with raw cosines;
/// - a vector of the wrong length or with a value that is not finite is an error that changes nothing;
/// - both give up at the deadline with [`IndexError::Deadline`].
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// The revision of the collection up to which changes were applied; 0 for none.
    fn revision(&self) -> u64;
    /// How many chunks it holds.
    fn len(&self) -> usize;
    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Applies changes: removals first, then additions.
    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError>;
    /// The `k` nearest chunks that the filter admits.
    async fn search(
        &self,
        query: Arc<[f32]>,
        k: usize,
        filter: Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError>;
}
