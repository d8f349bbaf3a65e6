//! Keys, as `/admin/keys` and the command speak of them. Not OpenAI's: shapes of our own in its style.

use serde::{Deserialize, Serialize};

/// A key to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    pub name: String,
    /// `chat`, `relay`, `ingest`, `metrics`, `admin`; chat alone where nothing is said.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// All collections, those of the future too.
    #[serde(default)]
    pub all_collections: bool,
    /// Ids or names.
    #[serde(default)]
    pub collections: Vec<String>,
    /// Id or name of the collection for chats that name none.
    #[serde(default)]
    pub default_collection: Option<String>,
    #[serde(default)]
    pub expires_days: Option<u32>,
    #[serde(default)]
    pub limits: KeyLimits,
}

/// How much a key may ask for. Null is no limit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Requests at a time.
    #[serde(default)]
    pub streams: Option<u32>,
    #[serde(default)]
    pub max_documents: Option<u64>,
    #[serde(default)]
    pub max_bytes: Option<u64>,
    #[serde(default)]
    pub max_chunks: Option<u64>,
}

/// Collections to be granted, by id or name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantKey {
    pub collections: Vec<String>,
}

/// A key without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyObject {
    pub id: String,
    pub object: String,
    pub name: String,
    /// `active`, `expired` or `revoked`.
    pub status: String,
    pub scopes: Vec<String>,
    pub all_collections: bool,
    /// Ids of those that it was granted.
    pub collections: Vec<String>,
    pub default_collection: Option<String>,
    pub limits: KeyLimits,
    /// Seconds since 1970.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    /// The key itself, in the answer that makes it and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}
