//! An answer on its way to the client: whether it can be changed, and the body that does.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::rewrite::{Rewrite, Rewritten};

/// The answers that can be changed.
pub(super) enum Kind {
    /// Server-sent events.
    Stream,
    /// JSON.
    Whole,
}

impl Kind {
    pub fn of(response: &Response) -> Option<Self> {
        let headers = response.headers();
        let compressed = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        if response.status() != StatusCode::OK || compressed {
            return None;
        }
        match media_type(headers)?.as_str() {
            "text/event-stream" => Some(Self::Stream),
            "application/json" => Some(Self::Whole),
            _ => None,
        }
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The answer with a [`Rewrite`] on its body.
pub(super) fn rewritten(response: Response, rewrite: impl Rewrite + Send + Unpin + 'static) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::new(Rewritten::new(body, rewrite)))
}
