//! Everything under `/v1` that is not ours, streamed both ways without being read.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Either};
use percent_encoding::percent_decode_str;

use super::ApiError;
use super::error::unknown_route;
use super::params::{Caller, Place, Relay};
use super::spelling;
use crate::app::App;
use crate::relay::{self, Upgrade};
use crate::telemetry::Record;
use crate::upstream;

pub async fn everything_else(
    State(app): State<Arc<App>>,
    _caller: Caller<Relay>,
    request: Request,
) -> Result<Response, ApiError> {
    let path = path_after(&request, "/v1");
    // Ours: what of it is not served yet is not upstream's either.
    if is_ours(&path) {
        return Err(unknown_route(request).await);
    }
    forward(&app, "", path, request).await
}

/// The same for clients whose base address names a collection.
pub async fn everything_else_of(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Relay>,
    request: Request,
) -> Result<Response, ApiError> {
    // As it was spelled, which may be percent-encoded. Routes that come here name their parts differently.
    let spelled = request.uri().path().split('/').nth(2).unwrap_or_default();
    let collection = percent_decode_str(spelled).decode_utf8();
    let collection =
        collection.map_err(|_| ApiError::bad_request("invalid_path", "the path is not UTF-8"))?;
    app.catalog.find(&access, &collection)?;
    let below = format!("/c/{spelled}");
    let path = path_after(&request, &format!("{below}/v1"));
    if is_ours(&path) {
        return Err(ApiError::not_below_a_collection());
    }
    forward(&app, &below, path, request).await
}

/// What lastro serves, or will, is not upstream's. Paths have one spelling here.
fn is_ours(path: &str) -> bool {
    let noun = path.split(['/', '?']).nth(1).unwrap_or_default();
    spelling::begins_ours(noun)
}

fn path_after(request: &Request, prefix: &str) -> String {
    let path = request.uri().path_and_query().map_or("", |p| p.as_str());
    path.strip_prefix(prefix).unwrap_or(path).to_owned()
}

/// `below` is what stands before `/v1` here.
async fn forward(app: &App, below: &str, path: String, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
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
    let mut answer = app.upstream.send(parts.method, &path, headers, body).await?;
    if let Some(record) = &record {
        record.upstream_answered(started.elapsed());
    }
    // A redirect keeps the collection.
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
