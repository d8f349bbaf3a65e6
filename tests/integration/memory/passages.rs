//! What was read from documents, for readers. A version that waits is out of their sight.

use std::time::Instant;

use async_trait::async_trait;
use lastro::store::*;

use super::MemoryStore;
use super::state::{Chunk, Document, State};

#[async_trait]
impl Passages for MemoryStore {
    async fn read_chunks(
        &self,
        collection: &CollectionId,
        ids: &[ChunkId],
        deadline: Instant,
    ) -> Result<Vec<ChunkRecord>> {
        self.read_before(deadline, |state| {
            let chunks = ids.iter().filter_map(|id| Some((*id, state.chunks.get(id)?)));
            let seen = chunks.filter_map(|(id, chunk)| {
                let document = state.seen(collection, None).find(|one| one.key == chunk.document)?;
                Some(state.chunk_record(document, (id, chunk)))
            });
            seen.collect()
        })
    }

    async fn whole_documents(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<ChunkRecord>>> {
        self.read_before(deadline, |state| {
            let bytes = state.seen(collection, documents).map(|document| state.text_bytes(document.key));
            if bytes.sum::<u64>() > max_bytes as u64 {
                return Ok(None);
            }
            let mut whole = Vec::new();
            for document in state.seen(collection, documents) {
                let mut chunks: Vec<_> = state.chunks_of(document.key).collect();
                chunks.sort_by_key(|(id, chunk)| (chunk.chunk.start, *id));
                for chunk in chunks {
                    whole.push(state.chunk_record(document, chunk)?);
                }
            }
            Ok(Some(whole))
        })
    }

    async fn whole_sizes(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        most: u64,
        bytes_per_token: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<WholeSize>>> {
        self.read_before(deadline, |state| {
            let (mut sizes, mut sum) = (Vec::new(), 0);
            for Document { key, prompt_tokens, .. } in state.seen(collection, documents) {
                let bytes = state.text_bytes(*key);
                if bytes > 0 {
                    sum += prompt_tokens.unwrap_or(bytes / bytes_per_token.max(1));
                    sizes.push(WholeSize { document: *key, tokens: *prompt_tokens });
                }
            }
            Ok(Some(sizes).filter(|_| sum <= most))
        })
    }

    async fn note_whole_size(&self, document: DocumentKey, tokens: u64) -> Result<()> {
        self.write(|state| {
            if let Ok(document) = state.by_key_mut(document) {
                document.prompt_tokens = document.prompt_tokens.or(Some(tokens));
            }
            Ok(())
        })
    }

    async fn outlines(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<OutlineRecord>> {
        self.read_before(deadline, |state| {
            let seen = state.seen(collection, documents);
            let outlined = seen.filter(|document| state.chunks_of(document.key).next().is_some());
            let outline = |document: &Document| {
                let file = state.file_of(&document.file)?;
                Ok(OutlineRecord {
                    document: document.key,
                    document_id: DocumentId(document.file.0.clone()),
                    filename: file.record.filename.clone(),
                    attributes: document.attributes.clone(),
                    outline: document.outline.clone(),
                })
            };
            outlined.take(limit).map(outline).collect()
        })
    }
}

impl State {
    /// Documents that readers see: these, or all of a collection.
    fn seen(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
    ) -> impl Iterator<Item = &Document> {
        self.documents_in(collection).filter(move |document| {
            !document.waits && documents.is_none_or(|documents| documents.contains(&document.key))
        })
    }

    fn chunk_record(&self, document: &Document, (id, chunk): (ChunkId, &Chunk)) -> Result<ChunkRecord> {
        Ok(ChunkRecord {
            id,
            document: document.key,
            document_id: DocumentId(document.file.0.clone()),
            filename: self.file_of(&document.file)?.record.filename.clone(),
            attributes: document.attributes.clone(),
            chunk: chunk.chunk.clone(),
        })
    }
}
