//! `/v1/vector_stores` and what is under it, on the wire: what clients ask for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::attributes::{Attributes, Metadata, read_metadata};
use super::request::{Body, Fields, RequestError, Result, parse_value, short, text};

/// Files that a vector store may be made with.
const MOST_FILES_AT_CREATION: usize = 500;
/// Files of a batch.
const MOST_FILES_OF_BATCH: usize = 2_000;
/// Characters of a name.
const LONGEST_NAME: usize = 256;
/// Characters of a description. OpenAI names no limit.
const LONGEST_DESCRIPTION: usize = 4_096;
/// Tokens of a chunk.
const CHUNK_TOKENS: std::ops::RangeInclusive<u64> = 100..=4_096;

/// How documents are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunking {
    /// As the collection and its model have it.
    #[default]
    Auto,
    /// Chunks of at most so many tokens (100 to 4,096); neighbours share so many (at most half of that).
    Static { max_chunk_size_tokens: u16, chunk_overlap_tokens: u16 },
}

/// A vector store to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateVectorStore {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Each once.
    pub file_ids: Vec<String>,
    pub chunking: Chunking,
    /// Days after the last use that it is kept for, 1 to 365.
    pub expires_days: Option<u16>,
    pub metadata: Metadata,
}

/// A field of a change: absent (it stays), null (it goes) or set.
pub type Change<T> = Option<Option<T>>;

/// What changes of a vector store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateVectorStore {
    pub name: Change<String>,
    pub expires_days: Change<u16>,
    pub metadata: Change<Metadata>,
}

/// A file to be attached to a vector store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateVectorStoreFile {
    pub file_id: String,
    pub attributes: Attributes,
    pub chunking: Chunking,
}

/// New attributes of a file in a vector store: they replace the old ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateVectorStoreFile {
    pub attributes: Attributes,
}

/// Files to be attached together, each once: 1 to 2,000.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateFileBatch {
    pub files: Vec<CreateVectorStoreFile>,
}

impl Body for CreateVectorStore {
    fn read(fields: &mut Fields) -> Result<Self> {
        let file_ids = match fields.list("file_ids", 0..=MOST_FILES_AT_CREATION)? {
            None => Vec::new(),
            Some(ids) => read_ids(ids)?,
        };
        Ok(Self {
            name: fields.take("name").map(|value| name(value, &fields.path("name"))).transpose()?,
            description: match fields.text("description")? {
                None => None,
                Some(text) => Some(short(text, &fields.path("description"), LONGEST_DESCRIPTION)?),
            },
            file_ids,
            chunking: chunking(fields)?,
            expires_days: fields
                .take("expires_after")
                .map(|value| expires_after(value, &fields.path("expires_after")))
                .transpose()?,
            metadata: match fields.take("metadata") {
                None => Metadata::new(),
                Some(value) => read_metadata(value, &fields.path("metadata"))?,
            },
        })
    }
}

impl Body for UpdateVectorStore {
    fn read(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            name: change(fields, "name", name)?,
            expires_days: change(fields, "expires_after", expires_after)?,
            metadata: change(fields, "metadata", read_metadata)?,
        })
    }
}

impl Body for CreateVectorStoreFile {
    fn read(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            file_id: fields.needed_text("file_id")?,
            attributes: attributes(fields)?,
            chunking: chunking(fields)?,
        })
    }
}

impl Body for UpdateVectorStoreFile {
    fn read(fields: &mut Fields) -> Result<Self> {
        let path = fields.path("attributes");
        match fields.nullable("attributes") {
            None => Err(RequestError::missing(path)),
            Some(value) => Ok(Self { attributes: Attributes::read(value, &path)? }),
        }
    }
}

