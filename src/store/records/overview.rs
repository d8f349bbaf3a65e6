//! What a store holds in all, and what of it is over its time.

use super::{CollectionId, FileId};

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

/// What is over its time.
#[derive(Clone, Debug, Default)]
pub struct Expired {
    pub files: Vec<FileId>,
    pub collections: Vec<CollectionId>,
}
