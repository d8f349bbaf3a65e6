//! Calls of [`Passages`].

use std::time::Instant;

use async_trait::async_trait;

use crate::store::sqlite::{SqliteStore, passages};
use crate::store::*;

#[async_trait]
impl Passages for SqliteStore {
    async fn read_chunks(
        &self,
        collection: &CollectionId,
        ids: &[ChunkId],
        deadline: Instant,
    ) -> Result<Vec<ChunkRecord>> {
        let (collection, ids) = (collection.clone(), ids.to_vec());
        self.read_before(deadline, move |t| passages::by_id(t, &collection, &ids)).await
    }

    async fn whole_documents(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<ChunkRecord>>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| passages::whole(t, &collection, documents.as_deref(), max_bytes))
            .await
    }

    async fn whole_sizes(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        most: u64,
        bytes_per_token: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<WholeSize>>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| {
            passages::sizes(t, &collection, documents.as_deref(), most, bytes_per_token)
        })
        .await
    }

    async fn note_whole_size(&self, document: DocumentKey, tokens: u64) -> Result<()> {
        self.write(move |t, _| passages::note_size(t, document, tokens)).await
    }

    async fn outlines(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<OutlineRecord>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| passages::outlines(t, &collection, documents.as_deref(), limit))
            .await
    }
}
