//! What happened to collections and keys since a revision, for a process beside the one that changed them.

use super::{CollectionId, CollectionRecord, KeyRecord};

/// A store's revision of collections and keys: raised by every change of one, never lowered within an identity.
pub type CatalogRevision = u64;

/// Collections and keys that changed after a revision.
#[derive(Clone, Debug, Default)]
pub struct CatalogChanges {
    /// Where a reader stands that applied these.
    pub revision: CatalogRevision,
    /// These are all collections and keys: what the reader knows beside them is gone. So for a reader at 0, one that is so
    /// far behind that removals are forgotten, and one that is ahead, since it read from a store of another past.
    pub anew: bool,
    /// Made or changed, as they are now.
    pub collections: Vec<CollectionRecord>,
    pub removed_collections: Vec<CollectionId>,
    /// Made, granted more or less, or revoked: a key is never removed.
    pub keys: Vec<KeyRecord>,
}
