//! What a store holds, and how parts of it are looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use lastro::store::*;
use lastro::system::random_hex;

/// All that is kept. A lookup goes through a whole list.
#[derive(Clone, Default)]
pub struct State {
    pub is_closed: bool,
    /// The last number that was given to a collection, a file or a document.
    last_number: i64,
    /// The last chunk's id.
    last_chunk: ChunkId,
    /// The revision of collections and keys.
    pub catalog: CatalogRevision,
    /// Oldest first, as the lists below.
    pub collections: Vec<Collection>,
    pub removed_collections: Vec<(CatalogRevision, CollectionId)>,
    pub files: Vec<File>,
    pub documents: Vec<Document>,
    pub chunks: BTreeMap<ChunkId, Chunk>,
    pub removals: Vec<Removal>,
    pub jobs: BTreeMap<DocumentKey, Work>,
    pub batches: Vec<Batch>,
    pub keys: Vec<Key>,
    pub departed: Vec<Departed>,
}

/// A collection, and at which revision of the catalog it was changed last.
#[derive(Clone)]
pub struct Collection {
    pub record: CollectionRecord,
    pub changed: CatalogRevision,
}

/// A key, and at which revision of the catalog it was changed last.
#[derive(Clone)]
pub struct Key {
    pub record: KeyRecord,
    pub changed: CatalogRevision,
}

/// A file with its place in the list. One that does not stand alone goes with its last document.
#[derive(Clone)]
pub struct File {
    pub number: i64,
    pub record: FileRecord,
    pub stands_alone: bool,
}

/// A document. Its record is made of this, its file and its chunks.
#[derive(Clone)]
pub struct Document {
    pub key: DocumentKey,
    pub collection: CollectionId,
    pub file: FileId,
    pub status: Status,
    pub failure: Option<Failure>,
    pub warning: Option<Warning>,
    pub attributes: String,
    pub chunking: Option<ChunkSizes>,
    pub owner: Option<String>,
    pub created_at: i64,
    /// A version that is out of sight until it is complete.
    pub waits: bool,
    pub language: Option<String>,
    pub pages: Option<u32>,
    pub outline: Outline,
    pub prompt_tokens: Option<u64>,
}

impl Document {
    pub fn language(&self) -> Option<String> {
        language_of(&self.attributes, self.language.clone())
    }
}

/// A piece of a document. Revision 0 is that of a version that waits: no index is told of it.
#[derive(Clone)]
pub struct Chunk {
    pub document: DocumentKey,
    pub revision: Revision,
    pub chunk: NewChunk,
    /// By fingerprint, each with the revision at which it came.
    pub vectors: BTreeMap<String, (Revision, Vec<f32>)>,
}

/// A chunk that indexes are to forget.
#[derive(Clone)]
pub struct Removal {
    pub collection: CollectionId,
    pub revision: Revision,
    pub chunk: ChunkId,
}

/// The job of a document.
#[derive(Clone)]
pub struct Work {
    pub stage: Stage,
    pub attempts: u32,
    pub failures: u32,
    pub not_before: Instant,
    /// A completed document waits for its vectors.
    pub is_owed: bool,
    /// Whose it is, and until when nobody else may take it.
    pub taken: Option<(String, Instant)>,
}

/// Documents that were attached together.
#[derive(Clone)]
pub struct Batch {
    pub id: BatchId,
    pub collection: CollectionId,
    pub created_at: i64,
    pub is_cancelled: bool,
    pub documents: BTreeSet<DocumentKey>,
}

/// A list that elements leave.
#[derive(Clone, PartialEq, Eq)]
pub enum List {
    Collections,
    Files,
    DocumentsOf(CollectionId),
}

/// What left a list keeps its place for whoever saw it there.
#[derive(Clone)]
pub struct Departed {
    pub list: List,
    pub id: String,
    /// A key, a collection or a batch through which it was seen; `None` for who sees the whole list.
    pub viewer: Option<String>,
    pub place: i64,
}

/// A public id of 24 hexadecimal digits.
pub fn fresh_id(prefix: &str) -> Result<String> {
    let digits = random_hex(12).map_err(|error| StoreError::Worker(error.to_string()))?;
    Ok(format!("{prefix}{digits}"))
}

impl State {
    /// A number above all that were given before.
    pub fn next_number(&mut self) -> i64 {
        self.last_number += 1;
        self.last_number
    }

    /// An id above all that were given before.
    pub fn next_chunk(&mut self) -> ChunkId {
        self.last_chunk += 1;
        self.last_chunk
    }

    /// Raises the revision of collections and keys.
    pub fn raise_catalog(&mut self) -> CatalogRevision {
        self.catalog += 1;
        self.catalog
    }

    /// Raises the revision of a collection's chunks and vectors.
    pub fn raise_revision(&mut self, id: &CollectionId) -> Result<Revision> {
        let collection = self.collection_mut(id)?;
        collection.record.revision += 1;
        Ok(collection.record.revision)
    }

    pub fn collection(&self, id: &CollectionId) -> Result<&CollectionRecord> {
        let found = self.collections.iter().find(|collection| collection.record.id == *id);
        found.map(|collection| &collection.record).ok_or(StoreError::NotFound("collection"))
    }

    pub fn collection_mut(&mut self, id: &CollectionId) -> Result<&mut Collection> {
        let found = self.collections.iter_mut().find(|collection| collection.record.id == *id);
        found.ok_or(StoreError::NotFound("collection"))
    }

    pub fn file_of(&self, id: &FileId) -> Result<&File> {
        let found = self.files.iter().find(|file| file.record.id == *id);
        found.ok_or_else(|| StoreError::UnknownFile(id.0.clone()))
    }

    pub fn by_key(&self, key: DocumentKey) -> Result<&Document> {
        let found = self.documents.iter().find(|document| document.key == key);
        found.ok_or(StoreError::NotFound("document"))
    }

    pub fn by_key_mut(&mut self, key: DocumentKey) -> Result<&mut Document> {
        let found = self.documents.iter_mut().find(|document| document.key == key);
        found.ok_or(StoreError::NotFound("document"))
    }

    /// Documents of a collection, oldest first.
    pub fn documents_in(&self, collection: &CollectionId) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.collection == *collection)
    }

    /// The chunks of a document with their ids, in that order.
    pub fn chunks_of(&self, document: DocumentKey) -> impl Iterator<Item = (ChunkId, &Chunk)> {
        self.chunks
            .iter()
            .filter(move |(_, chunk)| chunk.document == document)
            .map(|(id, chunk)| (*id, chunk))
    }

    /// Bytes of a document's text, without what its chunks repeat of each other.
    pub fn text_bytes(&self, document: DocumentKey) -> u64 {
        self.chunks_of(document).map(|(_, chunk)| chunk.chunk.end).max().unwrap_or(0)
    }

    /// Numbers and ids of what may be removed.
    pub fn holdings(&self) -> BTreeSet<(&'static str, u64)> {
        let numbers = |kind, numbers: &mut dyn Iterator<Item = i64>| {
            numbers.map(|number| (kind, number.unsigned_abs())).collect::<Vec<_>>()
        };
        let mut all: BTreeSet<_> = self.chunks.keys().map(|id| ("chunk", *id)).collect();
        all.extend(numbers("file", &mut self.files.iter().map(|file| file.number)));
        all.extend(numbers("document", &mut self.documents.iter().map(|document| document.key)));
        all
    }
}
