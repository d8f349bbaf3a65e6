//! How the grounding of an answer went, and where the time went.

use std::time::Duration;

use crate::collection::{By, Stage, Timings};

/// A stage's time is told up to about eleven days.
const LONGEST_TOLD: Duration = Duration::from_secs(1_000_000);

/// How the grounding of an answer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RagStatus {
    /// Passages found, by words and meaning or because all fitted.
    Hit,
    /// Passages found by words alone.
    Lexical,
    /// Passages found by meaning alone, since the words could not be searched.
    Dense,
    /// Nothing relevant, or no question.
    Empty,
    /// No room for a passage in the model's window.
    NoRoom,
    /// Small talk: it asks nothing of the documents, and they were not searched.
    Skipped,
    /// Switched off for this request.
    Off,
    /// Retrieval broke, or the body cannot be read.
    Error,
}

impl RagStatus {
    /// Of passages that a search found.
    pub fn of(by: By) -> Self {
        match by {
            By { words: false, .. } => Self::Dense,
            By { meaning: false, .. } => Self::Lexical,
            By { .. } => Self::Hit,
        }
    }

    /// As in `X-RAG-Status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Lexical => "lexical",
            Self::Dense => "dense",
            Self::Empty => "empty",
            Self::NoRoom => "no_room",
            Self::Skipped => "skipped",
            Self::Off => "off",
            Self::Error => "error",
        }
    }
}

/// Where the time went before upstream was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub search: Option<Timings>,
    pub weave: Duration,
}

impl Spent {
    /// Each stage that there was: weaving comes after the search.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages = self.search.map(|search| search.stages()).unwrap_or_default();
        let after = stages.iter().map(Stage::end).max().unwrap_or_default();
        stages.push(Stage { name: "weave", after, took: self.weave });
        stages
    }

    /// The same as JSON, in milliseconds.
    pub fn to_json(&self) -> serde_json::Value {
        self.stages()
            .into_iter()
            .map(|stage| (stage.name.to_owned(), milliseconds(stage.took).into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// To the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.min(LONGEST_TOLD).as_secs_f64() * 1e6).round() / 1e3
}
