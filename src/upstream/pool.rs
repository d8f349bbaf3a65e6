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
    idle: Mutex<Idle>,
    keep: Duration,
    most: usize,
}

#[derive(Default)]
struct Idle {
    connections: Vec<(Connection, Instant)>,
    /// Whether a task closes those that nobody came for.
    reaped: bool,
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
            let (connection, since) = self.idle.lock().connections.pop()?;
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

    fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.connections.len() < self.most {
            idle.connections.push((connection, Instant::now()));
        }
        if !idle.reaped {
            idle.reaped = true;
            tokio::spawn(self.clone().reap());
        }
    }

    /// Closes what nobody came for, until nothing is left.
    async fn reap(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.keep).await;
            let expired: Vec<_> = {
                let mut idle = self.idle.lock();
                if idle.connections.is_empty() {
                    idle.reaped = false;
                    return;
                }
                let now = Instant::now();
                let since = idle.connections.iter().map(|(_, since)| *since);
                let expired = since.take_while(|since| now - *since >= self.keep).count();
                idle.connections.drain(..expired).collect()
            };
            // Closing takes system calls: not under the lock.
            drop(expired);
        }
    }
}
