//! Everything under `/v1` that is not ours, streamed both ways without being read.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Either};

use super::ApiError;
use super::caller::{Caller, collections};
use super::in_path::{self, InPath};
use super::params::{Place, RagHeaders};
use crate::app::App;
use crate::rag::{RagStatus, status_header};
use crate::relay::{self, Upgrade};
use crate::selection::SelectionError;
use crate::telemetry::Record;
use crate::upstream;

/// A path that asks a model and is not grounded yet: whoever chose a collection in so many words is not given an answer
/// without it.
pub async fn ungrounded(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    InPath(path): InPath,
    request: Request,
) -> Result<Response, ApiError> {
    let RagHeaders { asked, .. } = RagHeaders::read(request.headers())?;
    if let Some(named) = &asked.header {
        collections(&app.catalog, &access, "header X-RAG-Collection", named)?;
    }
    let is_chosen = path.is_some() || asked.header.is_some();
    if !is_chosen && asked.documents.is_some() {
        return Err(SelectionError::DocumentWithoutCollection.into());
    }
    if is_chosen && !asked.off {
        return Err(ApiError::not_grounded(request.uri().path()));
    }
    let mut response = everything_else(State(app), request).await?;
    if is_chosen {
        for (name, value) in status_header(RagStatus::Off) {
            response.headers_mut().entry(name).or_insert(value);
        }
    }
    Ok(response)
}

/// Passes a request on as it is.
pub async fn everything_else(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let target = target.strip_prefix("/v1").unwrap_or(target);
    let place = parts.extensions.remove::<Place>();
    let record = parts.extensions.remove::<Arc<Record>>();
    let upgrade = Upgrade::of(&parts.method, &parts.headers, &mut parts.extensions);
    let mut headers = relay::request_headers(parts.headers);
    // A stream is sent in chunks unless its length is said, and some servers refuse chunks.
    let body = match http_body::Body::size_hint(&body).exact() {
        Some(0) => upstream::full(bytes::Bytes::new()),
        length => {
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, length.into());
            }
            Either::Right(body.map_err(axum::Error::into_inner).boxed_unsync())
        }
    };
    if let Some(upgrade) = &upgrade {
        upgrade.ask(&mut headers);
    }
    if let Some(record) = &record {
        record.propagate(&mut headers);
    }
    let started = Instant::now();
    let mut answer = app.upstream.send(parts.method, target, headers, body).await?;
    if let Some(record) = &record {
        record.upstream_answered(started.elapsed());
    }
    // A redirect keeps the collection.
    let below = in_path::prefix(&parts.extensions);
    if !below.is_empty()
        && let Some(location) = answer.headers().get(LOCATION).filter(|to| to.as_bytes().starts_with(b"/v1/"))
        && let Ok(location) = HeaderValue::from_bytes(&[below.as_bytes(), location.as_bytes()].concat())
    {
        answer.headers_mut().insert(LOCATION, location);
    }
    match upgrade {
        Some(upgrade) if Upgrade::is_agreed(&answer) => Ok(upgrade.switch(answer, place)),
        // To something that nobody asked for.
        Some(_) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => Err(app.upstream.switched().into()),
        _ => Ok(relay::response(answer, &[])),
    }
}
