//! How much may be stored: what keys are given, and what the store holds uploads to.

use serde::{Deserialize, Serialize};

/// How much may be stored. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    #[serde(default)]
    pub documents: Option<u64>,
    /// Of files.
    #[serde(default)]
    pub bytes: Option<u64>,
    #[serde(default)]
    pub chunks: Option<u64>,
}
