//! What the store holds, as plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StagedBlob;

/// A collection's revision: raised by every change of its chunks or vectors, never lowered.
pub type Revision = u64;
/// A chunk's id: never used twice.
pub type ChunkId = u64;
/// A document's internal number: never used twice.
pub type DocumentKey = i64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A collection's public id, `vs_` and 24 hexadecimal digits.
    CollectionId
);
id!(
    /// A document's public id, `file-` and 24 hexadecimal digits: the id of its file.
    DocumentId
);

id!(
    /// A file's public id, `file-` and 24 hexadecimal digits.
    FileId
);
id!(
    /// The public id of a batch of documents, `vsfb_` and 24 hexadecimal digits.
    BatchId
);

/// Where a collection's documents come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Uploaded and deleted through the API.
    Api,
    /// Kept equal to a folder; the API only reads.
    Folder,
}

/// A collection to be created.
#[derive(Clone, Debug)]
pub struct NewCollection {
    pub name: String,
    pub origin: Origin,
    /// ISO 639-1, or none until it is detected from the first document.
    pub language: Option<String>,
    /// JSON of the collection's settings; the store does not look inside.
    pub settings: String,
    pub description: Option<String>,
    /// JSON object of the client's own; the store does not look inside.
    pub metadata: String,
    /// Days without use after which its documents are removed.
    pub expires_days: Option<u32>,
    /// The key that makes it, which is granted it.
    pub owner: Option<String>,
}

/// What may change of a collection. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct CollectionUpdate {
    pub name: Option<String>,
    pub language: Option<String>,
    pub settings: Option<String>,
    pub metadata: Option<String>,
    /// Another policy, or none. One that expired is in use again.
    pub expires_days: Option<Option<u32>>,
}

/// A collection as it is stored.
#[derive(Clone, Debug)]
pub struct CollectionRecord {
    pub id: CollectionId,
    pub name: String,
    pub origin: Origin,
    pub language: Option<String>,
    pub settings: String,
    pub description: Option<String>,
    pub metadata: String,
    pub expires_days: Option<u32>,
    /// Seconds since 1970.
    pub last_active_at: i64,
    /// Its documents were removed when its time was over.
    pub expired: bool,
    pub owner: Option<String>,
    /// In the order of creation, which seconds do not tell.
    pub number: i64,
    /// Seconds since 1970.
    pub created_at: i64,
    pub revision: Revision,
}

/// A file to be kept without a document.
#[derive(Debug)]
pub struct NewFile {
    pub owner: Option<String>,
    pub filename: String,
    pub purpose: String,
    /// Seconds from now until it is deleted.
    pub expires_in: Option<u32>,
    pub blob: StagedBlob,
    /// What its owner may hold.
    pub quota: Quota,
}

/// A file as it is stored: a name for bytes.
#[derive(Clone, Debug)]
pub struct FileRecord {
    pub id: FileId,
    pub owner: Option<String>,
    pub filename: String,
    pub purpose: String,
    pub sha256: String,
    pub bytes: u64,
    /// Seconds since 1970.
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

/// Which files exist for somebody.
#[derive(Clone, Debug)]
pub enum Sight {
    Everything,
    /// Those of this owner, and those with a document in one of these collections.
    Of {
        owner: String,
        collections: Vec<CollectionId>,
    },
}

/// How much may be stored. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub documents: Option<u64>,
    /// Of files.
    pub bytes: Option<u64>,
    pub chunks: Option<u64>,
}

/// What the owner of a document, and what its collection, may hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quotas {
    pub owner: Quota,
    pub collection: Quota,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The id of an element: those after it.
    pub after: Option<String>,
    /// The id of an element: those before it.
    pub before: Option<String>,
    pub limit: usize,
    /// Newest first.
    pub descending: bool,
}

/// Elements of a page, and whether there are more in its direction.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

/// Sizes of chunks that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSizes {
    pub max_tokens: u32,
    pub overlap_tokens: u32,
}

/// A file that becomes a document.
#[derive(Clone, Debug)]
pub struct Attachment {
    pub file: FileId,
    /// JSON object; `None` leaves those of a document that is there already.
    pub attributes: Option<String>,
    /// `None` for the server's own sizes.
    pub chunking: Option<ChunkSizes>,
}

/// Files that become documents of a collection, all or none.
#[derive(Clone, Debug)]
pub struct NewAttachments {
    pub collection: CollectionId,
    pub owner: Option<String>,
    /// Files that the owner may name.
    pub sight: Sight,
    pub attachments: Vec<Attachment>,
    /// Whether they are to be followed as a batch.
    pub batch: bool,
    pub quotas: Quotas,
}

/// The outcome of attaching.
#[derive(Clone, Debug)]
pub struct Attached {
    pub documents: Vec<DocumentRecord>,
    pub batch: Option<BatchRecord>,
}

/// Documents that were attached together.
#[derive(Clone, Debug)]
pub struct BatchRecord {
    pub id: BatchId,
    pub collection: CollectionId,
    pub cancelled: bool,
    /// Seconds since 1970.
    pub created_at: i64,
    pub counts: DocumentCounts,
}

/// Which documents of a collection.
#[derive(Clone, Debug, Default)]
pub struct DocumentFilter {
    pub status: Option<Status>,
    pub batch: Option<BatchId>,
}

/// What is over its time.
#[derive(Clone, Debug, Default)]
pub struct Expired {
    pub files: Vec<FileId>,
    pub collections: Vec<CollectionId>,
}

