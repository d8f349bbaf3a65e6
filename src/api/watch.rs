//! What handlers tell those who watch.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::ApiError;
use crate::app::App;
use crate::collection::{self, Found};
use crate::rag::{Grounded, RagStatus};
use crate::selection::Selected;
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

/// Records a retrieval that was made for a prompt.
pub(super) fn grounded(app: &App, record: &Record, grounded: &Grounded, began: Instant) {
    let stages = stages(grounded.spent.stages());
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

/// Records a retrieval that broke, and the request with it.
pub(super) fn failed(record: &Record, selected: &Selected, began: Instant) {
    record.retrieved(Retrieval {
        status: RagStatus::Error.name(),
        collections: selected.labels(),
        query: None,
        passages: 0,
        added_tokens: 0,
        began,
        took: began.elapsed(),
        stages: Vec::new(),
        embedded_by: None,
    });
}

/// Records a search that is no part of a chat.
pub(super) fn searched(
    app: &App,
    record: &Record,
    collection: String,
    queries: &[String],
    found: &Found,
    began: Instant,
) {
    let stages = stages(found.timings.stages());
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

/// The same for those who watch.
fn stages(stages: Vec<collection::Stage>) -> Vec<Stage> {
    let told = |collection::Stage { name, after, took }| Stage { name, after, took };
    stages.into_iter().map(told).collect()
}
