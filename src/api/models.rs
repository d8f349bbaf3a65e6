//! `GET /v1/models`: upstream's, and each of them with each collection.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};

use super::ApiError;
use super::params::{Caller, Chat};
use crate::app::App;
use crate::upstream::full;
use crate::{openai, relay};

/// A model list longer than this is relayed as it is.
const LONGEST_LIST: usize = 4 << 20;

pub async fn list(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut headers = relay::request_headers(headers);
    // The list is read here.
    headers.remove(http::header::ACCEPT_ENCODING);
    let upstream = app.upstream.send(Method::GET, "/models", headers, full(Bytes::new())).await?;
    let collections: Vec<String> = app.catalog.list(&access).iter().map(|c| c.label()).collect();
    let mut response = relay::response(upstream, &[]);
    if collections.is_empty() || !response.status().is_success() {
        return Ok(response);
    }
    let body = std::mem::take(response.body_mut());
    let body = Limited::new(body, LONGEST_LIST).collect().await;
    let body = body.map_err(|error| app.upstream.broken(&*error))?.to_bytes();
    let list = openai::with_collections(&body, &collections).map_or(body, Into::into);
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(list);
    Ok(response)
}
