//! `GET /metrics`: what Prometheus reads.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::ApiError;

use crate::app::App;
use crate::telemetry;

pub async fn text(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let standing = app.standing(Instant::now() + app.config.rag.deadline).await?;
    let text = app.telemetry.metrics.text(standing).map_err(|error| ApiError::internal(&error))?;
    Ok(([(CONTENT_TYPE, telemetry::Metrics::CONTENT_TYPE)], text).into_response())
}
