//! Work on many rows, by a few threads that give way to everybody else and stop when they are told to.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

/// Rows that a thread takes at a time.
const ROWS_AT_ONCE: usize = 256;

/// How a build is done.
pub(super) struct Workers<'a> {
    pub threads: usize,
    /// Set when nobody wants the outcome any more.
    pub stop: &'a AtomicBool,
}

/// The work was stopped half-way.
#[derive(Debug)]
pub(super) struct Stopped;

impl Workers<'_> {
    /// Calls `work` for ranges that make up all of `rows`, each thread with a state of its own, and puts the outcomes in the
    /// order of the rows.
    pub fn each<S, T: Send>(
        &self,
        rows: usize,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, usize) -> T + Sync,
    ) -> Result<Vec<T>, Stopped> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    give_way();
                    let mut state = state();
                    while let Some(range) = self.take(&next, rows) {
                        let begin = range.start;
                        let outcomes: Vec<T> = range.map(|row| work(&mut state, row)).collect();
                        done.lock().push((begin, outcomes));
                    }
                });
            }
        });
        if self.stop.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        let mut done = done.into_inner();
        done.sort_unstable_by_key(|(begin, _)| *begin);
        Ok(done.into_iter().flat_map(|(_, outcomes)| outcomes).collect())
    }

    fn take(&self, next: &AtomicUsize, rows: usize) -> Option<Range<usize>> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let begin = next.fetch_add(ROWS_AT_ONCE, Ordering::Relaxed);
        (begin < rows).then(|| begin..(begin + ROWS_AT_ONCE).min(rows))
    }
}

/// Lets other threads of the machine go first. Linux keeps niceness by thread; elsewhere it is the process's, and stays.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "an index is built as urgently as questions are answered");
    }
}
