//! What handlers tell those who watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::ApiError;
use crate::app::App;
use crate::collection::Found;
use crate::rag::{Grounded, RagStatus};
use crate::selection::Selection;
use crate::telemetry::{Record, Retrieval, Stage};

/// The record of the request in hand.
pub struct Watched(pub Arc<Record>);

impl<S: Sync> FromRequestParts<S> for Watched {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        // The server puts it there for every request that it lets in.
        let record = parts.extensions.get::<Arc<Record>>().cloned();
        record.map(Self).ok_or_else(|| ApiError::internal(&"a request came without its record"))
    }
}

/// Passages were looked for a prompt.
pub(super) fn grounded(app: &App, record: &Record, grounded: &Grounded, began: Instant) {
    let stages = one_after_the_other(grounded.spent.stages());
    record.retrieved(Retrieval {
        status: grounded.status.name(),
        collections: grounded.collections.clone(),
        query: grounded.query.clone(),
        passages: grounded.passages.len(),
        added_tokens: grounded.added_tokens,
        began,
        took: began.elapsed(),
        embedded_by: embedded_by(app, &stages),
        stages,
    });
}

/// Retrieval broke, and the request with it.
pub(super) fn failed(record: &Record, selection: &Selection, began: Instant) {
    record.retrieved(Retrieval {
        status: RagStatus::Error.name(),
        collections: selection.scopes.iter().map(|scope| scope.collection.label()).collect(),
        query: None,
        passages: 0,
        added_tokens: 0,
        began,
        took: began.elapsed(),
        stages: Vec::new(),
        embedded_by: None,
    });
}

/// A search that is no part of a chat.
pub(super) fn searched(
    app: &App,
    record: &Record,
    collection: String,
    queries: &[String],
    found: &Found,
    began: Instant,
) {
    let stages = one_after_the_other(found.timings.stages());
    let status = if found.hits.is_empty() { RagStatus::Empty } else { RagStatus::of(found.by) };
    record.retrieved(Retrieval {
        status: status.name(),
        collections: vec![collection],
        query: Some(queries.join("\n")),
        passages: found.hits.len(),
        added_tokens: 0,
        began,
        took: began.elapsed(),
        embedded_by: embedded_by(app, &stages),
        stages,
    });
}

fn embedded_by(app: &App, stages: &[Stage]) -> Option<String> {
    let embeddings = app.embeddings.as_ref().filter(|_| stages.iter().any(|stage| stage.name == "embed"))?;
    Some(embeddings.name().to_owned())
}

/// When each began: the question is embedded while words are looked up, and the rest comes after both.
fn one_after_the_other(stages: Vec<(&'static str, Duration)>) -> Vec<Stage> {
    let (mut embedded, mut over) = (Duration::ZERO, Duration::ZERO);
    let place = |(name, took): (&'static str, Duration)| {
        let after = match name {
            "embed" | "lexical" => Duration::ZERO,
            "dense" => embedded,
            _ => over,
        };
        if name == "embed" {
            embedded = took;
        }
        over = over.max(after + took);
        Stage { name, after, took }
    };
    stages.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_begin_when_what_they_need_is_there() {
        let ms = Duration::from_millis;
        let stages = vec![("embed", ms(5)), ("lexical", ms(9)), ("dense", ms(2)), ("weave", ms(1))];
        let after: Vec<Duration> = one_after_the_other(stages).iter().map(|stage| stage.after).collect();
        assert_eq!(after, [ms(0), ms(0), ms(5), ms(9)]);
    }
}
