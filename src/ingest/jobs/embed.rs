//! The second stage: vectors for what has none.
//!
//! A document whose vectors cannot be computed is completed all the same: its words find it. It says so in a warning, and
//! is owed the vectors, which are tried again later.

use std::time::Duration;

use super::settle::Settlement;
use super::trouble::Trouble;
use super::{JobError, PAUSE_AFTER_ERROR};
use crate::collection::with_headings;
use crate::embed::{EmbedError, Embeddings, ModelInfo};
use crate::ingest::Ingest;
use crate::store::{DocumentKey, Job, StoreError, UnembeddedChunk, Warning};

/// Chunks embedded between two commits: what a crash can cost of work.
const EMBEDDED_AT_ONCE: usize = 64;
/// A document whose embedding takes the process down this often without anything committed is left to its words.
const MOST_ATTEMPTS: u32 = 3;

/// Says that vectors are owed.
pub(super) fn not_all_vectors() -> Warning {
    Warning {
        code: Warning::EMBEDDING_FAILED.to_owned(),
        message: "Some passages have no vector: the embedding model, or the store behind it, failed on them, and the server's log has the cause. They are found by their words. The vectors are tried again by themselves, or at once when the document is tried again.".to_owned(),
    }
}

fn stopped_the_server() -> Warning {
    Warning {
        code: Warning::EMBEDDING_CRASHED.to_owned(),
        message: "Some passages have no vector: the server stopped several times while it computed them. They are found by their words. The vectors are tried a few times more after growing pauses, or at once when the document is tried again.".to_owned(),
    }
}

/// What was embedded of some chunks.
struct Embedded {
    chunks: usize,
    /// The documents of those that could not be.
    failed: Vec<DocumentKey>,
}

impl Ingest {
    pub(super) async fn embed(&self, job: &Job) -> Result<(), JobError> {
        let document = &job.document;
        let warning = match (self.model().await, &self.embeddings) {
            (Some(_), Some(_)) if job.attempts > MOST_ATTEMPTS => Some(stopped_the_server()),
            (Some(model), Some(embeddings)) => {
                match self.embed_missing(embeddings, &model, Some(document.key)).await {
                    Ok(embedded) => (!embedded.failed.is_empty()).then(not_all_vectors),
                    Err(EmbedOrStore::Store(error)) => return Err(error.into()),
                    Err(EmbedOrStore::Model(error)) => {
                        tracing::error!(%error, document = document.id.0, "the embedding model does not work");
                        Some(not_all_vectors())
                    }
                }
            }
            // Without a model there are no vectors that could be missed.
            _ => None,
        };
        // A new version is told to the indexes while the one before still answers.
        if document.replaces.is_some() {
            self.catalog.store().publish_document(document.key).await?;
            if let Some(collection) = self.catalog.by_id(&document.collection) {
                self.catalog.sync(&collection).await.map_err(Trouble::Storage)?;
            }
        }
        // Completed means found, unless the index lags, which the status says.
        self.sync(&document.collection).await;
        let again = warning.as_ref().and(self.settings.pauses.get(job.failures as usize)).copied();
        self.settle(document, Settlement::Completed(warning, again)).await;
        Ok(())
    }

    /// Embeds what has no vector of this model: of one document, or of all. A text that fails is passed over; a model that
    /// fails on all texts is an error.
    async fn embed_missing(
        &self,
        embeddings: &Embeddings,
        model: &ModelInfo,
        document: Option<DocumentKey>,
    ) -> Result<Embedded, EmbedOrStore> {
        let store = self.catalog.store();
        let mut after = 0;
        let mut all = Embedded { chunks: 0, failed: Vec::new() };
        loop {
            let chunks =
                store.chunks_without_vector(&model.fingerprint, document, after, EMBEDDED_AT_ONCE).await?;
            let Some(last) = chunks.last() else { return Ok(all) };
            after = last.id;
            let Embedded { chunks, failed } = self.embed_chunks(embeddings, model, &chunks).await?;
            all.chunks += chunks;
            if document.is_none() && !failed.is_empty() {
                let pause = self.settings.pauses.first().copied().unwrap_or(PAUSE_AFTER_ERROR);
                store.owe_vectors(failed, not_all_vectors(), pause).await?;
                self.wake.notify_one();
            } else {
                all.failed.extend(failed);
            }
        }
    }

    async fn embed_chunks(
        &self,
        embeddings: &Embeddings,
        model: &ModelInfo,
        chunks: &[UnembeddedChunk],
    ) -> Result<Embedded, EmbedOrStore> {
        let texts = chunks.iter().map(|chunk| with_headings(&chunk.headings, &chunk.text)).collect();
        let (mut vectors, mut failed) = (Vec::with_capacity(chunks.len()), Vec::new());
        for (chunk, vector) in chunks.iter().zip(embeddings.embed_passages(texts).await?) {
            match vector {
                Ok(vector) => vectors.push((chunk.id, vector)),
                Err(error) => {
                    if failed.last() != Some(&chunk.document) {
                        tracing::warn!(%error, chunk = chunk.id, "a passage could not be embedded");
                        failed.push(chunk.document);
                    }
                }
            }
        }
        if vectors.is_empty() {
            // The texts, or the model?
            embeddings.check().await?;
        }
        let chunks = vectors.len();
        self.catalog.store().commit_vectors(&model.fingerprint, vectors).await?;
        Ok(Embedded { chunks, failed })
    }

    /// Embeds documents from before the model was configured. Then dense search is complete.
    pub(in crate::ingest) async fn embed_the_rest(&self) {
        let (Some(model), Some(embeddings)) = (self.model().await, &self.embeddings) else { return };
        self.catalog.sync_open().await;
        let refill = self.catalog.refill();
        let mut pauses = self.settings.pauses.iter();
        let mut pause = Duration::ZERO;
        loop {
            match self.embed_missing(embeddings, &model, None).await {
                Ok(Embedded { chunks: 0, .. }) => return,
                Ok(Embedded { chunks, .. }) => {
                    tracing::info!(chunks, model = model.name, "embedded what had no vector of this model");
                    drop(refill);
                    return self.catalog.sync_open().await;
                }
                Err(error) => {
                    pause = pauses.next().copied().unwrap_or(pause).max(Duration::from_millis(1));
                    tracing::error!(%error, ?pause, "passages without a vector wait");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum EmbedOrStore {
    #[error(transparent)]
    Model(#[from] EmbedError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
