//! The end of the workers: told to stop, they give back what they are at.

use std::time::Duration;

use tokio::sync::watch;

/// How long is waited for what they write down last.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells workers to stop, and waits until they did.
pub(super) struct Stop {
    told: watch::Sender<bool>,
    working: watch::Sender<usize>,
}

/// A worker that is counted until dropped.
pub(super) struct Working<'a>(&'a Stop);

/// What a worker looks at.
pub(super) struct Watch(watch::Receiver<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self { told: watch::Sender::new(false), working: watch::Sender::new(0) }
    }
}

impl Stop {
    pub fn working(&self) -> Working<'_> {
        self.working.send_modify(|working| *working += 1);
        Working(self)
    }

    pub fn watch(&self) -> Watch {
        Watch(self.told.subscribe())
    }

    /// Tells all, and waits for them.
    pub async fn stop(&self) {
        self.told.send_replace(true);
        let mut working = self.working.subscribe();
        if tokio::time::timeout(PATIENCE, working.wait_for(|working| *working == 0)).await.is_err() {
            tracing::warn!("workers do not stop: what they are at is taken up at the next start");
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.send_modify(|working| *working -= 1);
    }
}

impl Watch {
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    pub async fn told(&mut self) {
        // An error means that nobody is left who could tell, nor who could be told.
        let _gone = self.0.wait_for(|told| *told).await;
    }
}
