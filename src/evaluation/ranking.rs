//! The rankings that are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way to rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ranking {
    /// By words alone.
    Words,
    /// By meaning alone.
    Meaning,
    /// As a chat does it without a reranker.
    Fused,
    /// As a chat does it with one.
    Reranked,
}

impl Ranking {
    /// All of them, from the simplest on.
    pub const ALL: [Self; 4] = [Self::Words, Self::Meaning, Self::Fused, Self::Reranked];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Meaning => "meaning",
            Self::Fused => "fused",
            Self::Reranked => "reranked",
        }
    }

    /// Shares of meaning and of words; none where the search decides.
    pub fn weights(self) -> Option<(f32, f32)> {
        match self {
            Self::Words => Some((0.0, 1.0)),
            Self::Meaning => Some((1.0, 0.0)),
            Self::Fused | Self::Reranked => None,
        }
    }

    /// Whether it needs a reranker.
    pub fn needs_reranker(self) -> bool {
        self == Self::Reranked
    }

    /// Whether it needs an embedding model to be itself.
    pub fn needs_meaning(self) -> bool {
        matches!(self, Self::Meaning | Self::Fused)
    }
}

impl fmt::Display for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
