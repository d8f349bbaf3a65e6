//! A key of the server's own.

use super::CollectionId;

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
