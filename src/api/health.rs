//! `/health`: the process answers. `/ready`: and everything it needs is there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::ApiError;
use crate::access::{Access, Scope};
use crate::app::App;
use crate::embed;

/// A probe does not wait longer for the LLM server.
const UPSTREAM_PATIENCE: Duration = Duration::from_secs(1);
/// What it told a moment ago still holds: probes come often.
const UPSTREAM_MOMENT: Duration = Duration::from_secs(2);
/// How many may ask for details at a time: they may have to wait for them.
const MOST: usize = 32;
static PLACES: Semaphore = Semaphore::const_new(MOST);

pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// How much a caller is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Ready or not: strangers.
    Whether,
    /// And what of it is missing: whoever has a key.
    What,
    /// And all that is known of it: who runs the server, or may ask the LLM server itself.
    Everything,
}

/// 503 while the embedding model is loading: until then words alone answer. A model that could not be loaded, an LLM
/// server that does not answer, and a data folder that cannot be written, are said but do not make the server unready:
/// what is there works.
pub async fn ready(
    State(app): State<Arc<App>>,
    access: Option<Extension<Access>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let told = match access {
        None => Told::Whether,
        Some(Extension(access)) if access.may(Scope::Relay) || access.may(Scope::Admin) => Told::Everything,
        Some(_) => Told::What,
    };
    let state = app.embeddings.as_ref().map(embed::Embeddings::state);
    let loading = matches!(state, Some(embed::State::Loading));
    let status = if loading { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut said = json!({ "ready": !loading });
    if told != Told::Whether {
        let _place = PLACES.try_acquire().map_err(|_| ApiError::too_many_requests(MOST))?;
        said["embedding"] = embedding(state, told);
        said["upstream"] = upstream(&app, told).await;
        said["storage"] = storage(&app, told).await;
    }
    Ok((status, Json(said)))
}

fn embedding(state: Option<embed::State>, told: Told) -> Value {
    match state {
        None => json!({ "status": "none" }),
        Some(embed::State::Loading) => json!({ "status": "loading" }),
        Some(embed::State::Failed(reason)) if told == Told::Everything => {
            json!({ "status": "failed", "message": reason })
        }
        Some(embed::State::Failed(_)) => json!({ "status": "failed" }),
        Some(embed::State::Ready(info)) if told == Told::Everything => {
            json!({ "status": "ready", "model": info.name, "dimensions": info.dimensions, "device": info.device })
        }
        Some(embed::State::Ready(_)) => json!({ "status": "ready" }),
    }
}

async fn upstream(app: &App, told: Told) -> Value {
    let models = tokio::time::timeout(UPSTREAM_PATIENCE, app.upstream.models_now(UPSTREAM_MOMENT)).await;
    // A busy one is not down: it answers what it was asked before.
    let models = models.or_else(|late| app.upstream.models_told().map(Ok).ok_or(late));
    match models {
        Ok(Ok(models)) if told == Told::Everything => {
            let ids: Vec<&str> = models.iter().map(|(id, _)| id.as_str()).collect();
            json!({ "status": "ready", "address": app.upstream.base(), "models": ids })
        }
        Ok(Ok(_)) => json!({ "status": "ready" }),
        Ok(Err(error)) => {
            // One that asks for a key is there: whoever brings one is answered.
            let status = if error.is_refusal() { "asks_for_key" } else { "failed" };
            let message = match told {
                Told::Everything => error.to_string(),
                _ => ApiError::of_upstream(&error).message().to_owned(),
            };
            json!({ "status": status, "message": message })
        }
        Err(_) => json!({ "status": "failed", "message": "no answer in time" }),
    }
}

async fn storage(app: &App, told: Told) -> Value {
    match app.check_storage().await {
        Ok(()) => json!({ "status": "ready" }),
        Err(problem) if told == Told::Everything => json!({ "status": "failed", "message": problem }),
        Err(_) => json!({ "status": "failed" }),
    }
}
