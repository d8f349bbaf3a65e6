//! Indexes that could not be brought up to the store, until they are.
//!
//! What was stored stands whatever becomes of an index: the store is the truth. `Catalog::lags` says whether a collection
//! lags, and `Catalog::catch_up` tries those that do again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::store::CollectionId;

/// The collections that lag.
#[derive(Default)]
pub(super) struct Lag {
    behind: Mutex<BTreeMap<CollectionId, Behind>>,
    changed: Notify,
}

/// Since its last success.
#[derive(Default)]
struct Behind {
    /// How often it was tried in vain.
    tries: usize,
    next: Option<Instant>,
}

impl Lag {
    /// Notes whether a collection's indexes stand where the store does.
    pub(super) fn note(&self, collection: &CollectionId, lags: bool) {
        let mut behind = self.behind.lock();
        if !lags {
            behind.remove(collection);
        } else if !behind.contains_key(collection) {
            behind.insert(collection.clone(), Behind::default());
            self.changed.notify_one();
        }
    }

    /// Whether a collection is known to lag.
    pub(super) fn holds(&self, collection: &CollectionId) -> bool {
        self.behind.lock().contains_key(collection)
    }

    /// Says when each is tried that nobody has tried again so far, and takes those whose time has come; or how long that
    /// takes.
    pub(super) fn due(&self, pauses: &[Duration]) -> (Vec<CollectionId>, Option<Duration>) {
        let now = Instant::now();
        let mut behind = self.behind.lock();
        let mut due = Vec::new();
        let mut first: Option<Instant> = None;
        for (collection, state) in behind.iter_mut() {
            let next = *state.next.get_or_insert_with(|| now + pause(pauses, state.tries));
            if next <= now {
                due.push(collection.clone());
            } else {
                first = Some(first.map_or(next, |first| first.min(next)));
            }
        }
        (due, first.map(|at| at.saturating_duration_since(now)))
    }

    /// Puts the next try of a collection off by its next pause.
    pub(super) fn failed_again(&self, collection: &CollectionId) {
        if let Some(state) = self.behind.lock().get_mut(collection) {
            *state = Behind { tries: state.tries + 1, next: None };
        }
    }

    /// Waits until a collection begins to lag, or at most so long.
    pub(super) async fn changed(&self, at_most: Option<Duration>) {
        let changed = self.changed.notified();
        match at_most {
            Some(at_most) => {
                let _either = tokio::time::timeout(at_most, changed).await;
            }
            None => changed.await,
        }
    }
}

/// The pause after so many tries; the last of them for all that follow.
fn pause(pauses: &[Duration], tries: usize) -> Duration {
    pauses.get(tries).or(pauses.last()).copied().unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_last_stays() {
        let (lag, id) = (Lag::default(), CollectionId("vs_1".to_owned()));
        let pauses = [Duration::ZERO, Duration::from_secs(50)];
        assert_eq!(lag.due(&pauses), (vec![], None));
        lag.note(&id, true);
        assert_eq!(lag.due(&pauses).0, std::slice::from_ref(&id));
        for _ in 0..3 {
            lag.failed_again(&id);
            // Somebody else's failure does not bring it forward.
            lag.note(&id, true);
            let (due, next) = lag.due(&pauses);
            assert!(due.is_empty() && next.is_some_and(|next| next > Duration::from_secs(40)), "{next:?}");
        }
        lag.note(&id, false);
        assert_eq!(lag.due(&pauses), (vec![], None));
    }
}
