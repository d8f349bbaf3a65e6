//! The truth: what was uploaded, what was read from it, and every vector computed for it.
//!
//! [`Store`] is the seam. An implementation promises, and the conformance suite checks:
//! - **Commit is the acknowledgement.** When a writing call returns `Ok`, the change survives the death of the process.
//! - **Chunk ids are never used twice**, not even after a deletion, so an index that lags can never
//!   name a chunk that came later.
//! - **Every change of a collection's chunks or vectors raises its revision**, and the changes since a
//!   revision can be read back in order; an index that applied them all stands at that revision.
//! - **A store that was put back to an older state has another identity**, so that revisions and ids which had another
//!   meaning in the time that was lost are never taken for those of now.
//! - **A place outlives its element**: a page may begin or end at what left the list within the last days.
//! - **Reading back is one transaction**: what was deleted is absent, whatever an index still says.
//!
//! This module is a leaf: it knows no other room of the crate.

mod belonging;
mod blobs;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conformance_files;
#[cfg(test)]
mod conformance_jobs;
#[cfg(test)]
mod conformance_removals;
#[cfg(test)]
mod conformance_versions;
mod lock;
mod records;
mod room;
mod sqlite;
mod trash;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::task::JoinError;

pub use blobs::{StagedBlob, Staging};
pub use lock::{DataLock, Holder};
pub use records::*;
pub use room::{Room, room};
pub use sqlite::{
    Content, Inspection, Originals, SqliteStore, Swept, inspect, look_at_originals,
    originals_without_database,
};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing of that id or name, or not any more.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A file that does not exist, for who asks.
    #[error("no file '{0}'")]
    UnknownFile(String),
    /// A list is to begin or to end at an element that it does not have.
    #[error("'{id}' is not in this list")]
    Cursor { end: &'static str, id: String },
    /// More than may be stored.
    #[error("{whose} may hold {most} {what}, and that would be more")]
    Quota { whose: &'static str, what: &'static str, most: u64 },
    /// The file is a document of a synced folder.
    #[error("the file belongs to a synced folder: remove it there")]
    Synced,
    /// There is nothing to try again.
    #[error("the document did not fail: there is nothing to try again")]
    NotFailed,
    /// A key that is in force has the name.
    #[error("a key named '{0}' is in force already")]
    KeyNameTaken(String),
    /// Another process holds the data folder.
    #[error("the data folder {path} is in use by another lastro process{}", .holder.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
    InUse { path: PathBuf, holder: Option<String> },
    /// The folder above the data folder is missing.
    #[error(
        "{}: the folder above it is not there: make it, mount the disk that should be there, or name another with --data",
        .0.display()
    )]
    NoParent(PathBuf),
    /// The database's file is not the one that was opened.
    #[error("{path} was replaced while it was open: start lastro anew")]
    Replaced { path: PathBuf },
    /// The server is stopping.
    #[error("the server is stopping: nothing is stored any more")]
    Closed,
    /// There is no room for the copy that is kept of an older database.
    #[error(
        "the database was not brought to a new format version, since no copy of it could be kept: {source}; make room in its folder for {bytes} bytes and start again, nothing was changed"
    )]
    NoCopy { bytes: u64, source: Box<StoreError> },
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

impl From<JoinError> for StoreError {
    fn from(died: JoinError) -> Self {
        Self::Worker(died.to_string())
    }
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
    /// Which past this store has. What was derived from a store of another identity is derived anew, whatever revision
    /// it stands at: a restored copy gives its revisions and the ids of its chunks a second meaning.
    fn identity(&self) -> &str;

