//! `GET /v1/rag/traces/{id}`: what was behind an answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::ApiError;
use super::caller::Caller;
use super::params::Path;
use crate::app::App;
use crate::trace::Trace;

pub async fn one(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Path(id): Path<String>,
) -> Result<Json<Trace>, ApiError> {
    let trace = app.trace(&id).await?;
    let trace =
        trace.filter(|t| access.owns(t.owner.as_deref()) && t.collection_ids.iter().all(|c| access.sees(c)));
    match trace {
        Some(trace) => Ok(Json(Trace::clone(&trace))),
        None => Err(ApiError::unknown_trace(&id)),
    }
}
