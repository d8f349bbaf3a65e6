//! What requests say outside their bodies: parts of the path, and our own headers; and JSON bodies of our own endpoints.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::ApiError;
use super::bodies::read_whole;
use crate::access::Permit;
use crate::app::App;
use crate::citation::Mode;
use crate::openai::{Body, parse_value};
use crate::selection::Asked;

/// The parts of a path that stand for something, decoded.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(named)) => Ok(Self(named)),
            Err(error) => Err(ApiError::bad_request("invalid_path", error.body_text())),
        }
    }
}

/// A JSON body of one of our own endpoints, read and checked.
pub struct JsonBody<T>(pub T);

impl<T: Body> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let (bytes, _held) = read_whole(app, body).await?;
        let request = Request::from_parts(parts, bytes.into());
        let read = Json::<serde_json::Value>::from_request(request, app).await;
        let Json(value) =
            read.map_err(|error| ApiError::not_this_json(&error, app.config.server.max_body))?;
        Ok(Self(parse_value(value, "")?))
    }
}

/// One of the requests that are worked on at a time, of all and of those of its key. Whoever holds it occupies a place.
#[derive(Clone)]
pub struct Place {
    _held: Arc<(OwnedSemaphorePermit, Option<Permit>)>,
}

impl Place {
    pub fn new(of_all: OwnedSemaphorePermit, of_key: Option<Permit>) -> Self {
        Self { _held: Arc::new((of_all, of_key)) }
    }
}

/// `X-RAG`, `X-RAG-Collection`, `X-RAG-Document`, `X-RAG-K` and `X-RAG-Citations`.
#[derive(Debug, Default)]
pub struct RagHeaders {
    pub asked: Asked,
    pub citations: Mode,
}

/// Most passages that a client may ask for.
const MOST_PASSAGES: usize = 50;

impl RagHeaders {
    /// Reads and checks them.
    pub fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let switch = text(headers, "x-rag")?.map(|switch| switch.trim().to_ascii_lowercase());
        let off = match switch.as_deref() {
            None | Some("on") => false,
            Some("off") => true,
            Some(other) => {
                return Err(ApiError::bad_request(
                    "invalid_header",
                    format!("X-RAG: {other:?} is neither on nor off"),
                ));
            }
        };
        let passages = match text(headers, "x-rag-k")? {
            None => None,
            Some(k) => match k.trim().parse() {
                Ok(k) if (1..=MOST_PASSAGES).contains(&k) => Some(k),
                _ => {
                    let message = format!("X-RAG-K: {k:?} is not a number from 1 to {MOST_PASSAGES}");
                    return Err(ApiError::bad_request("invalid_header", message));
                }
            },
        };
        let citations = match text(headers, "x-rag-citations")? {
            None => Mode::default(),
            Some(name) => Mode::named(&name.trim().to_ascii_lowercase()).ok_or_else(|| {
                let message = format!("X-RAG-Citations: {name:?} is none of header, comment and annotations");
                ApiError::bad_request("invalid_header", message)
            })?,
        };
        let asked = Asked {
            header: text(headers, "x-rag-collection")?,
            documents: text(headers, "x-rag-document")?,
            path: None,
            passages,
            off,
        };
        Ok(Self { asked, citations })
    }
}

/// The address under which the client of a request reaches this server, without a path.
pub fn public_address(app: &App, headers: &HeaderMap, uri: &Uri) -> String {
    let server = &app.config.server;
    if let Some(url) = &server.public_url {
        return url.clone();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match host.or_else(|| uri.authority().map(|authority| authority.as_str())) {
        Some(host) => format!("http://{host}"),
        None => format!("http://{}", server.listen),
    }
}

/// A header's value as text: UTF-8, plain or percent-encoded. Given twice it is an error.
fn text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = |problem: &str| ApiError::bad_request("invalid_header", format!("{name} {problem}"));
    if values.next().is_some() {
        return Err(bad("is given more than once"));
    }
    match percent_decode(value.as_bytes()).decode_utf8() {
        Ok(text) => Ok(Some(text.into_owned())),
        Err(_) => Err(bad("is not UTF-8: percent-encode it")),
    }
}
