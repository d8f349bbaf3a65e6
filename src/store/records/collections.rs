//! A collection: a name, settings, and where its documents come from.

use super::{CollectionId, Revision};

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
    /// What was removed up to this revision is not told any more: an index that is older is built anew.
    pub removals_since: Revision,
}
