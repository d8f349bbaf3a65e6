//! What documents are about.

use serde::{Deserialize, Serialize};

use super::{DocumentId, DocumentKey};

/// What a document is about, for questions about it as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    pub title: Option<String>,
    pub opening: String,
    pub headings: Vec<OutlineHeading>,
}

/// One heading of an outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlineHeading {
    /// From 1.
    pub level: u8,
    pub text: String,
    pub page: Option<u32>,
}

/// An outline with what a reader needs of its document.
#[derive(Clone, Debug)]
pub struct OutlineRecord {
    pub document: DocumentKey,
    pub document_id: DocumentId,
    pub filename: String,
    /// JSON object of the client's own.
    pub attributes: String,
    pub outline: Outline,
}
