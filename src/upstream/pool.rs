//! Idle connections, warm for the next request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::connection::Connection;

/// A connection whose answer has ended but which is not ready for another request by then is closed: the rest of
/// a request that upstream answered early, for example.
const BECOMES_READY: Duration = Duration::from_secs(1);

/// Idle connections, the last used first.
pub(super) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
    keep: Duration,
    most: usize,
}

impl Pool {
    /// Keeps `most` connections, each for so long.
    pub fn new(keep: Duration, most: usize) -> Self {
        Self { idle: Mutex::default(), keep, most }
    }

    /// One that is alive.
    pub fn take(&self) -> Option<Connection> {
        loop {
            // Not in the head of a `while let`: the lock would be held while a connection is looked at.
            let (connection, since) = self.idle.lock().pop()?;
            if since.elapsed() < self.keep && !connection.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer has ended.
    pub fn give_back(self: &Arc<Self>, mut connection: Connection) {
        if connection.is_ready() {
            self.keep(connection);
        } else {
            let pool = self.clone();
            tokio::spawn(async move {
                let ready = tokio::time::timeout(BECOMES_READY, connection.becomes_ready()).await;
                if ready == Ok(true) {
                    pool.keep(connection);
                }
            });
        }
    }

    fn keep(&self, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.idle.lock();
        let expired = idle.iter().take_while(|(_, since)| now - *since >= self.keep).count();
        let expired: Vec<_> = idle.drain(..expired).collect();
        if idle.len() < self.most {
            idle.push((connection, now));
        }
        drop(idle);
        // Closing takes system calls: not under the lock.
        drop(expired);
    }
}
