//! By how many the indexes of a collection are used just now, and when they were used last.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

/// How the indexes of one collection are used.
#[derive(Default)]
pub(super) struct Uses(Arc<Mutex<Used>>);

#[derive(Default)]
pub(super) struct Used {
    /// By so many just now.
    now: usize,
    last: Option<Instant>,
}

impl Uses {
    /// They are not closed until this is dropped.
    pub fn begin(&self) -> InUse {
        self.0.lock().now += 1;
        InUse(self.0.clone())
    }

    /// Keeps whoever begins to use them waiting, which must not be for long. None while somebody uses them.
    pub fn nobody(&self) -> Option<MutexGuard<'_, Used>> {
        Some(self.0.lock()).filter(|used| used.now == 0)
    }

    /// When they were used last, if ever. None while somebody uses them.
    pub fn idle_since(&self) -> Option<Option<Instant>> {
        self.nobody().map(|used| used.last)
    }
}

/// Somebody searches or changes an index.
pub(super) struct InUse(Arc<Mutex<Used>>);

impl Drop for InUse {
    fn drop(&mut self) {
        let mut used = self.0.lock();
        used.now -= 1;
        used.last = Some(Instant::now());
    }
}
