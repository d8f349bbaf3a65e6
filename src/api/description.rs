//! `GET /openapi.json`: what is served here, in OpenAPI.

use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;

pub async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
