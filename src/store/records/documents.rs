//! A document: a file in a collection, and where it stands.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{BatchId, CollectionId, DocumentId, DocumentKey, Quotas};
use crate::store::StagedBlob;

/// A document to be added.
#[derive(Debug)]
pub struct NewDocument {
    pub collection: CollectionId,
    pub filename: String,
    pub blob: StagedBlob,
    pub owner: Option<String>,
    pub quotas: Quotas,
    pub on_conflict: OnConflict,
}

/// What becomes of the documents that have the name of a new one with other bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// They answer until the new one is complete, and go in that commit.
    #[default]
    Replace,
    /// They stay beside it.
    Keep,
}

/// The outcome of adding a document.
#[derive(Clone, Debug)]
pub struct AddedDocument {
    pub document: DocumentRecord,
    /// False when the collection held the same bytes already.
    pub created: bool,
    /// Whether earlier versions went at once: such as waited, or had failed.
    pub superseded: bool,
}

/// A document's name as it is compared: some systems write a letter and its accent apart.
pub fn compared_name(name: &str) -> String {
    name.nfc().collect()
}

/// A document's language: the one that its attributes name as `language`, in two letters or as in `pt-BR`, else the one
/// that was detected.
pub fn language_of(attributes: &str, detected: Option<String>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        language: serde_json::Value,
    }
    let named = serde_json::from_str::<Named>(attributes).ok();
    let code = named.and_then(|named| {
        let name = named.language.as_str()?.to_ascii_lowercase();
        let code = name.split(['-', '_']).next()?;
        (code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase())).then(|| code.to_owned())
    });
    code.or(detected)
}

/// Where a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    /// All of them, in the order of a document's life.
    pub const ALL: [Self; 4] = [Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled];

    /// The status in one word, as it is stored and sent to clients.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A word that names no [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the status of a document")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or(UnknownStatus)
    }
}

/// Why a document failed: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// What is amiss with a document that is completed all the same: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: String,
    pub message: String,
}

impl Warning {
    /// Code where the model could not compute all vectors.
    pub const EMBEDDING_FAILED: &str = "embedding_failed";
    /// Code where the process did not survive computing them.
    pub const EMBEDDING_CRASHED: &str = "embedding_crashed";
}

/// A document as it is stored.
#[derive(Clone, Debug)]
pub struct DocumentRecord {
    pub key: DocumentKey,
    pub id: DocumentId,
    pub collection: CollectionId,
    pub filename: String,
    pub sha256: String,
    pub bytes: u64,
    pub status: Status,
    pub failure: Option<Failure>,
    pub warning: Option<Warning>,
    /// By [`language_of`].
    pub language: Option<String>,
    pub pages: Option<u32>,
    pub chunks: u32,
    /// JSON object of the client's own.
    pub attributes: String,
    /// `None` for the server's own sizes.
    pub chunking: Option<ChunkSizes>,
    pub owner: Option<String>,
    /// The document that answers in its place until this one is complete: an earlier one of the same name.
    pub replaces: Option<DocumentId>,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// What a document takes of a prompt as a whole, in tokens; `None` if nobody counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeSize {
    pub document: DocumentKey,
    pub tokens: Option<u64>,
}

/// How many documents of a collection stand where, with their bytes and chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DocumentCounts {
    pub in_progress: u32,
    pub completed: u32,
    pub failed: u32,
    pub cancelled: u32,
    pub bytes: u64,
    /// Of all of them, and of versions that wait.
    pub chunks: u64,
}

impl DocumentCounts {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.in_progress + self.completed + self.failed + self.cancelled
    }
}

/// Which documents of a collection.
#[derive(Clone, Debug, Default)]
pub struct DocumentFilter {
    pub status: Option<Status>,
    pub batch: Option<BatchId>,
}

/// Sizes of chunks that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSizes {
    pub max_tokens: u32,
    pub overlap_tokens: u32,
}
