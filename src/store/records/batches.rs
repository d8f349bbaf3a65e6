//! Files that become documents together.

use super::{BatchId, ChunkSizes, CollectionId, DocumentCounts, DocumentRecord, FileId, Quotas, Sight};

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