/// A document to be added.
#[derive(Debug)]
pub struct NewDocument {
    pub collection: CollectionId,
    pub filename: String,
    pub blob: StagedBlob,
    pub owner: Option<String>,
    pub quotas: Quotas,
}

/// The outcome of adding a document.
#[derive(Clone, Debug)]
pub struct AddedDocument {
    pub document: DocumentRecord,
    /// False when the collection held the same bytes already.
    pub created: bool,
}

/// Where a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

/// Why a document failed: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// A document as it is stored.
#[derive(Clone, Debug)]
pub struct DocumentRecord {
    pub key: DocumentKey,
    pub id: DocumentId,
    pub collection: CollectionId,
    pub filename: String,
    pub sha256: String,
    pub bytes: u64,
    pub status: Status,
    pub failure: Option<Failure>,
    pub language: Option<String>,
    pub pages: Option<u32>,
    pub chunks: u32,
    /// JSON object of the client's own.
    pub attributes: String,
    /// `None` for the server's own sizes.
    pub chunking: Option<ChunkSizes>,
    pub owner: Option<String>,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// How many documents of a collection stand where, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DocumentCounts {
    pub in_progress: u32,
    pub completed: u32,
    pub failed: u32,
    pub cancelled: u32,
    pub bytes: u64,
}

impl DocumentCounts {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.in_progress + self.completed + self.failed + self.cancelled
    }
}

/// What a store holds in all.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// Documents that wait to be read or embedded, or are just now.
    pub jobs: u64,
    pub collections: Vec<CollectionHoldings>,
}

/// What a collection holds.
#[derive(Clone, Debug)]
pub struct CollectionHoldings {
    pub id: CollectionId,
    pub documents: u64,
    pub chunks: u64,
    /// Of the original files.
    pub bytes: u64,
}

/// What is to be done next with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Read the original and cut it into chunks.
    Extract,
    /// Compute the vectors that are missing, and bring the indexes up to the store.
    Embed,
}

/// Work on one document that survives a restart.
#[derive(Clone, Debug)]
pub struct Job {
    pub document: DocumentRecord,
    pub stage: Stage,
    /// Attempts at this stage, this one included.
    pub attempts: u32,
}

/// What was read from a document.
#[derive(Clone, Debug, Default)]
pub struct ReadDocument {
    pub chunks: Vec<NewChunk>,
    pub outline: Outline,
    pub language: Option<String>,
    pub pages: Option<u32>,
}

/// A chunk to be stored: a piece of a document with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChunk {
    pub text: String,
    /// First and last page, from 1.
    pub page: Option<u32>,
    pub last_page: Option<u32>,
    /// From the document's title down to the nearest heading.
    pub headings: Vec<String>,
    /// Byte range in the document's text; neighbours may overlap.
    pub start: u64,
    pub end: u64,
    /// In tokens of the embedding model.
    pub tokens: u32,
}

/// A chunk as it is stored, with what a reader needs of its document.
#[derive(Clone, Debug)]
pub struct ChunkRecord {
    pub id: ChunkId,
    pub document: DocumentKey,
    pub document_id: DocumentId,
    pub filename: String,
    /// JSON object of the client's own.
    pub attributes: String,
    pub chunk: NewChunk,
}

/// A chunk that waits for its vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnembeddedChunk {
    pub id: ChunkId,
    pub headings: Vec<String>,
    pub text: String,
}

/// What a document is about, for questions about it as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    pub title: Option<String>,
    pub opening: String,
    pub headings: Vec<OutlineHeading>,
}

/// One heading of an outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlineHeading {
    /// From 1.
    pub level: u8,
    pub text: String,
    pub page: Option<u32>,
}

/// An outline with what a reader needs of its document.
#[derive(Clone, Debug)]
pub struct OutlineRecord {
    pub document: DocumentKey,
    pub document_id: DocumentId,
    pub filename: String,
    pub outline: Outline,
}

/// Chunks that came and went after a revision.
#[derive(Clone, Debug, Default)]
pub struct ChunkChanges {
    /// Where an index stands that applied all of these.
    pub revision: Revision,
    pub removed: Vec<ChunkId>,
    pub added: Vec<IndexedChunk>,
}

/// What a lexical index needs of a chunk.
#[derive(Clone, Debug)]
pub struct IndexedChunk {
    pub id: ChunkId,
    pub document: DocumentKey,
    pub headings: Vec<String>,
    pub text: String,
}

/// Vectors that came and went after a revision.
#[derive(Clone, Debug, Default)]
pub struct VectorChanges {
    /// Where an index stands that applied all of these.
    pub revision: Revision,
    pub removed: Vec<ChunkId>,
    pub added: Vec<(ChunkId, DocumentKey, Vec<f32>)>,
}

/// A key to be kept. The secret itself never comes here.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub id: String,
    pub name: String,
    pub hash: [u8; 32],
    /// Names with commas between them; the store does not look inside.
    pub scopes: String,
    pub all_collections: bool,
    pub collections: Vec<CollectionId>,
    pub default_collection: Option<CollectionId>,
    /// JSON of the key's limits; the store does not look inside.
    pub limits: String,
    /// Seconds since 1970.
    pub expires_at: Option<i64>,
}

/// A key as it is stored. One that was revoked is kept: that there was a key closes the server for good.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub id: String,
    pub name: String,
    pub hash: [u8; 32],
    pub scopes: String,
    pub all_collections: bool,
    /// Those that it was granted, also where it sees all.
    pub collections: Vec<CollectionId>,
    pub default_collection: Option<CollectionId>,
    pub limits: String,
    /// Seconds since 1970.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}
