//! The beginning of open indexes: those that were used last are opened at a start, those that owe something to the store
//! are looked for then, and all others are opened by whoever needs them.

use std::cmp::Reverse;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::meaning::Dense;
use super::words::Trust;
use super::{Catalog, Collection, CollectionError, Scope};
use crate::embed::ModelInfo;
use crate::index::{Glance, IndexError, LexicalIndex};
use crate::store::{CollectionId, Revision};
use crate::tasks::blocking;

/// Collections that are opened at a start, before anybody asks.
const AT_START: usize = 64;
/// A question waits for so long at most until vectors are read that are not in memory. A hundred chunks take a millisecond,
/// a hundred thousand longer than this: words answer alone until they are there.
const PATIENCE: Duration = Duration::from_millis(200);
/// Folders that are looked at in one go.
const FOLDERS: usize = 256;

impl Catalog {
    /// Opens the collections that were used last.
    pub async fn open_recent(&self) {
        let mut all: Vec<_> = self.known.read().all().cloned().collect();
        all.sort_by_key(|collection| Reverse((collection.last_active_at(), collection.number)));
        all.truncate(self.opened.most().min(AT_START));
        for collection in all {
            self.sync_or_tell(&collection).await;
        }
    }

    /// Brings up what the last process left: indexes that are missing, of another format or behind the store's chunks, and
    /// those whose files hold words of removed chunks. They are known by what their folders say, and are closed afterwards.
    pub async fn mend(&self) {
        if let Err(error) = self.remove_strangers().await {
            tracing::warn!(%error, "indexes of deleted collections stay for now");
        }
        let owing = match self.owing().await {
            Ok(owing) => owing,
            Err(error) => return tracing::warn!(%error, "indexes were not compared with the store"),
        };
        for collection in owing {
            let is_open = collection.indexes.are_open();
            self.sync_or_tell(&collection).await;
            if !is_open {
                self.close_one(&collection).await;
            }
        }
        self.mended.store(true, Ordering::Relaxed);
    }

    /// Brings what is open up to the store.
    pub async fn sync_open(&self) {
        for collection in self.opened.all() {
            self.sync_or_tell(&collection).await;
        }
    }

    /// Keeps questions from reading the vectors of collections that are closed, until dropped: while many vectors are
    /// computed, a part of a collection's would hide what the rest would find.
    pub fn refill(&self) -> impl Drop + use<> {
        self.refilling.store(true, Ordering::Relaxed);
        Refill(self.refilling.clone())
    }

    async fn sync_or_tell(&self, collection: &Collection) {
        if let Err(error) = self.sync(collection).await {
            tracing::error!(%error, collection = collection.label(), "collection could not be indexed");
        }
    }

    /// Collections whose words do not stand where the store's chunks do, by what the folders of their indexes say.
    async fn owing(&self) -> Result<Vec<Arc<Collection>>, CollectionError> {
        let revisions = self.store.chunk_revisions().await?;
        let mut owing = Vec::new();
        for some in revisions.chunks(FOLDERS) {
            let (some, indexes) = (some.to_vec(), self.indexes.clone());
            let identity = self.store.identity().to_owned();
            let behind = blocking(move || {
                let owes = |(id, revision): &(CollectionId, Revision)| {
                    let glance = LexicalIndex::glance(&LexicalIndex::folder(&indexes, &id.0), &identity);
                    !matches!(glance, Ok(Some(Glance { revision: at, holds_removed: false })) if at >= *revision)
                };
                let behind = some.into_iter().filter(owes).map(|(id, _)| id);
                Ok::<_, IndexError>(behind.collect::<Vec<_>>())
            });
            owing.extend(behind.await?.iter().filter_map(|id| self.by_id(id)));
        }
        Ok(owing)
    }

    /// Compares the files of a large index with their checksums, one index at a time, and has it built anew where they do not
    /// agree.
    pub(super) fn check_later(&self, collection: &Arc<Collection>) {
        let Some(index) = collection.indexes.words.unchecked() else { return };
        // One that is closed before its turn comes is not kept in memory for it.
        let waiting = Arc::downgrade(&index);
        drop(index);
        let (catalog, collection) = (self.clone(), collection.clone());
        tokio::spawn(async move {
            let _one_at_a_time = catalog.checking.lock().await;
            let Some(index) = waiting.upgrade() else { return };
            let checked = index.clone();
            let checked = match blocking(move || checked.check()).await {
                Err(IndexError::Busy) => collection.indexes.check(&index).await,
                checked => checked,
            };
            let Err(error) = checked else { return };
            tracing::warn!(%error, collection = collection.label(), "an index was compared with its checksums");
            if matches!(error, IndexError::Damaged(_)) {
                collection.indexes.words.distrust(&index, Trust::None);
                drop(index);
                if let Err(error) = catalog.sync_words(&collection).await {
                    catalog.lag.note(&collection.id, true);
                    tracing::error!(%error, collection = collection.label(), "a damaged index could not be built anew");
                }
            }
        });
    }

    /// The vectors of a collection, if they are of this model and there are any. They are read where they are not in
    /// memory, which goes on where that takes longer than a question waits.
    pub(super) async fn vectors(&self, collection: &Collection, model: &ModelInfo) -> Option<Dense> {
        let meaning = &collection.indexes.meaning;
        if !meaning.is_open(model) && !self.refilling.load(Ordering::Relaxed) {
            let synced = tokio::time::timeout(meaning.rest_of(PATIENCE), self.sync_meaning(collection)).await;
            match synced {
                Err(_) => return None,
                Ok(Ok(())) => meaning.was_read(),
                Ok(Err(error)) => {
                    meaning.was_read();
                    self.lag.note(&collection.id, true);
                    tracing::warn!(%error, collection = collection.label(), "vectors could not be read");
                }
            }
        }
        meaning.answering(model)
    }

    /// The same for all scopes side by side.
    pub(super) async fn all_vectors(&self, scopes: &[Scope], model: &ModelInfo) -> Vec<Option<Dense>> {
        let each = scopes.iter().map(|scope| self.vectors(&scope.collection, model));
        futures_util::future::join_all(each).await
    }

    /// Removes indexes of collections that are no more: those of a process that ended while it deleted one.
    async fn remove_strangers(&self) -> Result<(), CollectionError> {
        let indexes = self.indexes.clone();
        let names = blocking(move || {
            let entries = match fs::read_dir(&*indexes) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                read => read?,
            };
            let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
            names.collect::<Result<Vec<_>, IndexError>>()
        })
        .await?;
        // Whoever makes a collection lets it be found before its index is made.
        let strangers =
            names.into_iter().filter(|name| is_id(name) && self.by_id(&CollectionId(name.clone())).is_none());
        for name in strangers {
            let folder = self.indexes.join(&name);
            blocking(move || LexicalIndex::remove(&folder)).await?;
            tracing::info!(collection = name, "the index of a deleted collection was removed");
        }
        Ok(())
    }
}

/// While vectors are computed.
struct Refill(Arc<AtomicBool>);

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What the folder of a collection's indexes is called.
fn is_id(name: &str) -> bool {
    name.starts_with("vs_")
}
