//! What is done at a start, after removals, now and then, and at the end.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lastro::store::*;
use lastro::system::now;

use super::MemoryStore;
use super::state::State;

/// Seconds for which batches that are done are known.
const BATCHES_KEPT: i64 = 30 * 86_400;

#[async_trait]
impl Housekeeping for MemoryStore {
    async fn check_writable(&self) -> Result<()> {
        self.blobs().check_writable().await
    }

    async fn expired(&self) -> Result<Expired> {
        self.read(|state| Ok(state.expired()))
    }

    async fn sweep(&self, before: SystemTime, kept: Duration) -> Result<Swept> {
        let mut swept = self.read(|state| {
            let (named, there) = (state.originals(), self.blobs().all()?);
            let is_there = |sha256: &String| there.iter().any(|original| original.sha256 == *sha256);
            let missing = named.iter().filter(|sha256| !is_there(sha256)).count();
            let mut swept = Swept { missing, ..Swept::default() };
            let unnamed = there.iter().filter(|o| !named.contains(&o.sha256) && o.modified < before);
            for original in unnamed {
                if self.is_alone {
                    self.blobs().discard(&original.sha256)?;
                    swept.discarded += 1;
                } else {
                    swept.unknown += 1;
                }
            }
            Ok(swept)
        })?;
        swept.emptied = self.blobs().empty_trash(kept).await?;
        Ok(swept)
    }

    async fn removed(&self) {
        self.removed.notified().await;
    }

    /// Nothing is in files but the originals.
    async fn tidy(&self) -> Result<bool> {
        Ok(true)
    }

    async fn forget_old(&self) -> Result<()> {
        let before = now() - BATCHES_KEPT;
        self.write(|state| {
            let is_done = |key: &DocumentKey| {
                state.documents.iter().all(|d| d.key != *key || d.status != Status::InProgress)
            };
            state.batches.retain(|batch| batch.created_at >= before || !batch.documents.iter().all(is_done));
            Ok(())
        })
    }

    async fn forget_vectors_but(&self, fingerprint: &str) -> Result<usize> {
        self.write(|state| {
            let ids: Vec<_> =
                state.collections.iter().map(|collection| collection.record.id.clone()).collect();
            Ok(ids.iter().map(|id| state.forget_vectors(id, fingerprint)).sum())
        })
    }

    async fn close(&self) -> Result<()> {
        self.write(|state| {
            state.is_closed = true;
            Ok(())
        })
    }
}

impl State {
    fn expired(&self) -> Expired {
        let is_over = |collection: &CollectionRecord| {
            let days = collection.expires_days.filter(|_| !collection.expired);
            days.is_some_and(|days| collection.last_active_at + i64::from(days) * 86_400 <= now())
        };
        let files = self.files.iter().filter(|file| !file.is_alive());
        let collections = self.collections.iter().map(|collection| &collection.record);
        Expired {
            files: files.map(|file| file.record.id.clone()).collect(),
            collections: collections.filter(|record| is_over(record)).map(|r| r.id.clone()).collect(),
        }
    }

    /// Removes vectors of other fingerprints from a collection where every chunk has one of this. Says how many.
    fn forget_vectors(&mut self, collection: &CollectionId, kept: &str) -> usize {
        let documents: Vec<DocumentKey> =
            self.documents_in(collection).map(|document| document.key).collect();
        let mut chunks: Vec<_> =
            self.chunks.values_mut().filter(|chunk| documents.contains(&chunk.document)).collect();
        if !chunks.iter().all(|chunk| chunk.vectors.contains_key(kept)) {
            return 0;
        }
        let forget = |chunk: &mut &mut super::state::Chunk| {
            let before = chunk.vectors.len();
            chunk.vectors.retain(|fingerprint, _| fingerprint == kept);
            before - chunk.vectors.len()
        };
        chunks.iter_mut().map(forget).sum()
    }
}
