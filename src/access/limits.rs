//! How much a key may ask for: requests a minute, requests at a time, and what it may store.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::quota::Quota;

/// A key's limits, as they are stored. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Requests at a time, streams among them.
    #[serde(default)]
    pub streams: Option<u32>,
    /// Of its own documents.
    #[serde(default)]
    pub quota: Quota,
}

/// A request that is over a key's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this key may send {most} requests a minute")]
    TooOften { most: u32, retry_after: Duration },
    #[error("this key may have {most} requests answered at a time")]
    TooMany { most: u32 },
}

impl Refusal {
    /// When it is worth trying again.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::TooOften { retry_after, .. } => *retry_after,
            Self::TooMany { .. } => Duration::from_secs(1),
        }
    }
}

const MINUTE: u64 = 60_000_000_000;

/// A bucket that holds a minute's requests and fills evenly, as one number: when it will be full again, in nanoseconds
/// since it was made. (The generic cell rate algorithm, ITU-T I.371.)
#[derive(Debug)]
pub(super) struct Bucket {
    began: Instant,
    full_at: AtomicU64,
}

impl Bucket {
    pub fn new() -> Self {
        Self { began: Instant::now(), full_at: AtomicU64::new(0) }
    }

    /// Takes one of `most` a minute, or says how long there is none.
    pub fn take(&self, most: u32) -> Result<(), Duration> {
        self.take_at(most, self.began.elapsed())
    }

    fn take_at(&self, most: u32, since_began: Duration) -> Result<(), Duration> {
        let now = since_began.as_nanos() as u64;
        let one = MINUTE / u64::from(most.max(1));
        let taken = self.full_at.fetch_update(AcqRel, Acquire, |full_at| {
            let next = full_at.max(now) + one;
            (next - now <= MINUTE).then_some(next)
        });
        taken.map(|_| ()).map_err(|full_at| Duration::from_nanos(full_at + one - MINUTE - now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_minutes_requests_at_once_and_then_evenly() {
        let bucket = Bucket::new();
        let at = Duration::from_secs;
        for _ in 0..60 {
            assert_eq!(bucket.take_at(60, at(100)), Ok(()));
        }
        assert_eq!(bucket.take_at(60, at(100)), Err(at(1)));
        assert_eq!(bucket.take_at(60, Duration::from_millis(100_400)), Err(Duration::from_millis(600)));
        assert_eq!(bucket.take_at(60, at(101)), Ok(()));
        assert_eq!(bucket.take_at(60, at(101)), Err(at(1)));
        // It never holds more than a minute's.
        let later = at(10_000);
        assert_eq!((0..100).filter(|_| bucket.take_at(60, later).is_ok()).count(), 60);
        let slow = Bucket::new();
        assert_eq!((slow.take_at(1, at(0)), slow.take_at(1, at(0))), (Ok(()), Err(at(60))));
    }
}
