//! Keys, as `/admin/keys` and the command speak of them. Not OpenAI's: shapes of our own in its style.

use serde::{Deserialize, Serialize};

use super::request::{Body, Fields, RequestError, Result, parse_value, text};

/// Numbers up to here are exact in JSON (RFC 8259, section 6).
const MOST: u64 = (1 << 53) - 1;

/// A key to be made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CreateKey {
    pub name: String,
    /// `chat`, `relay`, `ingest`, `metrics`, `admin`; chat alone where nothing is said.
    pub scopes: Option<Vec<String>>,
    /// All collections, those of the future too.
    pub all_collections: bool,
    /// Ids or names.
    pub collections: Vec<String>,
    /// Id or name of the collection for chats that name none.
    pub default_collection: Option<String>,
    pub expires_days: Option<u32>,
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
#[derive(Clone, Debug, Default, Serialize)]
pub struct GrantKey {
    pub collections: Vec<String>,
}

impl Body for CreateKey {
    fn read(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            name: fields.needed_text("name")?,
            scopes: texts(fields, "scopes")?,
            all_collections: fields.boolean("all_collections")?.unwrap_or_default(),
            collections: texts(fields, "collections")?.unwrap_or_default(),
            default_collection: fields.text("default_collection")?,
            expires_days: small(fields, "expires_days")?,
            limits: match fields.take("limits") {
                None => KeyLimits::default(),
                Some(limits) => parse_value(limits, &fields.path("limits"))?,
            },
        })
    }
}

impl Body for KeyLimits {
    fn read(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            requests_per_minute: small(fields, "requests_per_minute")?,
            streams: small(fields, "streams")?,
            max_documents: fields.whole("max_documents", 0..=MOST)?,
            max_bytes: fields.whole("max_bytes", 0..=MOST)?,
            max_chunks: fields.whole("max_chunks", 0..=MOST)?,
        })
    }
}

impl Body for GrantKey {
    fn read(fields: &mut Fields) -> Result<Self> {
        match texts(fields, "collections")? {
            Some(collections) => Ok(Self { collections }),
            None => Err(RequestError::missing(fields.path("collections"))),
        }
    }
}

fn texts(fields: &mut Fields, key: &'static str) -> Result<Option<Vec<String>>> {
    let Some(list) = fields.list(key, 0..=usize::MAX)? else { return Ok(None) };
    list.into_iter().map(|(path, value)| text(value, &path)).collect::<Result<_>>().map(Some)
}

fn small(fields: &mut Fields, key: &'static str) -> Result<Option<u32>> {
    let number = fields.whole(key, 0..=u32::MAX.into())?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
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
