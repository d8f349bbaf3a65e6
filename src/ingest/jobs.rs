//! The workers: one job after the other, from the store and back into it.
//!
//! Every job ends: its document is completed, or fails for a fault of its own, or, where the machine is at fault, is tried
//! again after growing pauses and fails once there were enough of them. Meanwhile the others go on.

mod embed;
mod extract;
mod settle;
mod trouble;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::{Ingest, PAUSE_AFTER_ERROR};
use crate::embed::ModelInfo;
use crate::store::{CollectionId, Failure, Job, Stage, StoreError};
use settle::Settlement;
use trouble::Trouble;

pub(super) use settle::Debt;

/// Nobody sleeps longer than this: the clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// The name by which this process takes jobs. It is the same at each start, so that the jobs of the last run are there at
/// once; a second process on one store needs another.
pub const WORKER: &str = "lastro";
/// How long a job is this process's without a word from it.
pub const LEASE: Duration = Duration::from_secs(600);

/// Why a job could not be finished.
#[derive(Debug, thiserror::Error)]
enum JobError {
    /// The document is at fault: it fails with this.
    #[error("{}", .0.message)]
    Document(Failure),
    /// Something else is: the job is tried again.
    #[error(transparent)]
    Machine(#[from] Trouble),
    /// The document was deleted, cancelled or begun anew meanwhile.
    #[error("the document is gone")]
    Gone,
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::Gone,
            error => Self::Machine(Trouble::Storage(error.into())),
        }
    }
}

fn failure(code: &str, message: impl Into<String>) -> JobError {
    JobError::Document(Failure { code: code.to_owned(), message: message.into() })
}

impl Ingest {
    /// Keeps the jobs that are worked on from being taken by another process, until told to stop.
    pub(super) async fn renew_leases(&self) {
        let mut stop = self.stop.watch();
        loop {
            tokio::select! {
                () = stop.told() => return,
                () = tokio::time::sleep(LEASE / 4) => {}
            }
            if let Err(error) = self.catalog.store().renew_jobs(WORKER, LEASE).await {
                tracing::warn!(%error, "another process may begin with what is worked on here");
            }
        }
    }

    /// Takes jobs until told to stop, which gives the one in hand back.
    pub(super) async fn work(&self) {
        let _counted = self.stop.working();
        let mut stop = self.stop.watch();
        // Both stages need to know the model. A process that ends while it is loaded, for want of memory perhaps, did not
        // end over a document: none is taken before.
        tokio::select! {
            () = stop.told() => {}
            _ = self.model() => {}
        }
        while !stop.is_told() {
            let in_debt = self.settle_debts().await;
            // Not dropped half-way: a job that is taken is given back, or done.
            let pause = match self.catalog.store().take_job(WORKER, LEASE).await {
                Ok(Some(job)) => {
                    tokio::select! {
                        biased;
                        () = stop.told() => self.settle(&job.document, Settlement::GivenBack).await,
                        () = self.take_turn(&job) => {}
                    }
                    continue;
                }
                Ok(None) if in_debt => PAUSE_AFTER_ERROR,
                Ok(None) => self.until_next_job().await,
                Err(error) => {
                    tracing::error!(%error, "no job could be taken");
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::select! {
                () = stop.told() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn until_next_job(&self) -> Duration {
        match self.catalog.store().until_next_job(WORKER).await {
            // Taken by somebody else in between, or in this millisecond.
            Ok(Some(until)) => until.clamp(Duration::from_millis(1), LONGEST_SLEEP),
            Ok(None) => LONGEST_SLEEP,
            Err(error) => {
                tracing::error!(%error, "it is not known when the next job is to be taken");
                PAUSE_AFTER_ERROR
            }
        }
    }

    /// Works on a job; on the reading of a file that the process did not survive before, while no other is read, so that
    /// the next death is not counted against an innocent.
    async fn take_turn(&self, job: &Job) {
        if job.stage == Stage::Embed {
            return self.finish(job).await;
        }
        if job.attempts > 1 {
            if let Ok(_alone) = self.reading.try_write() {
                return self.finish(job).await;
            }
            self.settle(&job.document, Settlement::GivenBack).await;
            let _nobody_reads = self.reading.write().await;
        } else {
            if let Ok(_beside_others) = self.reading.try_read() {
                return self.finish(job).await;
            }
            self.settle(&job.document, Settlement::GivenBack).await;
            let _no_suspect_is_read = self.reading.read().await;
        }
    }

    async fn finish(&self, job: &Job) {
        let attempt = AssertUnwindSafe(self.attempt(job)).catch_unwind().await;
        let id = &job.document.id.0;
        let settlement = match attempt.unwrap_or_else(|_| Err(Trouble::Panic.into())) {
            Ok(()) => None,
            Err(JobError::Gone) => {
                self.waiting.tell(&job.document.id);
                None
            }
            Err(JobError::Document(failure)) => {
                tracing::info!(document = id, code = failure.code, "document failed");
                Some(Settlement::Failed(failure))
            }
            Err(JobError::Machine(trouble)) => Some(match (self.pause(job, &trouble), job.stage) {
                (Some(pause), _) => {
                    tracing::warn!(error = %trouble, document = id, ?pause, "job is tried again");
                    Settlement::Postponed(pause)
                }
                (None, Stage::Extract) => {
                    tracing::error!(error = %trouble, document = id, "job is given up");
                    Settlement::Failed(trouble.failure())
                }
                // It was read, and is found by its words.
                (None, Stage::Embed) => {
                    tracing::error!(error = %trouble, document = id, "its vectors are given up for now");
                    Settlement::Completed(Some(embed::not_all_vectors()), None)
                }
            }),
        };
        if !matches!(settlement, Some(Settlement::Postponed(_))) {
            self.suspects.lock().remove(&job.document.key);
        }
        if let Some(settlement) = settlement {
            self.settle(&job.document, settlement).await;
        }
    }

    /// How long a job waits until it is tried again; `None` where it was tried often enough. What is most likely the
    /// document's is counted by itself: that the disk was full before makes no file too large.
    fn pause(&self, job: &Job, trouble: &Trouble) -> Option<Duration> {
        let mut suspects = self.suspects.lock();
        if job.failures == 0 {
            suspects.remove(&job.document.key);
        }
        let mut pause = self.settings.pauses.get(job.failures as usize).copied();
        if let Some(most) = trouble.most_times() {
            let times = suspects.entry(job.document.key).or_default();
            *times += 1;
            pause = pause.filter(|_| *times <= most);
        }
        pause
    }

    async fn attempt(&self, job: &Job) -> Result<(), JobError> {
        match job.stage {
            Stage::Extract => self.extract(job).await,
            Stage::Embed => self.embed(job).await,
        }
    }

    /// Brings the indexes up to what was committed. One that lags is not the document's fault.
    async fn sync(&self, collection: &CollectionId) {
        self.catalog.follow(collection).await;
    }

    /// The model, once it is known whether there is one.
    async fn model(&self) -> Option<Arc<ModelInfo>> {
        self.embeddings.as_ref()?.ready().await.ok()
    }
}
