//! Calls of [`Jobs`].

use std::time::Duration;

use async_trait::async_trait;

use crate::store::sqlite::jobs::{self, Claim};
use crate::store::sqlite::{SqliteStore, versions};
use crate::store::*;
use crate::system::now_in_milliseconds;

/// The time after a pause, in milliseconds since 1970.
fn after(pause: Duration) -> i64 {
    now_in_milliseconds().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
}

#[async_trait]
impl Jobs for SqliteStore {
    async fn take_job(&self, worker: &str, lease: Duration) -> Result<Option<Job>> {
        let claim = Claim::new(worker, lease);
        self.write(move |t, _| jobs::take(t, &claim)).await
    }

    async fn renew_jobs(&self, worker: &str, lease: Duration) -> Result<()> {
        let claim = Claim::new(worker, lease);
        self.write(move |t, _| jobs::renew(t, &claim)).await
    }

    async fn release_jobs(&self, worker: &str) -> Result<()> {
        let worker = worker.to_owned();
        self.write(move |t, _| jobs::release(t, &worker, now_in_milliseconds())).await
    }

    async fn until_next_job(&self, worker: &str) -> Result<Option<Duration>> {
        let worker = worker.to_owned();
        let next = self.read(move |t| jobs::next(t, &worker)).await?;
        let until = |at: i64| u64::try_from(at.saturating_sub(now_in_milliseconds())).unwrap_or(0);
        Ok(next.map(|at| Duration::from_millis(until(at))))
    }

    async fn return_job(&self, worker: &str, document: DocumentKey) -> Result<()> {
        let worker = worker.to_owned();
        self.write(move |t, _| jobs::put_back(t, &worker, document)).await
    }

    async fn postpone_job(&self, worker: &str, document: DocumentKey, pause: Duration) -> Result<()> {
        let worker = worker.to_owned();
        self.write(move |t, _| jobs::postpone(t, &worker, document, after(pause))).await
    }

    async fn retry_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.write(move |t, _| jobs::retry(t, &collection, &id)).await
    }

    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()> {
        self.remove(move |t, _| jobs::commit_chunks(t, document, &read, quotas)).await
    }

    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()> {
        self.remove(move |t, _| jobs::fail(t, document, &failure)).await
    }

    async fn publish_document(&self, document: DocumentKey) -> Result<()> {
        self.write(move |t, _| versions::publish(t, document)).await
    }

    async fn complete_document(
        &self,
        document: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()> {
        self.remove(move |t, _| jobs::complete(t, document, warning.as_ref(), again.map(after))).await
    }

    async fn owe_vectors(
        &self,
        documents: Vec<DocumentKey>,
        warning: Warning,
        pause: Duration,
    ) -> Result<()> {
        self.write(move |t, _| jobs::owe_vectors(t, &documents, &warning, after(pause))).await
    }
}
