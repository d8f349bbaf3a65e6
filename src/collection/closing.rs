//! The end of open indexes: those beyond the bound, and those that nobody has used for a while.

use std::sync::Arc;
use std::time::Duration;

use super::{Catalog, Collection};

/// Between two looks for what is idle, at most.
const LOOK: Duration = Duration::from_secs(60);

impl Catalog {
    /// How many collections have an open index.
    pub fn open_collections(&self) -> usize {
        self.opened.len()
    }

    /// Notes that an index of a collection may have been opened, and begins to close those that are too many now.
    pub(super) fn note_open(&self, collection: &Arc<Collection>) {
        if self.by_id(&collection.id).is_none() {
            return;
        }
        self.opened.note(collection);
        for collection in self.opened.too_many() {
            let (catalog, under_way) = (self.clone(), self.under_way.begin());
            tokio::spawn(async move {
                let _under_way = under_way;
                catalog.close_one(&collection).await;
            });
        }
    }

    /// Closes the indexes of collections that nobody has used for a while, until dropped.
    pub async fn close_idle(&self) {
        loop {
            tokio::time::sleep(LOOK.min(self.opened.idle() / 4)).await;
            for collection in self.opened.too_many().into_iter().chain(self.opened.idle_ones()) {
                self.close_one(&collection).await;
            }
        }
    }

    /// Closes the indexes of a collection, unless somebody uses them.
    pub(super) async fn close_one(&self, collection: &Arc<Collection>) {
        let worked_on = collection.clone();
        let (store, with_vectors) = (self.store.clone(), self.embeddings.is_some());
        let close = async move { worked_on.indexes.close(&*store, &worked_on.id, with_vectors).await };
        if let Err(error) = self.to_its_end(close).await {
            tracing::warn!(%error, collection = collection.label(), "an index could not be closed well");
        }
        self.opened.forget(collection);
    }
}
