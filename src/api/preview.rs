//! `POST /v1/rag/preview`: a chat as it would go to the model, which is not asked.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::value::RawValue;

use super::ApiError;
use super::asking::Asking;
use super::caller::Caller;
use super::in_path::InPath;
use super::watch::Watched;
use crate::app::App;
use crate::openai::ModelApi;
use crate::prompt::Passages;
use crate::rag::Considered;
use crate::selection::Selection;

/// A chat as it would go to the model.
#[derive(Serialize)]
pub struct Preview {
    object: &'static str,
    status: &'static str,
    /// Why there are no passages, where the status alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    collections: Vec<String>,
    /// What was searched for; null where all that was chosen went in whole.
    query: Option<String>,
    request: Box<RawValue>,
    passages: Passages,
    considered: Option<Considered>,
    timings: serde_json::Value,
}

pub async fn preview(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Watched(record): Watched,
    InPath(path): InPath,
    request: Request,
) -> Result<Json<Preview>, ApiError> {
    let asking = Asking::read(&app, &access, &record, path, request, ModelApi::Chat).await?;
    let Selection::Collections(selected, request) = &asking.selection else {
        let message =
            "name a collection: by path, X-RAG-Collection, a file_search tool or {model}@{collection}";
        return Err(ApiError::bad_request("no_collection", message));
    };
    let grounded = asking.ground(selected, request.as_deref()).await?;
    let request = std::str::from_utf8(&grounded.body)
        .ok()
        .and_then(|text| RawValue::from_string(text.to_owned()).ok())
        .ok_or_else(|| ApiError::bad_request("invalid_json", "the body is not JSON"))?;
    Ok(Json(Preview {
        object: "rag.preview",
        status: grounded.status.name(),
        reason: grounded.reason,
        passages: grounded.passages,
        considered: grounded.considered,
        timings: grounded.spent.to_json(),
        collections: grounded.collections,
        query: grounded.query,
        request,
    }))
}
