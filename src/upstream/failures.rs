//! How often upstream failed, and why.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

use super::UpstreamError;

/// Why requests got no answer, or no whole one.
const REASONS: [&str; 6] =
    ["unreachable", "connect_timeout", "header_timeout", "idle_timeout", "broken", "other"];

const UP: u8 = 1;
const DOWN: u8 = 2;

/// Counts since the start.
#[derive(Default)]
pub struct Failures {
    counts: [AtomicU64; REASONS.len()],
    /// 0 until it was spoken to.
    state: AtomicU8,
}

impl Failures {
    /// How often, by reason.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        REASONS.into_iter().zip(&self.counts).map(|(reason, count)| (reason, count.load(Relaxed))).collect()
    }

    /// Whether upstream could be reached when it was last spoken to.
    pub fn is_up(&self) -> Option<bool> {
        match self.state.load(Relaxed) {
            UP => Some(true),
            DOWN => Some(false),
            _ => None,
        }
    }

    /// An exchange ended with this error, or with none.
    pub(super) fn note(&self, error: Option<&UpstreamError>) {
        let (reason, state) = match error {
            None => return self.state.store(UP, Relaxed),
            // The client's doing.
            Some(UpstreamError::Body(_) | UpstreamError::Path(_)) => return,
            Some(UpstreamError::Unreachable { .. } | UpstreamError::Address { .. }) => (0, DOWN),
            Some(UpstreamError::ConnectTimeout { .. }) => (1, DOWN),
            Some(UpstreamError::HeaderTimeout { .. }) => (2, UP),
            Some(UpstreamError::IdleTimeout { .. }) => (3, UP),
            Some(UpstreamError::Broken { .. }) => (4, UP),
            Some(
                UpstreamError::Switched { .. }
                | UpstreamError::NotModels { .. }
                | UpstreamError::Refused { .. }
                | UpstreamError::NoList { .. },
            ) => (5, UP),
        };
        self.counts[reason].fetch_add(1, Relaxed);
        self.state.store(state, Relaxed);
    }
}
