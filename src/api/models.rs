//! `GET /v1/models`: upstream's, each of them with each collection, and the embedding model that we answer for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};

use super::ApiError;
use super::params::{Caller, Chat};
use crate::app::App;
use crate::embed::State;
use crate::upstream::full;
use crate::{openai, relay, system};

/// A model list longer than this is relayed as it is.
const LONGEST_LIST: usize = 4 << 20;

pub async fn list(
    Shared(app): Shared<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut headers = relay::request_headers(headers);
    // The list is read here.
    headers.remove(http::header::ACCEPT_ENCODING);
    let upstream = app.upstream.send(Method::GET, "/models", headers, full(Bytes::new())).await?;
    let collections: Vec<String> = app.catalog.list(&access).iter().map(|c| c.label()).collect();
    let mut response = relay::response(upstream, &[]);
    let own = own_model(&app);
    if (collections.is_empty() && own.is_none()) || !response.status().is_success() {
        return Ok(response);
    }
    let body = std::mem::take(response.body_mut());
    let body = Limited::new(body, LONGEST_LIST).collect().await;
    let body = body.map_err(|error| app.upstream.broken(&*error))?.to_bytes();
    let mut list = openai::with_collections(&body, &collections).map_or(body, Bytes::from);
    if let Some((name, since)) = own {
        list = openai::with_own_model(&list, name, since).map_or(list, Bytes::from);
    }
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(list);
    Ok(response)
}

/// The embedding model's name, and since when it is here in Unix seconds. One that could not be loaded is not listed.
fn own_model(app: &App) -> Option<(&str, i64)> {
    let embeddings = app.embeddings.as_ref()?;
    if matches!(embeddings.state(), State::Failed(_)) {
        return None;
    }
    let since = system::seconds(app.opened());
    Some((embeddings.name(), since))
}
