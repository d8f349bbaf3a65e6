//! A file: a name for bytes, and who sees it.

use super::{CollectionId, FileId, Quota};
use crate::store::StagedBlob;

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
    /// Why it could not be read, where all of its documents failed that exist for who asks.
    pub failure: Option<String>,
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
