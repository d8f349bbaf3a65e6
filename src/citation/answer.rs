//! An answer on its way to the client: whether it can be changed, and the body that does.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::rewrite::{Rewrite, Rewritten};
use crate::net::is_of_type;

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
        let is = |media_type| is_of_type(headers, media_type);
        match (is("text/event-stream"), is("application/json")) {
            (true, _) => Some(Self::Stream),
            (_, true) => Some(Self::Whole),
            _ => None,
        }
    }
}

/// The answer with a [`Rewrite`] on its body.
pub(super) fn rewritten(response: Response, rewrite: impl Rewrite + Send + Unpin + 'static) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::new(Rewritten::new(body, rewrite)))
}
