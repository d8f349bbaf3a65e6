//! What is done after removals and now and then: what was deleted leaves the files, and what is over its time goes.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::App;
use crate::embed::{Embeddings, State};
use crate::store::{CollectionId, DocumentId, StoreError, Swept};
use crate::trace::Trace;

/// How often is looked.
const NOW_AND_THEN: Duration = Duration::from_secs(60);
/// Removals come together often: after the first of them, the others are waited for.
const SOON: Duration = Duration::from_secs(1);
/// Until the next try where somebody read what was removed.
const AGAIN: Duration = Duration::from_secs(5);
/// What is kept for days is looked at so often.
const HOUR: Duration = Duration::from_secs(3_600);

impl App {
    /// Keeps the data folder in order, until dropped.
    pub(super) async fn keep_house(&self) {
        match self.store.sweep(self.opened, self.config.trash).await {
            Ok(swept) => tell(swept),
            Err(error) => tracing::warn!(%error, "originals were not swept"),
        }
        let mut ticks = interval(NOW_AND_THEN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_hour: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.store.removed() => sleep(SOON).await,
                _ = ticks.tick() => {}
            }
            self.forget_dead_traces().await;
            if last_hour.is_none_or(|last| last.elapsed() >= HOUR) {
                last_hour = Some(Instant::now());
                if let Err(error) = self.forget_old().await {
                    tracing::warn!(%error, "what is over its time stays for another hour");
                }
                if let Err(error) = self.catalog.forget_removals().await {
                    tracing::warn!(%error, "removals that all indexes followed are kept for another hour");
                }
            }
            loop {
                match self.tidy().await {
                    Ok(true) => break,
                    Ok(false) => sleep(AGAIN).await,
                    Err(error) => {
                        tracing::warn!(%error, "what was deleted stays in the database's files for now");
                        break;
                    }
                }
            }
        }
    }

    /// Ends what was removed by half, and brings what was removed out of the database's files. False where that is to be
    /// tried again.
    async fn tidy(&self) -> Result<bool, StoreError> {
        for collection in self.store.unfinished_collections().await? {
            let finished = self.store.clear_collection(&collection).await;
            // Nobody asked for these steps who would do it.
            self.catalog.follow(&collection).await;
            finished?;
        }
        self.store.tidy().await
    }

    async fn forget_old(&self) -> Result<(), StoreError> {
        self.store.forget_old().await?;
        let files = self.store.blobs().empty_trash(self.config.trash).await?;
        tell(Swept { emptied: files, ..Swept::default() });
        if let Some(State::Ready(info)) = self.embeddings.as_ref().map(Embeddings::state) {
            let vectors = self.store.forget_vectors_but(&info.fingerprint).await?;
            if vectors > 0 {
                tracing::info!(vectors, "vectors of other embedding models were removed");
            }
        }
        Ok(())
    }

    /// A trace, unless text in it was deleted: then it is forgotten.
    pub async fn trace(&self, id: &str) -> Result<Option<std::sync::Arc<Trace>>, StoreError> {
        let Some(trace) = self.traces.find(id) else { return Ok(None) };
        if self.is_alive(&trace).await? {
            return Ok(Some(trace));
        }
        self.traces.forget(id);
        Ok(None)
    }

    async fn forget_dead_traces(&self) {
        for trace in self.traces.of_documents() {
            match self.is_alive(&trace).await {
                Ok(true) => {}
                Ok(false) => self.traces.forget(&trace.id),
                // Nobody can read it meanwhile: whoever asks for one asks the store.
                Err(error) => return tracing::warn!(%error, "traces of deleted documents stay for now"),
            }
        }
    }

    async fn is_alive(&self, trace: &Trace) -> Result<bool, StoreError> {
        let collections: Vec<_> = trace.collection_ids.iter().cloned().map(CollectionId).collect();
        let mut documents: Vec<_> = trace.passages.iter().map(|passage| &passage.document_id).collect();
        documents.sort();
        documents.dedup();
        let documents: Vec<_> = documents.into_iter().cloned().map(DocumentId).collect();
        self.store.have_text(&collections, &documents).await
    }
}

/// Says what a start found about originals.
fn tell(swept: Swept) {
    let Swept { finished, discarded, emptied, unknown, missing } = swept;
    if finished > 0 {
        tracing::info!(files = finished, "originals that were deleted before the last end were removed");
    }
    if discarded > 0 {
        tracing::info!(files = discarded, "originals that no document names are in the trash now");
    }
    if emptied > 0 {
        tracing::info!(files = emptied, "originals were long enough in the trash, and removed");
    }
    if unknown > 0 {
        tracing::warn!(
            files = unknown,
            "the database is new, or older than the originals, or another one: those that it does not name stay; `lastro doctor` says more"
        );
    }
    if missing > 0 {
        tracing::error!(files = missing, "originals of documents are missing; `lastro doctor` names them");
    }
}
