//! `GET /metrics`: what Prometheus reads.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::ApiError;
use super::params::{Caller, Metrics as MetricsScope};
use crate::app::App;
use crate::telemetry::Metrics;

pub async fn text(State(app): State<Arc<App>>, _caller: Caller<MetricsScope>) -> Result<Response, ApiError> {
    let standing = app.standing(Instant::now() + app.config.rag.deadline).await?;
    let text = app.telemetry.metrics.text(standing).map_err(|error| ApiError::internal(&error))?;
    Ok(([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response())
}
