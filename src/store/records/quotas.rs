//! What of a quota is used.

use crate::store::{Result, StoreError};

pub use crate::quota::Quota;

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Documents,
    Bytes,
}

/// How much of a quota is used.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// The owner's, and not the collection's.
    pub of_owner: bool,
    pub counted: Counted,
    pub most: u64,
    pub held: u64,
    /// What of it documents of the collection hold, whose place others may take.
    pub replaceable: u64,
}

impl Allowance {
    /// [`StoreError::Quota`] where so much more, and so much less, would be too much.
    pub fn check(&self, more: u64, less: u64) -> Result<()> {
        if self.held.saturating_sub(less).saturating_add(more) <= self.most {
            return Ok(());
        }
        let whose = if self.of_owner { "this key" } else { "this collection" };
        let what = match self.counted {
            Counted::Documents => "documents",
            Counted::Bytes => "bytes",
        };
        Err(StoreError::Quota { whose, what, most: self.most })
    }
}

/// What the owner of a document, and what its collection, may hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quotas {
    pub owner: Quota,
    pub collection: Quota,
}
