//! Work on documents, and what it commits.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use lastro::store::*;

use super::MemoryStore;
use super::state::{Chunk, State};

/// No pause and no lease is longer.
const LONGEST: Duration = Duration::from_secs(86_400);

fn after(pause: Duration) -> Instant {
    Instant::now() + pause.min(LONGEST)
}

#[async_trait]
impl Jobs for MemoryStore {
    async fn take_job(&self, worker: &str, lease: Duration) -> Result<Option<Job>> {
        self.write(|state| state.take_job(worker, after(lease)))
    }

    async fn renew_jobs(&self, worker: &str, lease: Duration) -> Result<()> {
        self.write(|state| {
            let taken = state.jobs.values_mut().filter_map(|job| job.taken.as_mut());
            taken.filter(|(by, _)| by == worker).for_each(|(_, until)| *until = after(lease));
            Ok(())
        })
    }

    async fn release_jobs(&self, worker: &str) -> Result<()> {
        self.write(|state| {
            state.release_jobs(worker);
            Ok(())
        })
    }

    async fn until_next_job(&self, worker: &str) -> Result<Option<Duration>> {
        self.read(|state| {
            let at = state.jobs.values().filter_map(|job| match &job.taken {
                None => Some(job.not_before),
                Some((by, until)) => Some(*until).filter(|_| by != worker),
            });
            Ok(at.min().map(|at| at.saturating_duration_since(Instant::now())))
        })
    }

    async fn return_job(&self, worker: &str, document: DocumentKey) -> Result<()> {
        self.write(|state| {
            state.give_back(worker, document);
            Ok(())
        })
    }

    async fn postpone_job(&self, worker: &str, document: DocumentKey, pause: Duration) -> Result<()> {
        self.write(|state| {
            if let Some(job) = state.give_back(worker, document) {
                job.failures += 1;
                job.not_before = after(pause);
            }
            Ok(())
        })
    }

    async fn retry_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        self.write(|state| {
            let document = state.document(collection, id)?;
            match document.status {
                Status::InProgress => state.hurry(document.key),
                Status::Failed | Status::Cancelled => state.begin_anew(document.key)?,
                Status::Completed if document.warning.is_some() => {
                    state.owe(document.key);
                    state.hurry(document.key);
                }
                Status::Completed => return Err(StoreError::NotFailed),
            }
            state.document(collection, id)
        })
    }

    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()> {
        self.write(|state| state.commit_chunks(document, read, quotas))
    }

    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()> {
        self.write(|state| {
            state.in_progress(document)?;
            state.remove_chunks(document)?;
            let failed = state.by_key_mut(document)?;
            (failed.status, failed.failure) = (Status::Failed, Some(failure));
            state.jobs.remove(&document);
            Ok(())
        })
    }

    async fn publish_document(&self, document: DocumentKey) -> Result<()> {
        self.write(|state| state.publish(document))
    }

    async fn complete_document(
        &self,
        document: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()> {
        self.write(|state| state.complete(document, warning, again))
    }

    async fn owe_vectors(
        &self,
        documents: Vec<DocumentKey>,
        warning: Warning,
        pause: Duration,
    ) -> Result<()> {
        self.write(|state| {
            for key in documents {
                let completed = state.by_key_mut(key).ok().filter(|one| one.status == Status::Completed);
                let Some(document) = completed else { continue };
                document.warning = Some(warning.clone());
                let job = state.owe(key);
                if job.taken.is_none() {
                    job.not_before = after(pause);
                }
            }
            Ok(())
        })
    }
}

impl State {
    /// A document, unless it was deleted or cancelled while it was worked on.
    fn in_progress(&self, key: DocumentKey) -> Result<DocumentRecord> {
        let document = self.record(self.by_key(key)?)?;
        let found = Some(document).filter(|document| document.status == Status::InProgress);
        found.ok_or(StoreError::NotFound("document"))
    }

    fn commit_chunks(&mut self, key: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()> {
        let document = self.in_progress(key)?;
        if document.chunking != read.chunking {
            return Err(StoreError::NotFound("document"));
        }
        self.check_chunks(&document, quotas, read.chunks.len() as u64)?;
        self.remove_chunks(key)?;
        // No index is told of what waits.
        let revision = match document.replaces {
            Some(_) => 0,
            None => self.raise_revision(&document.collection)?,
        };
        for chunk in read.chunks {
            let id = self.next_chunk();
            self.chunks.insert(id, Chunk { document: key, revision, chunk, vectors: Default::default() });
        }
        let document = self.by_key_mut(key)?;
        (document.outline, document.language, document.pages) = (read.outline, read.language, read.pages);
        document.prompt_tokens = read.prompt_tokens;
        self.enqueue(key);
        self.jobs.entry(key).and_modify(|job| job.stage = Stage::Embed);
        Ok(())
    }

    fn complete(
        &mut self,
        key: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()> {
        let document = self.record(self.by_key(key)?)?;
        let is_at_it = self.jobs.get(&key).is_some_and(|job| job.stage == Stage::Embed);
        // Deleted, cancelled, or begun anew while it was worked on.
        if !is_at_it || !matches!(document.status, Status::InProgress | Status::Completed) {
            return Err(StoreError::NotFound("document"));
        }
        self.take_place(key)?;
        let document = self.by_key_mut(key)?;
        (document.status, document.failure, document.warning) = (Status::Completed, None, warning);
        match (again, self.jobs.get_mut(&key)) {
            (Some(pause), Some(job)) => {
                // Where all attempts were used up, one is left.
                (job.attempts, job.failures) = (job.attempts.saturating_sub(2), job.failures + 1);
                (job.is_owed, job.taken, job.not_before) = (true, None, after(pause));
            }
            _ => drop(self.jobs.remove(&key)),
        }
        Ok(())
    }
}
