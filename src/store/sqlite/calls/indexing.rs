//! Calls of [`Indexing`].

use async_trait::async_trait;
use rusqlite::Transaction;

use crate::store::sqlite::{SqliteStore, changes};
use crate::store::*;

/// Removals that are forgotten in one transaction, about.
const REMOVALS_AT_ONCE: usize = 5_000;

#[async_trait]
impl Indexing for SqliteStore {
    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |t| changes::without_vector(t, &fingerprint, document, after, limit)).await
    }

    async fn vectors_of(&self, documents: Vec<DocumentKey>, fingerprint: &str) -> Result<Vec<u32>> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |t| changes::vectors_of(t, &documents, &fingerprint)).await
    }

    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
        let fingerprint = fingerprint.to_owned();
        self.write(move |t, _| changes::commit_vectors(t, &fingerprint, &vectors)).await
    }

    async fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges> {
        let collection = collection.clone();
        self.read(move |t| changes::of_chunks(t, &collection, since, most_bytes)).await
    }

    async fn chunk_revisions(&self) -> Result<Vec<(CollectionId, Revision)>> {
        self.read(changes::chunk_revisions).await
    }

    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges> {
        let (collection, fingerprint) = (collection.clone(), fingerprint.to_owned());
        self.read(move |t| changes::of_vectors(t, &collection, &fingerprint, since, most)).await
    }

    async fn forget_removals(&self, collection: &CollectionId, until: Revision) -> Result<()> {
        // Most often there is nothing, and nobody who writes is to wait for that.
        let asked = collection.clone();
        if !self.read(move |t| changes::are_removals(t, &asked, until)).await? {
            return Ok(());
        }
        loop {
            let collection = collection.clone();
            let some = move |t: &Transaction<'_>| {
                changes::forget_some_removals(t, &collection, until, REMOVALS_AT_ONCE)
            };
            if !self.write(move |t, _| some(t)).await? {
                return Ok(());
            }
        }
    }
}
