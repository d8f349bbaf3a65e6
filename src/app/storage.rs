//! Whether uploads could be stored now, found out at most once in a while however often it is asked.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::timeout;

/// A look at the disk writes to it: what it showed holds for so long.
const MOMENT: Duration = Duration::from_secs(2);
/// Nobody waits longer for the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// When somebody looked, and what was the matter.
type Looked = Option<(Instant, Result<(), String>)>;

/// The last look at the disk, and the one that is under way: never two at a time, also where it hangs.
#[derive(Default)]
pub(super) struct StorageCheck {
    last: Arc<Mutex<Looked>>,
    looking: Arc<tokio::sync::Mutex<()>>,
}

impl StorageCheck {
    /// What is the matter, if anything is. Looks where nobody has for a while.
    pub async fn check<F>(&self, look: impl FnOnce() -> F) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let silent = || Err("the data folder's disk does not answer".to_owned());
        if let Some(known) = self.known() {
            return known;
        }
        let Ok(turn) = timeout(PATIENCE, self.looking.clone().lock_owned()).await else { return silent() };
        // Somebody else has looked meanwhile.
        if let Some(known) = self.known() {
            return known;
        }
        let (last, look) = (self.last.clone(), look());
        let look = tokio::spawn(async move {
            let found = look.await;
            *last.lock() = Some((Instant::now(), found.clone()));
            drop(turn);
            found
        });
        match timeout(PATIENCE, look).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => silent(),
        }
    }

    fn known(&self) -> Option<Result<(), String>> {
        let last = self.last.lock();
        last.as_ref().filter(|(when, _)| when.elapsed() < MOMENT).map(|(_, found)| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_are_told_by_one_look() {
        let (check, looks) = (StorageCheck::default(), Arc::new(AtomicUsize::new(0)));
        let look = || {
            let looks = looks.clone();
            async move {
                looks.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                Err("full".to_owned())
            }
        };
        let began = Instant::now();
        let all = futures_util::future::join_all((0..1000).map(|_| check.check(look))).await;
        assert!(all.iter().all(|told| told == &Err("full".to_owned())));
        assert!(looks.load(SeqCst) <= 1 + began.elapsed().as_secs() as usize / 2);
    }

    /// A disk that hangs is asked once, and everybody who waits is told.
    #[tokio::test]
    async fn a_look_that_hangs_is_the_only_one() {
        let (check, looks) = (StorageCheck::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let looks = looks.clone();
            let told = check.check(|| async move {
                looks.fetch_add(1, SeqCst);
                std::future::pending().await
            });
            assert!(told.await.is_err_and(|problem| problem.contains("does not answer")));
        }
        assert_eq!(looks.load(SeqCst), 1);
    }
}
