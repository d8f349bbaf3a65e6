//! The workers: one job after the other, from the store and back into it.

mod embed;
mod extract;
mod language;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Ingest, PAUSE_AFTER_ERROR};
use crate::collection::CollectionError;
use crate::embed::ModelInfo;
use crate::store::{Failure, Job, Stage, StoreError};

pub use extract::CHUNK_SIZES;

/// A document that takes the process down this often is given up.
const MOST_ATTEMPTS: u32 = 3;

/// Why a job could not be finished.
#[derive(Debug, thiserror::Error)]
enum JobError {
    /// The document is at fault: it fails with this.
    #[error("{}", .0.message)]
    Document(Failure),
    /// The store or an index is: the job is tried again.
    #[error(transparent)]
    Collection(#[from] CollectionError),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Collection(error.into())
    }
}

fn failure(code: &str, message: impl Into<String>) -> JobError {
    JobError::Document(Failure { code: code.to_owned(), message: message.into() })
}

impl Ingest {
    /// Takes jobs until dropped.
    pub(super) async fn work(&self) {
        let store = self.catalog.store();
        loop {
            match store.take_job().await {
                Ok(Some(job)) => {
                    self.finish(&job).await;
                    self.tell();
                }
                Ok(None) => self.wake.notified().await,
                Err(error) => {
                    tracing::error!(%error, "no job could be taken");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn finish(&self, job: &Job) {
        let (store, document) = (self.catalog.store(), &job.document);
        let outcome = match self.attempt(job).await {
            Err(JobError::Document(failure)) => {
                tracing::info!(document = document.id.0, code = failure.code, "document failed");
                let failed = store.fail_document(document.key, failure).await.map_err(Into::into);
                match failed {
                    Ok(()) => {
                        self.failed.fetch_add(1, Relaxed);
                        self.sync(job).await
                    }
                    failed => failed,
                }
            }
            outcome => outcome,
        };
        match outcome {
            // Deleted while it was worked on.
            Ok(()) | Err(JobError::Collection(CollectionError::Store(StoreError::NotFound(_)))) => {}
            Err(error) => {
                tracing::error!(%error, document = document.id.0, "job is tried again");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                // Nothing else could be stored either, while the disk is full or away.
                while let Err(error) = store.return_job(document.key).await {
                    tracing::error!(%error, document = document.id.0, "job waits for the store");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn attempt(&self, job: &Job) -> Result<(), JobError> {
        if job.attempts > MOST_ATTEMPTS {
            return Err(failure(
                "parser_crashed",
                "Reading this file stopped the server several times. Export it anew, for example as PDF, and upload that.",
            ));
        }
        match job.stage {
            Stage::Extract => self.extract(job).await,
            Stage::Embed => self.embed(job).await,
        }
    }

    async fn sync(&self, job: &Job) -> Result<(), JobError> {
        match self.catalog.by_id(&job.document.collection) {
            Some(collection) => Ok(self.catalog.sync(&collection).await?),
            None => Ok(()),
        }
    }

    /// The model, once it is known whether there is one.
    async fn model(&self) -> Option<Arc<ModelInfo>> {
        self.embeddings.as_ref()?.ready().await.ok()
    }
}
