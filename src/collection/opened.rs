//! Which collections have their indexes open, and which of them are closed: the ones that were used least lately.
//!
//! An index costs maps, descriptors and memory, a closed one its files alone. So a bounded number is open, and what nobody
//! has used for a while is closed. What somebody is just now searching or changing stays open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Collection;
use crate::store::CollectionId;
use crate::system::{memory, most_maps};

/// Maps that an open collection may take: tantivy maps about six files a segment, and merges at eight segments.
const MAPS: u64 = 64;

/// How many collections may be open, how much memory their vectors may take, and for how long without being used.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub open: usize,
    /// Bytes, as if all vectors were in memory.
    pub memory: u64,
    pub idle: Duration,
}

impl Bounds {
    /// So many collections for so long, as far as the system's limit of maps allows, with half of its memory.
    pub fn of_system(open: usize, idle: Duration) -> Self {
        let most = most_maps().map_or(usize::MAX, |maps| (maps / MAPS) as usize);
        if most < open {
            tracing::warn!(
                wanted = open,
                open = most,
                "the system's vm.max_map_count allows fewer open collections"
            );
        }
        let memory = memory().map_or(u64::MAX, |bytes| bytes / 2);
        Self { open: open.min(most).max(1), memory, idle }
    }
}

/// The collections with an open index.
pub(super) struct Opened {
    bounds: Bounds,
    collections: Mutex<HashMap<CollectionId, Arc<Collection>>>,
}

impl Opened {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, collections: Mutex::default() }
    }

    /// How many may be open.
    pub fn most(&self) -> usize {
        self.bounds.open
    }

    /// How long one may stay open without being used.
    pub fn idle(&self) -> Duration {
        self.bounds.idle
    }

    /// Notes that an index may have been opened.
    pub fn note(&self, collection: &Arc<Collection>) {
        if collection.indexes.are_open() {
            self.collections.lock().insert(collection.id.clone(), collection.clone());
        }
    }

    /// Notes that a collection was closed, unless it was opened again.
    pub fn forget(&self, collection: &Collection) {
        let mut collections = self.collections.lock();
        if !collection.indexes.are_open() {
            collections.remove(&collection.id);
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.collections.lock().len()
    }

    /// Those that are open.
    pub fn all(&self) -> Vec<Arc<Collection>> {
        self.collections.lock().values().cloned().collect()
    }

    /// What has to be closed for the bounds, least recently used first, of what nobody uses.
    pub fn too_many(&self) -> Vec<Arc<Collection>> {
        let collections = self.collections.lock();
        let mut open = collections.len();
        let mut bytes: u64 = collections.values().map(|collection| collection.indexes.vector_bytes()).sum();
        let is_within = |open, bytes| open <= self.bounds.open && bytes <= self.bounds.memory;
        if is_within(open, bytes) {
            return Vec::new();
        }
        let mut idle: Vec<_> =
            collections.values().filter_map(|c| Some((c.indexes.idle_since()?, c))).collect();
        idle.sort_by_key(|(since, _)| *since);
        let mut closed = Vec::new();
        for (_, collection) in idle {
            if is_within(open, bytes) {
                break;
            }
            let of_it = collection.indexes.vector_bytes();
            // Beyond the memory alone, to close what takes none helps nobody.
            if open > self.bounds.open || of_it > 0 {
                open -= 1;
                // It may have grown since they were summed up.
                bytes = bytes.saturating_sub(of_it);
                closed.push(collection.clone());
            }
        }
        closed
    }

    /// Those that nobody has used for the time after which they are closed.
    pub fn idle_ones(&self) -> Vec<Arc<Collection>> {
        let is_idle = |collection: &Arc<Collection>| {
            let since = collection.indexes.idle_since();
            since.is_some_and(|since| since.is_none_or(|since| since.elapsed() >= self.bounds.idle))
        };
        self.collections.lock().values().filter(|c| is_idle(c)).cloned().collect()
    }
}
