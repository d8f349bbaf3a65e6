//! `/health`: the process answers. `/ready`: and everything it needs is there.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::embed;

/// A probe does not wait longer for the LLM server.
const UPSTREAM_PATIENCE: Duration = Duration::from_secs(1);
/// What it told a moment ago still holds: probes come often.
const UPSTREAM_MOMENT: Duration = Duration::from_secs(2);
/// Nor for the disk.
const STORAGE_PATIENCE: Duration = Duration::from_secs(1);

pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// 503 while the embedding model is loading: until then words alone answer. A model that could not be loaded, an LLM
/// server that does not answer, and a data folder that cannot be written, are said but do not make the server unready: what is there works.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let (embedding, loading) = match app.embeddings.as_ref().map(embed::Embeddings::state) {
        None => (json!({ "status": "none" }), false),
        Some(embed::State::Loading) => (json!({ "status": "loading" }), true),
        Some(embed::State::Failed(reason)) => (json!({ "status": "failed", "message": reason }), false),
        Some(embed::State::Ready(info)) => (
            json!({ "status": "ready", "model": info.name, "dimensions": info.dimensions, "device": info.device }),
            false,
        ),
    };
    let models = tokio::time::timeout(UPSTREAM_PATIENCE, app.upstream.models_now(UPSTREAM_MOMENT)).await;
    // A busy one is not down: it answers what it was asked before.
    let models = models.or_else(|late| app.upstream.models_told().map(Ok).ok_or(late));
    let upstream = match models {
        Ok(Ok(models)) => {
            let ids: Vec<&str> = models.iter().map(|(id, _)| id.as_str()).collect();
            json!({ "status": "ready", "address": app.upstream.base(), "models": ids })
        }
        Ok(Err(error)) => json!({ "status": "failed", "message": error.to_string() }),
        Err(_) => json!({ "status": "failed", "message": "no answer in time" }),
    };
    let storage = match tokio::time::timeout(STORAGE_PATIENCE, app.check_storage()).await {
        Ok(Ok(())) => json!({ "status": "ready" }),
        Ok(Err(error)) => json!({ "status": "failed", "message": error.to_string() }),
        Err(_) => json!({ "status": "failed", "message": "the data folder's disk does not answer" }),
    };
    let status = if loading { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (
        status,
        Json(json!({ "ready": !loading, "embedding": embedding, "upstream": upstream, "storage": storage })),
    )
}