    /// Adds a collection under a fresh id, granted to its owner.
    async fn create_collection(&self, new: NewCollection) -> Result<CollectionRecord>;
    /// All collections, oldest first.
    async fn collections(&self) -> Result<Vec<CollectionRecord>>;
    /// One collection as it is now.
    async fn collection(&self, id: &CollectionId) -> Result<CollectionRecord>;
    /// The number of a collection that was removed within the last days, for a key that saw it, or with `None` for who
    /// sees all.
    async fn departed_collection(&self, id: &CollectionId, key: Option<&str>) -> Result<Option<i64>>;
    /// Replaces what may change of a collection. The revision stays.
    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()>;
    /// Removes a collection: from then on nobody finds it or anything in it, also after a crash. What it held goes by
    /// [`Self::clear_collection`].
    async fn delete_collection(&self, id: &CollectionId) -> Result<()>;
    /// Removes what a collection still holds that was deleted or is over its time, and blobs that nothing else needs: in
    /// steps, between which others write.
    async fn clear_collection(&self, id: &CollectionId) -> Result<()>;

    /// Raises the time of last use to these, in seconds since 1970. Collections that are gone are left out.
    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()>;
    /// Removes the documents of a collection whose time is over, and says so in its record.
    async fn expire_collection(&self, id: &CollectionId) -> Result<()>;

    /// Commits bytes and a file that stands without a document.
    async fn add_file(&self, new: NewFile) -> Result<FileRecord>;
    /// One file, if it exists for this sight.
    async fn file(&self, sight: &Sight, id: &FileId) -> Result<FileRecord>;
    /// Files that exist for this sight, of one purpose or of all.
    async fn files(&self, sight: &Sight, purpose: Option<&str>, page: Page) -> Result<Paged<FileRecord>>;
    /// Removes a file and every document of it. Returns the collections that lost one.
    async fn delete_file(&self, id: &FileId) -> Result<Vec<CollectionId>>;
    /// What is over its time now.
    async fn expired(&self) -> Result<Expired>;

