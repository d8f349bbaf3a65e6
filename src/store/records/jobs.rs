//! Work on documents, and what it reads from them.

use super::{ChunkSizes, DocumentRecord, NewChunk, Outline};

/// What is to be done next with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Read the original and cut it into chunks.
    Extract,
    /// Compute the vectors that are missing: of a document that is found by its words already, or is even completed.
    Embed,
}

/// Work on one document that survives a restart.
#[derive(Clone, Debug)]
pub struct Job {
    pub document: DocumentRecord,
    pub stage: Stage,
    /// Attempts since something was last committed, this one included; those that were given back or postponed are not
    /// counted. More than a few mean that the process did not survive them.
    pub attempts: u32,
    /// How often in a row it was postponed.
    pub failures: u32,
}

/// What was read from a document.
#[derive(Clone, Debug, Default)]
pub struct ReadDocument {
    pub chunks: Vec<NewChunk>,
    /// The sizes that the document said when it was begun with: others may be wanted by now.
    pub chunking: Option<ChunkSizes>,
    pub outline: Outline,
    pub language: Option<String>,
    pub pages: Option<u32>,
    /// Tokens of a prompt that its text takes as a whole, by an upper estimate; `None` if nobody counted.
    pub prompt_tokens: Option<u64>,
}
