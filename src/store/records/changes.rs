//! What an index has to take over after a revision.

use super::{ChunkId, DocumentKey, Revision};

/// How far a reader of a collection's chunks has come. A revision can be one huge document, so it may stand within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkMark {
    /// All changes up to this revision were told.
    pub revision: Revision,
    /// And of the revisions after it the chunks up to this one, in the order of revisions and ids.
    pub part: Option<(Revision, ChunkId)>,
}

impl ChunkMark {
    /// Behind all changes of a revision.
    pub fn at(revision: Revision) -> Self {
        Self { revision, part: None }
    }
}

/// Chunks that came and went after a mark: all, or a part in order.
#[derive(Clone, Debug, Default)]
pub struct ChunkChanges {
    /// Where an index stands that applied these.
    pub until: ChunkMark,
    pub removed: Vec<ChunkId>,
    pub added: Vec<IndexedChunk>,
    /// Whether there is more to tell.
    pub more: bool,
}

/// What a lexical index needs of a chunk.
#[derive(Clone, Debug)]
pub struct IndexedChunk {
    pub id: ChunkId,
    pub document: DocumentKey,
    /// Of the document, where it is known.
    pub language: Option<String>,
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
