//! The upkeep of all indexes: that they follow the store, and that what was removed goes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::runs::Runs;
use super::{Catalog, Collection, CollectionError};
use crate::embed::Embeddings;
use crate::store::{CollectionId, Store, StoreError};
use crate::tasks::to_its_end;

/// At a stop, for what is still under way. What it would have finished is made up for at the next start.
const PATIENCE_AT_STOP: Duration = Duration::from_secs(5);

impl Catalog {
    /// Brings a collection's indexes up to the store, in a task of its own that who asked may leave: both, also where one
    /// of them fails. Who asks while that is under way shares the next one with all others who do. Where one fails,
    /// [`Self::catch_up`] tries again.
    pub async fn sync(&self, collection: &Collection) -> Result<(), CollectionError> {
        let words = self.sync_words(collection).await;
        let meaning = self.sync_meaning(collection).await;
        let synced = words.and(meaning);
        self.lag.note(&collection.id, synced.is_err());
        synced
    }

    /// The same with the words alone, for who cannot wait until the vectors are read.
    pub(super) async fn sync_words(&self, collection: &Collection) -> Result<(), CollectionError> {
        let catalog = self.clone();
        let follow = |collection: Arc<Collection>, store: Arc<dyn Store>| async move {
            let record = catalog.refresh(&collection).await?;
            let was_open = collection.indexes.words.answering().is_some();
            let followed = collection.indexes.words.follow(&*store, &record).await;
            if !was_open {
                catalog.check_later(&collection);
            }
            followed
        };
        self.run(collection, |collection| &collection.indexes.words_runs, follow).await
    }

    pub(super) async fn sync_meaning(&self, collection: &Collection) -> Result<(), CollectionError> {
        let Some(Ok(model)) = self.embeddings.as_ref().map(Embeddings::info) else { return Ok(()) };
        let catalog = self.clone();
        let follow = move |collection: Arc<Collection>, store: Arc<dyn Store>| async move {
            let meaning = &collection.indexes.meaning;
            let followed = meaning.follow(&*store, &collection.id, model).await;
            if followed.is_err() {
                // Who asked may have left: others wait anew, and it is tried again.
                meaning.was_read();
                catalog.lag.note(&collection.id, true);
            }
            followed
        };
        self.run(collection, |collection| &collection.indexes.meaning_runs, follow).await
    }

    /// Waits for a run of work on a collection that begins after this call, unless it is gone.
    async fn run<F>(
        &self,
        collection: &Collection,
        runs: fn(&Collection) -> &Runs,
        work: impl FnOnce(Arc<Collection>, Arc<dyn Store>) -> F + Send + 'static,
    ) -> Result<(), CollectionError>
    where
        F: Future<Output = Result<(), CollectionError>> + Send + 'static,
    {
        let Some(collection) = self.by_id(&collection.id) else { return Ok(()) };
        let (store, worked_on) = (self.store.clone(), collection.clone());
        let (catalog, under_way) = (self.clone(), self.under_way.begin());
        let work = move || async move {
            let _under_way = under_way;
            let _in_use = worked_on.indexes.uses.begin();
            let done = unless_deleted(work(worked_on.clone(), store).await);
            catalog.note_open(&worked_on);
            done
        };
        runs(&collection).run(work).await.map_err(CollectionError::Lagging)
    }

    /// Whether the indexes of a collection are known to lag: what was stored or removed last may not be found, or looked
    /// for, as it should.
    pub fn lags(&self, collection: &CollectionId) -> bool {
        self.lag.holds(collection)
    }

    /// Brings the collections that lag up to the store, until dropped.
    pub async fn catch_up(&self, pauses: &[Duration]) {
        loop {
            let (due, next) = self.lag.due(pauses);
            for id in &due {
                let Some(collection) = self.by_id(id) else {
                    self.lag.note(id, false);
                    continue;
                };
                match self.sync(&collection).await {
                    Ok(()) => tracing::info!(collection = collection.label(), "the indexes caught up"),
                    Err(error) => {
                        tracing::warn!(%error, collection = collection.label(), "the indexes still lag behind");
                        self.lag.failed_again(id);
                    }
                }
            }
            if due.is_empty() {
                self.lag.changed(next).await;
            }
        }
    }

    /// Writes files anew that hold words of removed chunks, one collection after the other: those of open ones, since none
    /// is closed that holds some. Says whether there were any.
    pub async fn purge(&self) -> bool {
        let mut purged = false;
        for collection in
            self.opened.all().into_iter().filter(|collection| collection.indexes.words.holds_removed())
        {
            purged = true;
            let label = collection.label();
            if let Err(error) = self.to_its_end(async move { collection.indexes.purge().await }).await {
                tracing::warn!(%error, collection = label, "words of removed documents stay in a file for now");
            }
        }
        purged
    }

    /// Brings words up to the store where they are behind: whoever removed something last may not have come to it. Those
    /// that are not open are behind where that failed before.
    async fn follow_removals(&self) {
        let records = match self.store.collections().await {
            Ok(records) => records,
            Err(error) => return tracing::warn!(%error, "indexes were not compared with the store"),
        };
        for record in records {
            let Some(collection) = self.by_id(&record.id) else { continue };
            if (collection.indexes.words_lag(record.revision) || self.lags(&record.id))
                && let Err(error) = self.sync_words(&collection).await
            {
                tracing::warn!(%error, collection = collection.label(), "the words lag behind for now");
            }
        }
    }

    /// Lets the store forget removals that all indexes of a collection have followed.
    pub async fn forget_removals(&self) -> Result<(), CollectionError> {
        let with_vectors = self.embeddings.is_some();
        for collection in self.opened.all() {
            let indexes = &collection.indexes;
            unless_deleted(indexes.forget_removals(&*self.store, &collection.id, with_vectors).await)?;
        }
        Ok(())
    }

    /// Ends what is under way, and leaves no file that holds words of removed chunks. The last call.
    pub async fn close(&self) {
        if tokio::time::timeout(PATIENCE_AT_STOP, self.under_way.nothing()).await.is_err() {
            tracing::info!("indexing goes on at the next start");
            return;
        }
        self.follow_removals().await;
        let is_mended = self.mended.load(Ordering::Relaxed);
        if !is_mended && tokio::time::timeout(PATIENCE_AT_STOP, self.mend()).await.is_err() {
            tracing::info!("what the process before this one left is brought up at the next start");
        }
        self.purge().await;
        for collection in self.opened.all() {
            if let Err(error) = collection.indexes.meaning.close().await {
                tracing::warn!(%error, collection = collection.label(), "vectors are indexed anew at the next start");
            }
        }
    }

    /// Runs steps that belong together even if whoever asked for them leaves half-way.
    pub(super) async fn to_its_end<T: Send + 'static>(
        &self,
        steps: impl Future<Output = Result<T, CollectionError>> + Send + 'static,
    ) -> Result<T, CollectionError> {
        let under_way = self.under_way.begin();
        let steps = async move {
            let _under_way = under_way;
            steps.await
        };
        to_its_end(steps).await
    }
}

/// A collection may be deleted while somebody is on the way to it.
fn unless_deleted(synced: Result<(), CollectionError>) -> Result<(), CollectionError> {
    match synced {
        Err(CollectionError::Store(StoreError::NotFound(_))) => Ok(()),
        synced => synced,
    }
}
