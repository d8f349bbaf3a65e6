//! Pieces of documents with their places.

use super::{ChunkId, DocumentId, DocumentKey};

/// A chunk to be stored: a piece of a document with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChunk {
    pub text: String,
    /// First and last page, from 1.
    pub page: Option<u32>,
    pub last_page: Option<u32>,
    /// From the document's title down to the nearest heading.
    pub headings: Vec<String>,
    /// Byte range in the document's text; neighbours may overlap.
    pub start: u64,
    pub end: u64,
    /// In tokens of the embedding model.
    pub tokens: u32,
}

impl NewChunk {
    /// The text behind this offset of the document: what a chunk before it, which ends there, does not hold already.
    pub fn text_after(&self, end: u64) -> &str {
        let repeated = end.saturating_sub(self.start);
        // Offsets that do not fit the text would be a damaged record: then all of it is new.
        usize::try_from(repeated).ok().and_then(|at| self.text.get(at..)).unwrap_or(&self.text)
    }
}

/// A chunk as it is stored, with what a reader needs of its document.
#[derive(Clone, Debug)]
pub struct ChunkRecord {
    pub id: ChunkId,
    pub document: DocumentKey,
    pub document_id: DocumentId,
    pub filename: String,
    /// JSON object of the client's own.
    pub attributes: String,
    pub chunk: NewChunk,
}

/// A chunk that waits for its vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnembeddedChunk {
    pub id: ChunkId,
    pub document: DocumentKey,
    pub headings: Vec<String>,
    pub text: String,
}
