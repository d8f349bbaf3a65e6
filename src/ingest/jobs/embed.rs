//! The second stage: vectors for what has none.

use std::sync::atomic::Ordering::Relaxed;

use super::{JobError, failure};
use crate::collection::with_headings;
use crate::embed::{EmbedError, Embeddings, ModelInfo};
use crate::ingest::{Ingest, PAUSE_AFTER_ERROR};
use crate::store::{DocumentKey, Job, StoreError};

/// Chunks embedded between two commits: what a crash can cost of work.
const EMBEDDED_AT_ONCE: usize = 64;

impl Ingest {
    pub(super) async fn embed(&self, job: &Job) -> Result<(), JobError> {
        let (store, document) = (self.catalog.store(), &job.document);
        if let (Some(model), Some(embeddings)) = (self.model().await, &self.embeddings) {
            let embedded = self.embed_missing(embeddings, &model, Some(document.key)).await;
            embedded.map_err(|error| match error {
                EmbedOrStore::Embed(error) => {
                    tracing::error!(%error, document = document.id.0, "embedding failed");
                    failure(
                        "embedding_failed",
                        "The embedding model could not process this document; the server's log has the cause.",
                    )
                }
                EmbedOrStore::Store(error) => error.into(),
            })?;
        }
        // Completed means found.
        self.sync(job).await?;
        store.complete_document(document.key).await?;
        self.completed.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Embeds what has no vector of this model: of one document, or of all. Returns how many chunks that were.
    async fn embed_missing(
        &self,
        embeddings: &Embeddings,
        model: &ModelInfo,
        document: Option<DocumentKey>,
    ) -> Result<usize, EmbedOrStore> {
        let store = self.catalog.store();
        let (mut after, mut embedded) = (0, 0);
        loop {
            let chunks = store
                .chunks_without_vector(&model.fingerprint, document, after, EMBEDDED_AT_ONCE)
                .await
                .map_err(EmbedOrStore::Store)?;
            let Some(last) = chunks.last() else { return Ok(embedded) };
            (after, embedded) = (last.id, embedded + chunks.len());
            let texts = chunks.iter().map(|c| with_headings(&c.headings, &c.text)).collect();
            let vectors = embeddings.embed_passages(texts).await.map_err(EmbedOrStore::Embed)?;
            let vectors = chunks.iter().map(|c| c.id).zip(vectors).collect();
            store.commit_vectors(&model.fingerprint, vectors).await.map_err(EmbedOrStore::Store)?;
        }
    }

    /// Embeds documents from before the model was configured. Then dense search is complete.
    pub(in crate::ingest) async fn embed_the_rest(&self) {
        let (Some(model), Some(embeddings)) = (self.model().await, &self.embeddings) else { return };
        self.catalog.sync_all().await;
        loop {
            match self.embed_missing(embeddings, &model, None).await {
                Ok(0) => {}
                Ok(chunks) => {
                    tracing::info!(chunks, model = model.name, "embedded what had no vector of this model");
                    self.catalog.sync_all().await;
                }
                Err(EmbedOrStore::Store(error)) => {
                    tracing::error!(%error, "passages without a vector wait for the store");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "passages without a vector stay so until the next start");
                }
            }
            return;
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum EmbedOrStore {
    #[error(transparent)]
    Embed(EmbedError),
    #[error(transparent)]
    Store(StoreError),
}
