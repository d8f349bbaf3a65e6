//! The seam of vector indexes: what every one of them promises.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::filter::Filter;
use super::{IndexError, Scored};

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

/// What a vector index is to hold, and where.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// What the vectors are of: the store and the model that made them. Vectors of another origin say nothing here.
    pub origin: String,
    /// The length of each vector.
    pub dimensions: usize,
    /// About how many there will be; a hint.
    pub expected: usize,
    /// Where an index that outlives the process keeps its files. Nothing else lies there.
    pub folder: PathBuf,
}

/// Nearest chunks by cosine.
///
/// An implementation promises, and the conformance suite checks:
/// - **Origin.** An index holds vectors of one origin. One that outlives the process is opened with all that was applied
///   before [`Self::close`], and its revision says how much that is; opened for another origin it is empty.
/// - **Apply.** When `apply` returns, every search that begins sees all of the batch, and `revision` is the batch's. A
///   batch is applied whole or not at all. Removals come first, then additions; an added chunk replaces an older one of the
///   same id; to remove what is not there is no error.
/// - **Exact scores.** Whatever shortcut a search takes to its candidates, their scores are raw cosines.
/// - **Bad vectors.** A vector of another length, or with a value that is not finite, is [`IndexError::Vector`] and changes
///   nothing.
/// - **Deadlines.** A call that cannot end in time ends with [`IndexError::Deadline`].
///
/// A caller may not rely on more: an approximate index may miss a chunk that is near, though never one that the filter
/// alone leaves; `apply` after a crash may have to be repeated, from the revision that the index says; and two calls of
/// `apply` at a time are a mistake of the caller.
///
/// No call blocks an async thread.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// What its vectors are of.
    fn origin(&self) -> &str;

    /// The revision of the collection up to which changes were applied; 0 for none.
    fn revision(&self) -> u64;

    /// How many chunks it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its files turned out to be damaged. It answers nothing any more, and whoever has it deletes the files and
    /// opens it anew.
    fn is_damaged(&self) -> bool {
        false
    }

    /// Whether work is under way that closing would throw away.
    fn is_building(&self) -> bool {
        false
    }

    /// Applies changes.
    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError>;

    /// The nearest chunks that the filter admits, at most `k`: best first, equal scores by lower id.
    async fn search(
        &self,
        query: Arc<[f32]>,
        k: usize,
        filter: Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError>;

    /// The cosine of each of these chunks, in their order; `None` for one that is not there.
    async fn score(
        &self,
        query: Arc<[f32]>,
        chunks: Arc<[u64]>,
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError>;

    /// Writes down what is not yet written. The index still answers afterwards, and what it holds in memory goes with the
    /// last reference to it.
    async fn close(&self) -> Result<(), IndexError>;
}
