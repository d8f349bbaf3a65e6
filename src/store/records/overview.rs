//! What a store holds in all, what of it is over its time, and what a start found.

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

/// What a start found and did about originals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deleted before, and removed now: the last process died in between.
    pub finished: usize,
    /// No record names them: they are in the trash now.
    pub discarded: usize,
    /// Were in the trash for long enough.
    pub emptied: usize,
    /// No record names them, and they stay: others than this database may know them.
    pub unknown: usize,
    /// Named by records, and not there.
    pub missing: usize,
}
