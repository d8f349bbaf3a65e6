//! What an index has to take over after a revision.

use super::{ChunkId, DocumentKey, Revision};

/// Chunks that came and went after a revision.
#[derive(Clone, Debug, Default)]
pub struct ChunkChanges {
    /// Where an index stands that applied all of these.
    pub revision: Revision,
    pub removed: Vec<ChunkId>,
    pub added: Vec<IndexedChunk>,
}

/// What a lexical index needs of a chunk.
#[derive(Clone, Debug)]
pub struct IndexedChunk {
    pub id: ChunkId,
    pub document: DocumentKey,
    pub headings: Vec<String>,
    pub text: String,
}

/// Vectors that came and went after a revision.
#[derive(Clone, Debug, Default)]
pub struct VectorChanges {
    /// Where an index stands that applied all of these.
    pub revision: Revision,
    pub removed: Vec<ChunkId>,
    pub added: Vec<(ChunkId, DocumentKey, Vec<f32>)>,
}
