//! Work that many ask for and that is done once for all of them.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, watch};

use super::CollectionError;

type Outcome = Result<(), Arc<CollectionError>>;

/// Runs of one piece of work, one at a time and each in a task of its own: who asked may leave, and it goes on. Who asks
/// while one is under way gets the next, since the present one may have looked already; all who wait share it.
#[derive(Default)]
pub(super) struct Runs {
    turn: Arc<Turn<()>>,
    /// The run that is still to begin.
    next: Arc<Mutex<Option<Shared<BoxFuture<'static, Outcome>>>>>,
}

impl Runs {
    /// Waits for a run that begins after this call.
    pub async fn run<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Outcome
    where
        F: Future<Output = Result<(), CollectionError>> + Send + 'static,
    {
        let run = {
            let mut next = self.next.lock();
            next.get_or_insert_with(|| self.begin(work)).clone()
        };
        run.await
    }

    fn begin<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Shared<BoxFuture<'static, Outcome>>
    where
        F: Future<Output = Result<(), CollectionError>> + Send + 'static,
    {
        let (turn, next) = (self.turn.clone(), self.next.clone());
        let task = tokio::spawn(async move {
            let _turn = turn.lock().await;
            *next.lock() = None;
            work().await.map_err(Arc::new)
        });
        let outcome = async { task.await.unwrap_or_else(|died| Err(Arc::new(died.into()))) };
        outcome.boxed().shared()
    }

    /// Waits for the run under way, and keeps others from beginning.
    pub async fn pause(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Keeps others from beginning. None where a run is under way.
    pub fn try_pause(&self) -> Option<OwnedMutexGuard<()>> {
        self.turn.clone().try_lock_owned().ok()
    }
}

/// What is under way although whoever asked for it may have left.
#[derive(Clone, Default)]
pub(super) struct UnderWay(watch::Sender<usize>);

/// One piece of it, until dropped.
pub(super) struct Piece(watch::Sender<usize>);

impl UnderWay {
    /// Counts one more.
    pub fn begin(&self) -> Piece {
        self.0.send_modify(|pieces| *pieces += 1);
        Piece(self.0.clone())
    }

    /// Waits until nothing is under way.
    pub async fn nothing(&self) {
        // An error says that nobody counts, and this one does.
        let _ = self.0.subscribe().wait_for(|pieces| *pieces == 0).await;
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.send_modify(|pieces| *pieces -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    struct Work {
        runs: Runs,
        begun: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
        go: Arc<Notify>,
    }

    impl Work {
        fn new() -> Arc<Self> {
            let (begun, ended, go) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<Notify>)>::default();
            Arc::new(Self { runs: Runs::default(), begun, ended, go })
        }

        async fn run(self: Arc<Self>) -> Outcome {
            let (begun, ended, go) = (self.begun.clone(), self.ended.clone(), self.go.clone());
            let work = move || async move {
                begun.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            self.runs.run(work).await
        }

        async fn until(&self, begun: usize) {
            while self.begun.load(Ordering::SeqCst) < begun {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_run_outlives_who_asked_for_it() {
        let work = Work::new();
        let asked = tokio::spawn(work.clone().run());
        work.until(1).await;
        asked.abort();
        assert!(asked.await.is_err());
        work.go.notify_one();
        drop(work.runs.pause().await);
        assert_eq!(work.ended.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn all_who_ask_meanwhile_share_the_next_run() {
        let work = Work::new();
        let first = tokio::spawn(work.clone().run());
        work.until(1).await;
        let mut rest = tokio::task::JoinSet::new();
        for _ in 0..50 {
            rest.spawn(work.clone().run());
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        work.go.notify_one();
        first.await.expect("a task").expect("a run");
        work.until(2).await;
        work.go.notify_one();
        while let Some(done) = rest.join_next().await {
            done.expect("a task").expect("a run");
        }
        assert_eq!(work.begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_run_that_dies_is_an_error_and_the_next_one_begins() {
        let runs = Runs::default();
        let died = runs.run(|| async { panic!("a defect") }).await;
        assert!(died.is_err_and(|error| matches!(*error, CollectionError::Worker(_))));
        runs.run(|| async { Ok(()) }).await.expect("a run");
    }
}
