//! The truth: what was uploaded, what was read from it, and every vector computed for it.
//!
//! [`Store`] is the seam. An implementation promises, and the conformance suite checks:
//! - **Commit is the acknowledgement.** When a writing call returns `Ok`, the change survives the death of the process.
//! - **Chunk ids are never used twice**, not even after a deletion, so an index that lags can never
//!   name a chunk that came later.
//! - **Every change of a collection's chunks or vectors raises its revision**, and the changes since a
//!   revision can be read back in order; an index that applied them all stands at that revision.
//! - **Reading back is one transaction**: what was deleted is absent, whatever an index still says.
//!
//! This module is a leaf: it knows no other room of the crate.

mod blobs;
#[cfg(test)]
mod conformance;
mod lock;
mod records;
mod sqlite;

use std::path::PathBuf;
use std::time::Instant;

use async_trait::async_trait;

pub use blobs::{StagedBlob, Staging};
pub use lock::DataLock;
pub use records::*;
pub use sqlite::SqliteStore;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing of that id or name, or not any more.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The name is taken.
    #[error("a collection named '{0}' exists already")]
    NameTaken(String),
    /// A key that is in force has the name.
    #[error("a key named '{0}' is in force already")]
    KeyNameTaken(String),
    /// Another process holds the data folder.
    #[error("the data folder {path} is in use by another lastro process{}", .holder.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
    InUse { path: PathBuf, holder: Option<String> },
    /// The folder was written by a newer lastro.
    #[error(
        "the data folder has format version {found}, this lastro knows up to {known}; use a newer lastro, or another --data folder"
    )]
    TooNew { found: i64, known: i64 },
    /// The deadline passed first.
    #[error("the store did not answer in time")]
    Deadline,
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// The database said no.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A stored value does not read back as what was written.
    #[error("damaged record: {0}")]
    Damaged(String),
    /// A worker thread died.
    #[error("store worker: {0}")]
    Worker(String),
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Collections, documents, chunks, vectors and jobs. See the module for what every implementation promises.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a collection under a fresh id. [`StoreError::NameTaken`] if the name exists.
    async fn create_collection(&self, new: NewCollection) -> Result<CollectionRecord>;
    /// All collections, oldest first.
    async fn collections(&self) -> Result<Vec<CollectionRecord>>;
    /// One collection as it is now.
    async fn collection(&self, id: &CollectionId) -> Result<CollectionRecord>;
    /// Replaces what may change of a collection. The revision stays.
    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()>;
    /// Removes a collection with everything in it, and blobs that nothing else needs.
    async fn delete_collection(&self, id: &CollectionId) -> Result<()>;

    /// Commits bytes, file, document and its first job. Bytes that the collection already holds
    /// give the existing document back, unless it had failed: then it is tried anew.
    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument>;
    /// One document by its public id.
    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord>;
    /// All documents of a collection, oldest first.
    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>>;
    /// How many documents stand where.
    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts>;
    /// Removes a document, its chunks and vectors, and its blob if nothing else needs it.
    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()>;
    /// Where the original bytes lie.
    fn blob_path(&self, sha256: &str) -> PathBuf;
    /// Where uploads are written before they are committed.
    fn staging(&self) -> Staging;

    /// Takes the oldest job that is not taken, and counts the attempt durably before returning it.
    async fn take_job(&self) -> Result<Option<Job>>;
    /// Gives up all claims: after a start, the jobs of the last run are there to be taken again.
    async fn release_jobs(&self) -> Result<()>;
    /// Puts a taken job back without counting the attempt.
    async fn return_job(&self, document: DocumentKey) -> Result<()>;
    /// Commits what was read from a document. It stays in progress, and its job goes to [`Stage::Embed`].
    /// [`StoreError::NotFound`] if it was deleted meanwhile.
    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument) -> Result<()>;
    /// Marks a document as failed for a reason, and ends its job.
    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()>;
    /// Marks a document as completed, and ends its job.
    async fn complete_document(&self, document: DocumentKey) -> Result<()>;

    /// Chunks without a vector of this fingerprint whose id is above `after`, oldest first; of one document, or of all.
    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>>;
    /// Commits vectors. Those of chunks that were deleted meanwhile are dropped.
    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()>;

    /// What happened to the chunks after `since`.
    async fn chunk_changes(&self, collection: &CollectionId, since: Revision) -> Result<ChunkChanges>;
    /// What happened to the vectors of one fingerprint after `since`.
    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
    ) -> Result<VectorChanges>;

    /// The chunks of these ids that are alive, in one read transaction, in the order asked for.
    async fn read_chunks(
        &self,
        collection: &CollectionId,
        ids: &[ChunkId],
        deadline: Instant,
    ) -> Result<Vec<ChunkRecord>>;
    /// All chunks of these documents (of all with `None`) in reading order, unless their texts, without what chunks repeat
    /// of each other, exceed `max_bytes` together.
    async fn whole_documents(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<ChunkRecord>>>;
    /// Outlines of these documents (of all with `None`), at most `limit`.
    async fn outlines(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<OutlineRecord>>;

    /// Keeps a key with its grants. [`StoreError::KeyNameTaken`] if one that is not revoked has its name.
    async fn create_key(&self, new: NewKey) -> Result<KeyRecord>;
    /// All keys that were ever made, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>>;
    /// Notes that a key is in force no more. [`StoreError::NotFound`] if it was not.
    async fn revoke_key(&self, id: &str) -> Result<()>;
    /// Grants collections to a key that is not revoked, all or none.
    async fn grant(&self, key: &str, collections: &[CollectionId]) -> Result<KeyRecord>;
}