impl Body for CreateFileBatch {
    fn read(fields: &mut Fields) -> Result<Self> {
        let lengths = 1..=MOST_FILES_OF_BATCH;
        let ids = fields.list("file_ids", lengths.clone())?;
        let files = fields.list("files", lengths)?;
        // For `files`, OpenAI ignores these two: each file has its own.
        let (attributes, chunking) = (attributes(fields)?, chunking(fields)?);
        let files = match (ids, files) {
            (Some(_), Some(_)) => {
                return Err(RequestError::value(
                    "files",
                    "'file_ids' and 'files' exclude each other: send one",
                ));
            }
            (None, None) => return Err(RequestError::missing("file_ids")),
            (Some(ids), None) => {
                let one =
                    |file_id| CreateVectorStoreFile { file_id, attributes: attributes.clone(), chunking };
                read_ids(ids)?.into_iter().map(one).collect()
            }
            (None, Some(files)) => read_files(files)?,
        };
        Ok(Self { files })
    }
}

/// Ids in the order given; repetitions are dropped.
fn read_ids(ids: Vec<(String, Value)>) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(ids.len());
    for (path, value) in ids {
        let id = text(value, &path)?;
        if seen.insert(id.clone()) {
            read.push(id);
        }
    }
    Ok(read)
}

fn read_files(files: Vec<(String, Value)>) -> Result<Vec<CreateVectorStoreFile>> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(files.len());
    for (path, value) in files {
        let file: CreateVectorStoreFile = parse_value(value, &path)?;
        if !seen.insert(file.file_id.clone()) {
            let message = "this file is named before: which attributes are meant is not clear";
            return Err(RequestError::value(format!("{path}.file_id"), message));
        }
        read.push(file);
    }
    Ok(read)
}

fn change<T>(
    fields: &mut Fields,
    key: &'static str,
    read: impl Fn(Value, &str) -> Result<T>,
) -> Result<Change<T>> {
    match fields.nullable(key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(value) => read(value, &fields.path(key)).map(|value| Some(Some(value))),
    }
}

fn name(value: Value, path: &str) -> Result<String> {
    let name = short(text(value, path)?, path, LONGEST_NAME)?;
    match name.chars().any(char::is_control) {
        true => Err(RequestError::value(
            path,
            format!("'{path}' holds a control character, such as a line break"),
        )),
        false => Ok(name),
    }
}

fn attributes(fields: &mut Fields) -> Result<Attributes> {
    match fields.take("attributes") {
        None => Ok(Attributes::default()),
        Some(value) => Attributes::read(value, &fields.path("attributes")),
    }
}

fn expires_after(value: Value, path: &str) -> Result<u16> {
    struct ExpiresAfter(u16);
    impl Body for ExpiresAfter {
        fn read(fields: &mut Fields) -> Result<Self> {
            let anchor = fields.word("anchor", &["last_active_at"])?;
            anchor.ok_or_else(|| RequestError::missing(fields.path("anchor")))?;
            let days = fields.whole("days", 1..=365)?;
            days.map(|days| Self(days as u16)).ok_or_else(|| RequestError::missing(fields.path("days")))
        }
    }
    parse_value(value, path).map(|ExpiresAfter(days)| days)
}

fn chunking(fields: &mut Fields) -> Result<Chunking> {
    match fields.take("chunking_strategy") {
        None => Ok(Chunking::Auto),
        Some(value) => parse_value(value, &fields.path("chunking_strategy")),
    }
}

impl Body for Chunking {
    fn read(fields: &mut Fields) -> Result<Self> {
        let kind = fields.word("type", &["auto", "static"])?;
        match kind.ok_or_else(|| RequestError::missing(fields.path("type")))? {
            "auto" => Ok(Self::Auto),
            _ => {
                let StaticChunking(size, overlap) =
                    parse_value(fields.needed("static")?, &fields.path("static"))?;
                Ok(Self::Static { max_chunk_size_tokens: size, chunk_overlap_tokens: overlap })
            }
        }
    }
}

struct StaticChunking(u16, u16);

impl Body for StaticChunking {
    fn read(fields: &mut Fields) -> Result<Self> {
        let mut tokens = |key, limits| {
            let tokens = fields.whole(key, limits)?;
            tokens.ok_or_else(|| RequestError::missing(fields.path(key)))
        };
        let size = tokens("max_chunk_size_tokens", CHUNK_TOKENS)?;
        let overlap = tokens("chunk_overlap_tokens", 0..=size / 2)?;
        Ok(Self(size as u16, overlap as u16))
    }
}

#[cfg(test)]
#[path = "vector_stores_tests.rs"]
mod tests;
