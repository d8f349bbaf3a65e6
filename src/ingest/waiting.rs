//! Who waits for documents to come to an end: each is told of its own, and of no other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Ingest;
use crate::collection::{Collection, CollectionError};
use crate::store::{DocumentId, DocumentRecord, Status};

/// Now and then all that are left are looked at: who deletes a document tells nobody.
const NOW_AND_THEN: Duration = Duration::from_secs(5);

/// Those who wait, by document.
#[derive(Default)]
pub(super) struct Waiting {
    waiters: Mutex<HashMap<DocumentId, Vec<Arc<Waiter>>>>,
}

/// Who waits for some documents.
#[derive(Default)]
struct Waiter {
    /// Documents whose end was not told.
    left: Mutex<Vec<DocumentId>>,
    /// None is left.
    done: Notify,
}

/// A waiter's place, until dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    ids: &'a [DocumentId],
    waiter: Arc<Waiter>,
}

impl Waiting {
    /// A document came to an end.
    pub fn tell(&self, document: &DocumentId) {
        let told = self.waiters.lock().get(document).cloned().unwrap_or_default();
        for waiter in told {
            waiter.keep(|id| id != document);
        }
    }

    /// Many may have.
    pub fn tell_all(&self) {
        let all: Vec<_> = self.waiters.lock().values().flatten().cloned().collect();
        for waiter in all {
            waiter.keep(|_| false);
        }
    }

    fn place<'a>(&'a self, ids: &'a [DocumentId]) -> Place<'a> {
        let waiter = Arc::<Waiter>::default();
        let mut waiters = self.waiters.lock();
        for id in ids {
            waiters.entry(id.clone()).or_default().push(waiter.clone());
        }
        Place { waiting: self, ids, waiter }
    }
}

impl Waiter {
    fn keep(&self, which: impl Fn(&DocumentId) -> bool) {
        let mut left = self.left.lock();
        let before = left.len();
        left.retain(which);
        if left.is_empty() && before > 0 {
            self.done.notify_one();
        }
    }

    fn has_left(&self) -> bool {
        !self.left.lock().is_empty()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiters = self.waiting.waiters.lock();
        for id in self.ids {
            if let Some(those) = waiters.get_mut(id) {
                those.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
                if those.is_empty() {
                    waiters.remove(id);
                }
            }
        }
    }
}

impl Ingest {
    /// The documents once none is in progress any more, or as they stand at the deadline. Deleted ones are left out.
    pub async fn wait(
        &self,
        collection: &Collection,
        ids: &[DocumentId],
        deadline: Instant,
    ) -> Result<Vec<DocumentRecord>, CollectionError> {
        let place = self.waiting.place(ids);
        loop {
            // What ends while it is read is told.
            *place.waiter.left.lock() = ids.to_vec();
            let documents = self.catalog.store().documents_of(&collection.id, ids).await?;
            let busy = in_progress(&documents);
            if busy.is_empty() || Instant::now() >= deadline {
                return Ok(documents);
            }
            place.waiter.keep(|id| busy.contains(&id));
            self.until_ended(collection, &place.waiter, deadline).await?;
        }
    }

    async fn until_ended(
        &self,
        collection: &Collection,
        waiter: &Waiter,
        deadline: Instant,
    ) -> Result<(), CollectionError> {
        while waiter.has_left() && Instant::now() < deadline {
            let look = deadline.min(Instant::now() + NOW_AND_THEN);
            if tokio::time::timeout_at(look.into(), waiter.done.notified()).await.is_err() && look < deadline
            {
                let left = waiter.left.lock().clone();
                let documents = self.catalog.store().documents_of(&collection.id, &left).await?;
                let busy = in_progress(&documents);
                waiter.keep(|id| busy.contains(&id));
            }
        }
        Ok(())
    }
}

fn in_progress(documents: &[DocumentRecord]) -> HashSet<&DocumentId> {
    let busy = documents.iter().filter(|document| document.status == Status::InProgress);
    busy.map(|document| &document.id).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn each_is_told_of_its_own_and_once_all_of_them_ended() {
        let id = |name: &str| DocumentId(name.to_owned());
        let (waiting, mine, others) = (Waiting::default(), [id("a"), id("b")], [id("b"), id("c")]);
        let (my, other) = (waiting.place(&mine), waiting.place(&others));
        *my.waiter.left.lock() = mine.to_vec();
        *other.waiter.left.lock() = others.to_vec();
        let is_told = |place: &Place<'_>| place.waiter.done.notified().now_or_never().is_some();
        for (ended, told) in
            [("c", (false, false)), ("x", (false, false)), ("b", (false, true)), ("a", (true, false))]
        {
            waiting.tell(&id(ended));
            assert_eq!((is_told(&my), is_told(&other)), told, "{ended}");
        }
        *my.waiter.left.lock() = mine.to_vec();
        waiting.tell_all();
        assert!(is_told(&my) && !my.waiter.has_left());
        drop((my, other));
        assert!(waiting.waiters.lock().is_empty());
    }
}