    /// Makes files documents of a collection, with their first jobs: all, or none where one does not exist. A file that
    /// is in the collection already stays one document: it takes the new attributes, and is read anew where it
    /// failed, was cancelled, or is to be cut otherwise.
    async fn attach(&self, new: NewAttachments) -> Result<Attached>;
    /// Replaces a document's attributes, a JSON object.
    async fn set_attributes(
        &self,
        collection: &CollectionId,
        id: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord>;
    /// Attributes of all documents of a collection.
    async fn document_attributes(
        &self,
        collection: &CollectionId,
        deadline: Instant,
    ) -> Result<Vec<(DocumentKey, String)>>;
    /// One batch.
    async fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord>;
    /// Cancels what of a batch is still in progress.
    async fn cancel_batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord>;

    /// Commits bytes, file, document and its first job. Bytes that the collection already holds
    /// give the existing document back, unless it had failed: then it is tried anew. Where the collection has documents
    /// of its name with other bytes, and they are to be replaced, it is a new version: it waits, with their attributes and
    /// out of sight, until it is complete; versions that waited before it, or failed, go at once.
    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument>;
    /// One document by its public id.
    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord>;
    /// Those of some documents that exist, in the order asked for, in one read.
    async fn documents_of(
        &self,
        collection: &CollectionId,
        ids: &[DocumentId],
    ) -> Result<Vec<DocumentRecord>>;
    /// A document by its public id, or else by its name, in whatever normal form of Unicode: the one that answers, where
    /// only one does.
    async fn find_document(
        &self,
        collection: &CollectionId,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord>;
    /// All documents of a collection, oldest first.
    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>>;
    /// Some documents of a collection.
    async fn documents_page(
        &self,
        collection: &CollectionId,
        filter: DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentRecord>>;
    /// How many documents stand where.
    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts>;
    /// Those of a name, in whatever normal form of Unicode, oldest first.
    async fn documents_named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>>;
    /// How much of the quotas of documents and bytes is used that hold for an upload.
    async fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Result<Vec<Allowance>>;
    /// What there is of everything, for whoever watches.
    async fn holdings(&self, deadline: Instant) -> Result<Holdings>;
    /// Removes a document, its chunks and vectors, and its file if nothing else needs it and it does not stand alone.
    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()>;
    /// Whether each of these documents has text in one of these collections.
    async fn have_text(&self, collections: &[CollectionId], documents: &[DocumentId]) -> Result<bool>;
    /// Where the original bytes lie.
    fn blob_path(&self, sha256: &str) -> PathBuf;
    /// Where uploads are written before they are committed.
    fn staging(&self) -> Staging;

    /// Takes the oldest job that is not taken and whose time has come, and counts the attempt durably before returning
    /// it. What completed documents are owed comes after all that are in progress.
    async fn take_job(&self) -> Result<Option<Job>>;
    /// How long until the time of the first job comes that is not taken; zero where it has come.
    async fn until_next_job(&self) -> Result<Option<Duration>>;
    /// Gives up all claims: after a start, the jobs of the last run are there to be taken again, postponed ones too, and
    /// what completed documents with a [`Warning`] are owed; not [`Warning::EMBEDDING_CRASHED`], which waits on.
    async fn release_jobs(&self) -> Result<()>;
    /// Puts a taken job back without counting the attempt.
    async fn return_job(&self, document: DocumentKey) -> Result<()>;
    /// Puts a taken job back for a while: not the attempt is counted, but the failure.
    async fn postpone_job(&self, document: DocumentKey, pause: Duration) -> Result<()>;
    /// Begins again with what failed or was cancelled, tries at once what waits after a failure, and computes once more
    /// the vectors that a completed document is owed. [`StoreError::NotFailed`] for any other document.
    async fn retry_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord>;
    /// Commits what was read from a document. It stays in progress, and its job goes to [`Stage::Embed`].
    /// [`StoreError::NotFound`] if it was deleted, cancelled, or begun anew with other [`ChunkSizes`] meanwhile.
    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()>;
    /// Marks a document as failed for a reason, and ends its job.
    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()>;
    /// Tells the indexes of what was read from a new version, which is still not read back: to be called shortly before
    /// it is complete.
    async fn publish_document(&self, document: DocumentKey) -> Result<()>;
    /// Marks a document as completed, and ends its job; or postpones it `again`, where vectors are owed. A new
    /// version takes the place of the others of its name.
    async fn complete_document(
        &self,
        document: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()>;
    /// Notes that vectors of completed documents could not be computed, and makes jobs of them for later.
    async fn owe_vectors(&self, documents: Vec<DocumentKey>, warning: Warning, pause: Duration)
    -> Result<()>;

    /// Chunks without a vector of this fingerprint whose id is above `after`, oldest first; of one document, or of all
    /// that no job and no warning stands for.
    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>>;
    /// How many chunks of each of these documents have a vector of this fingerprint.
    async fn vectors_of(&self, documents: Vec<DocumentKey>, fingerprint: &str) -> Result<Vec<u32>>;
    /// Commits vectors, and forgets the attempts and failures of their documents' jobs. Those of chunks that were deleted
    /// meanwhile are dropped.
    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()>;

    /// What happened to the chunks after `since`, in the order of revisions and ids. It ends once the texts take more than
    /// `most_bytes`, also within a revision, and the next call goes on from `until`: at least one chunk is told where
    /// there is one. What was removed is told no later than what came in the same revision.
    async fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges>;
    /// What happened to the vectors of one fingerprint after `since`, in the order of revisions. Where that is more than
    /// `most` vectors, it is the first revisions that hold so many, each of them whole, and the next call has the rest.
    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges>;

    /// Forgets what was removed up to a revision at which every index stands. Its record says from where on removals are
    /// still told: an index that is older is built anew.
    async fn forget_removals(&self, collection: &CollectionId, until: Revision) -> Result<()>;

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
    /// What each of these documents (of all with `None`) takes of a prompt as a whole, as [`ReadDocument`] says, unless that
    /// is more than `most` tokens together. Where nobody counted, so many bytes are taken for a token.
    async fn whole_sizes(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        most: u64,
        bytes_per_token: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<WholeSize>>>;
    /// Keeps what a document takes of a prompt, where nobody counted before.
    async fn note_whole_size(&self, document: DocumentKey, tokens: u64) -> Result<()>;
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
