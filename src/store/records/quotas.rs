//! How much may be stored.

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
