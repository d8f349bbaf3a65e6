//! What becomes of a job is written down, at once or once the store can be written again.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::ingest::{Ingest, WORKER};
use crate::store::{DocumentRecord, Failure, Result, Status, StoreError, Warning};

/// What becomes of a job that was taken.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// Its document failed.
    Failed(Failure),
    /// Its document is completed, and its vectors are tried again after a while.
    Completed(Option<Warning>, Option<Duration>),
    /// It is tried again after a while.
    Postponed(Duration),
    /// It was not worked on to an end, by nobody's fault.
    GivenBack,
}

/// A settlement that could not be written down yet.
pub struct Debt(DocumentRecord, Settlement);

impl Ingest {
    pub(super) async fn settle(&self, document: &DocumentRecord, settlement: Settlement) {
        match self.write_down(document, &settlement).await {
            // Deleted, cancelled or begun anew meanwhile.
            Ok(()) | Err(StoreError::NotFound(_)) => {}
            Err(error) => {
                tracing::error!(%error, document = document.id.0, "what became of a job waits for the store");
                self.debts.lock().push(Debt(document.clone(), settlement));
            }
        }
    }

    /// Writes down what could not be before. True where something is left.
    pub(super) async fn settle_debts(&self) -> bool {
        let debts = std::mem::take(&mut *self.debts.lock());
        for Debt(document, settlement) in debts {
            self.settle(&document, settlement).await;
        }
        !self.debts.lock().is_empty()
    }

    async fn write_down(&self, document: &DocumentRecord, settlement: &Settlement) -> Result<()> {
        let (store, key) = (self.catalog.store(), document.key);
        match settlement {
            Settlement::Failed(failure) => {
                store.fail_document(key, failure.clone()).await?;
                self.failed.fetch_add(1, Relaxed);
                self.waiting.tell(&document.id);
                self.sync(&document.collection).await;
            }
            Settlement::Completed(warning, again) => {
                store.complete_document(key, warning.clone(), *again).await?;
                if document.status == Status::InProgress {
                    self.completed.fetch_add(1, Relaxed);
                }
                self.waiting.tell(&document.id);
                if document.replaces.is_some() {
                    // What they still name of the old version is not read back.
                    self.sync(&document.collection).await;
                }
            }
            Settlement::Postponed(pause) => store.postpone_job(WORKER, key, *pause).await?,
            Settlement::GivenBack => store.return_job(WORKER, key).await?,
        }
        // Whoever sleeps looks anew how long.
        self.wake.notify_one();
        Ok(())
    }
}
