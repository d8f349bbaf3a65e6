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
    /// As a chat does it, without a reranker.
    Fused,
}

impl Ranking {
    /// All of them, from the simplest on.
    pub const ALL: [Self; 3] = [Self::Words, Self::Meaning, Self::Fused];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Meaning => "meaning",
            Self::Fused => "fused",
        }
    }

    /// Shares of meaning and of words; none where the search decides.
    pub fn weights(self) -> Option<(f32, f32)> {
        match self {
            Self::Words => Some((0.0, 1.0)),
            Self::Meaning => Some((1.0, 0.0)),
            Self::Fused => None,
        }
    }

    /// Whether it needs an embedding model to be itself.
    pub fn needs_meaning(self) -> bool {
        self != Self::Words
    }
}

impl fmt::Display for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
