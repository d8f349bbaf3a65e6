//! Vectors, and what indexes have to follow.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use lastro::store::*;

use super::MemoryStore;
use super::state::{Chunk, State};

#[async_trait]
impl Indexing for MemoryStore {
    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>> {
        self.read(|state| {
            let is_meant = |chunk: &Chunk| match document {
                Some(document) => chunk.document == document,
                None => !state.jobs.contains_key(&chunk.document) && state.is_owed_nothing(chunk.document),
            };
            let waiting = state.chunks.iter().filter(|(id, chunk)| {
                **id > after && is_meant(chunk) && !chunk.vectors.contains_key(fingerprint)
            });
            let waiting = waiting.map(|(id, Chunk { document, chunk, .. })| UnembeddedChunk {
                id: *id,
                document: *document,
                headings: chunk.headings.clone(),
                text: chunk.text.clone(),
            });
            Ok(waiting.take(limit).collect())
        })
    }

    async fn vectors_of(&self, documents: Vec<DocumentKey>, fingerprint: &str) -> Result<Vec<u32>> {
        self.read(|state| {
            let has_one = |chunk: &Chunk| chunk.vectors.contains_key(fingerprint);
            let count = |key| state.chunks_of(key).filter(|(_, chunk)| has_one(chunk)).count() as u32;
            Ok(documents.into_iter().map(count).collect())
        })
    }

    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
        self.write(|state| state.commit_vectors(fingerprint, vectors))
    }

    async fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges> {
        self.read(|state| state.chunk_changes(collection, since, most_bytes))
    }

    async fn chunk_revisions(&self) -> Result<Vec<(CollectionId, Revision)>> {
        self.read(|state| {
            let last = |id: &CollectionId| {
                let chunks = state.told(id).into_iter().map(|(_, chunk)| chunk.revision);
                let removals = state.removals.iter().filter(|r| r.collection == *id).map(|r| r.revision);
                Some((id.clone(), chunks.chain(removals).max()?))
            };
            Ok(state.collections.iter().filter_map(|collection| last(&collection.record.id)).collect())
        })
    }

    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges> {
        self.read(|state| state.vector_changes(collection, fingerprint, since, most))
    }

    async fn forget_removals(&self, collection: &CollectionId, until: Revision) -> Result<()> {
        self.write(|state| {
            let is_known = |revision| revision <= until;
            let of_it = state.removals.iter().filter(|removal| removal.collection == *collection);
            let Some(last) = of_it.map(|removal| removal.revision).filter(|r| is_known(*r)).max() else {
                return Ok(());
            };
            state.removals.retain(|removal| removal.collection != *collection || !is_known(removal.revision));
            let record = &mut state.collection_mut(collection)?.record;
            record.removals_since = record.removals_since.max(last);
            Ok(())
        })
    }
}

impl State {
    fn is_owed_nothing(&self, document: DocumentKey) -> bool {
        self.by_key(document).is_ok_and(|document| document.warning.is_none())
    }

    fn commit_vectors(&mut self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
        let (mut revisions, mut documents) = (BTreeMap::new(), BTreeSet::new());
        for (id, vector) in vectors {
            // Those of chunks that were deleted meanwhile are dropped.
            let Some((key, of_chunk)) = self.chunks.get(&id).map(|chunk| (chunk.document, chunk.revision))
            else {
                continue;
            };
            documents.insert(key);
            let collection = self.by_key(key)?.collection.clone();
            let revision = match revisions.get(&collection) {
                // No index is told of the chunk yet, and its vector goes with it.
                _ if of_chunk == 0 => 0,
                Some(revision) => *revision,
                None => *revisions.entry(collection.clone()).or_insert(self.raise_revision(&collection)?),
            };
            if let Some(chunk) = self.chunks.get_mut(&id) {
                chunk.vectors.insert(fingerprint.to_owned(), (revision, vector));
            }
        }
        for (_, job) in self.jobs.iter_mut().filter(|(key, _)| documents.contains(key)) {
            (job.attempts, job.failures) = (0, 0);
        }
        Ok(())
    }

    /// Chunks of a collection that indexes may know, with their ids.
    fn told(&self, collection: &CollectionId) -> Vec<(ChunkId, &Chunk)> {
        let documents: BTreeSet<_> = self.documents_in(collection).map(|document| document.key).collect();
        let of_it = self.chunks.iter().filter(|(_, chunk)| documents.contains(&chunk.document));
        of_it.filter(|(_, chunk)| chunk.revision > 0).map(|(id, chunk)| (*id, chunk)).collect()
    }

    /// Chunks that were removed after a revision and up to another.
    fn removed(&self, collection: &CollectionId, since: Revision, until: Revision) -> Vec<ChunkId> {
        let of_it = self.removals.iter().filter(|removal| removal.collection == *collection);
        let then = of_it.filter(|removal| removal.revision > since && removal.revision <= until);
        then.map(|removal| removal.chunk).collect()
    }

    fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges> {
        let newest = self.collection(collection)?.revision;
        let mark = since.part.unwrap_or((since.revision, ChunkId::MAX));
        let mut told = self.told(collection);
        told.retain(|(id, chunk)| (chunk.revision, *id) > mark);
        told.sort_by_key(|(id, chunk)| (chunk.revision, *id));
        let (mut changes, mut bytes, mut last) = (ChunkChanges::default(), 0, None);
        for (id, Chunk { document, revision, chunk, .. }) in told {
            if bytes >= most_bytes && last.is_some() {
                changes.more = true;
                break;
            }
            bytes += chunk.text.len();
            last = Some((*revision, id));
            let (headings, text) = (chunk.headings.clone(), chunk.text.clone());
            let language = self.by_key(*document)?.language();
            changes.added.push(IndexedChunk { id, document: *document, language, headings, text });
        }
        changes.until = match last {
            // Within a revision only what is before it is told whole.
            Some((revision, _)) if changes.more => {
                ChunkMark { revision: since.revision.max(revision.saturating_sub(1)), part: last }
            }
            _ => ChunkMark::at(newest),
        };
        let until = changes.until.part.map_or(newest, |(revision, _)| revision);
        changes.removed = self.removed(collection, since.revision, until);
        Ok(changes)
    }

    fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges> {
        let newest = self.collection(collection)?.revision;
        let told = self.told(collection).into_iter().filter_map(|(id, chunk)| {
            let (revision, vector) = chunk.vectors.get(fingerprint)?;
            Some((*revision, (id, chunk.document, vector.clone()))).filter(|(revision, _)| *revision > since)
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|(revision, (id, ..))| (*revision, *id));
        // The revision with which there are enough, told whole.
        let revision = told.get(most.saturating_sub(1)).map_or(newest, |(revision, _)| *revision);
        told.retain(|(of_vector, _)| *of_vector <= revision);
        Ok(VectorChanges {
            revision,
            removed: self.removed(collection, since, revision),
            added: told.into_iter().map(|(_, vector)| vector).collect(),
        })
    }
}
