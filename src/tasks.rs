//! Work that must not run on the asynchronous threads, and steps that nobody's leaving stops.
//!
//! A worker that dies is an error of the kind that the work itself has.

use std::cell::Cell;

use tokio::runtime::Handle;
use tokio::task::JoinError;

thread_local! {
    /// Whether this thread is one for work that blocks, and runs steps of [`on_one_thread`].
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Does work that blocks, or that computes for long, on a thread for such work.
pub async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    if MAY_BLOCK.get() {
        return work();
    }
    tokio::task::spawn_blocking(work).await?
}

/// Runs steps to their end on one thread for work that blocks, which does all [`blocking`] work among them itself: where
/// each takes less than a millisecond, the ways between threads would cost as much. For steps that wait for nothing else.
pub async fn on_one_thread<T, E>(steps: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    /// The thread is used by others afterwards, also where the steps panicked.
    struct Until;
    impl Drop for Until {
        fn drop(&mut self) {
            MAY_BLOCK.set(false);
        }
    }
    let runtime = Handle::current();
    let run = move || {
        let _until = Until;
        MAY_BLOCK.set(true);
        runtime.block_on(steps)
    };
    tokio::task::spawn_blocking(run).await?
}

/// Runs steps that belong together to their end, even if whoever asked for them leaves half-way.
pub async fn to_its_end<T, E>(steps: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    tokio::spawn(steps).await?
}

#[cfg(test)]
mod tests {
    use std::thread::{ThreadId, current};

    use super::*;

    async fn thread_of_work() -> Result<ThreadId, JoinError> {
        blocking(|| Ok(current().id())).await
    }

    #[tokio::test]
    async fn steps_of_one_thread_do_their_work_on_it_and_others_do_not() {
        let here = current().id();
        let steps = || async {
            let before = current().id();
            let work = thread_of_work().await?;
            tokio::task::yield_now().await;
            assert_eq!((before, work), (current().id(), current().id()));
            // What is spawned goes its own way.
            let spawned = tokio::spawn(async { MAY_BLOCK.get() }).await?;
            Ok::<_, JoinError>((work, spawned))
        };
        let (work, spawned) = on_one_thread(steps()).await.expect("it ended");
        assert!(work != here && !spawned);
        assert_ne!(thread_of_work().await.expect("it ended"), here);
        let died = on_one_thread(async { Err::<(), JoinError>(panicking().await) }).await;
        assert!(died.expect_err("an error").is_panic());
        // All of the threads for such work are as they were.
        for _ in 0..50 {
            assert!(!blocking(|| Ok::<_, JoinError>(MAY_BLOCK.get())).await.expect("it ended"));
        }
    }

    async fn panicking() -> JoinError {
        tokio::spawn(async { panic!("this is meant to happen") }).await.expect_err("a panic")
    }
}
