//! Two derived rankings over a collection's chunks: words ([`LexicalIndex`]) and meaning ([`VectorIndex`]).
//!
//! Both may be deleted: they are rebuilt from the store, and say of which past of it they are and at which of its revisions
//! they stand. Both are asked for the best chunks that a [`Filter`] admits, and for the scores of given chunks.
//! This module is a leaf and knows chunks and documents by their numbers alone.

mod analysis;
mod choice;
#[cfg(test)]
mod conformance;
mod exact;
mod filter;
mod hnsw;
#[cfg(test)]
mod kept;
mod lexical;
mod opening;
mod vectors;

use tokio::task::JoinError;

pub use filter::Filter;
pub use lexical::{Glance, Languages, LexicalBatch, LexicalIndex, LexicalRow, Match, Matches, Statistics};
pub use opening::{open_vectors, remove_vectors};
pub use vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};

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

/// A chunk that was found, with the ranking's own score: raw cosine, or BM25.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub chunk: u64,
    pub score: f32,
}
