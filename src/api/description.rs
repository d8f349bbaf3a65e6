//! `GET /openapi.json`: what is served here, in OpenAPI.

use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;

use super::params::{Caller, Chat};

pub async fn openapi(_caller: Caller<Chat>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
