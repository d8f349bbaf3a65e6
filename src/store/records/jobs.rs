//! Work on documents, and what it reads from them.

use super::{DocumentRecord, NewChunk, Outline};

/// What is to be done next with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Read the original and cut it into chunks.
    Extract,
    /// Compute the vectors that are missing, and bring the indexes up to the store.
    Embed,
}

/// Work on one document that survives a restart.
#[derive(Clone, Debug)]
pub struct Job {
    pub document: DocumentRecord,
    pub stage: Stage,
    /// Attempts at this stage, this one included.
    pub attempts: u32,
}

/// What was read from a document.
#[derive(Clone, Debug, Default)]
pub struct ReadDocument {
    pub chunks: Vec<NewChunk>,
    pub outline: Outline,
    pub language: Option<String>,
    pub pages: Option<u32>,
}
