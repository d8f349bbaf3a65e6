//! The collections that stand in a request's path: `/c/{collection}/v1/...`.
//!
//! They are cut off before the request is routed, so that each route is the same with and without them.

use axum::extract::{FromRequestParts, Request};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, Uri};
use percent_encoding::percent_decode_str;

use super::ApiError;

/// The collections that a request's path names, decoded and as one text, for clients that can set nothing but a base
/// address. `None` below a plain `/v1`.
pub struct InPath(pub Option<String>);

impl InPath {
    /// Reads them from the extensions of a request.
    pub(super) fn of(extensions: &Extensions) -> Result<Self, ApiError> {
        let Some(spelled) = prefix(extensions).strip_prefix(BELOW) else { return Ok(Self(None)) };
        match percent_decode_str(spelled).decode_utf8() {
            Ok(named) => Ok(Self(Some(named.into_owned()))),
            Err(_) => Err(ApiError::bad_request("invalid_path", "the path is not UTF-8")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::of(&parts.extensions)
    }
}

/// What a path begins with that names collections.
const BELOW: &str = "/c/";

/// `/c/{collection}`, as the client spelled it.
#[derive(Clone)]
struct Prefix(Box<str>);

/// What was cut off a request's path, as it was spelled; empty where nothing was.
pub(super) fn prefix(extensions: &Extensions) -> &str {
    extensions.get::<Prefix>().map_or("", |prefix| &prefix.0)
}

/// Divides a path into `/c/{collection}` and the rest. The first part is empty where the path names no collection.
pub(super) fn split(path: &str) -> (&str, &str) {
    let named = path.strip_prefix(BELOW).and_then(|rest| rest.find('/')).filter(|length| *length > 0);
    let (prefix, rest) = path.split_at(named.map_or(0, |length| BELOW.len() + length));
    if rest.starts_with("/v1/") { (prefix, rest) } else { ("", path) }
}

/// Cuts the collections off a request's path, and remembers them.
pub(super) fn cut(request: &mut Request) {
    let uri = request.uri();
    let (prefix, _) = split(uri.path());
    if prefix.is_empty() {
        return;
    }
    let rest = uri.path_and_query().map_or("", |whole| &whole.as_str()[prefix.len()..]);
    let mut parts = uri.clone().into_parts();
    // The end of an address from a slash on is one: otherwise there would be no such route.
    let Ok(path_and_query) = rest.parse::<PathAndQuery>() else { return };
    parts.path_and_query = Some(path_and_query);
    let Ok(plain) = Uri::from_parts(parts) else { return };
    let prefix = Prefix(prefix.into());
    *request.uri_mut() = plain;
    request.extensions_mut().insert(prefix);
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_request_below_a_collection_is_the_same_without_it() {
        for (target, plain, named) in [
            ("/v1/chat/completions?a=/c/b", "/v1/chat/completions?a=/c/b", None),
            ("/c/handbook/v1/files?limit=2", "/v1/files?limit=2", Some("handbook")),
            ("/c/caf%C3%A9,a%2Fb/v1/models/x%2Fy", "/v1/models/x%2Fy", Some("café,a/b")),
            ("http://h:1/c/a/v1/c/b/v1/x", "http://h:1/v1/c/b/v1/x", Some("a")),
            ("/c/a/v1", "/c/a/v1", None),
            ("/c/a/health", "/c/a/health", None),
            ("/c//v1/x", "/c//v1/x", None),
            ("/c/v1/x", "/c/v1/x", None),
        ] {
            let mut request = Request::builder().uri(target).body(Body::empty()).expect("a request");
            cut(&mut request);
            let InPath(found) = InPath::of(request.extensions()).expect("UTF-8");
            assert_eq!((request.uri().to_string().as_str(), found.as_deref()), (plain, named), "{target}");
            let whole = format!("{}{}", prefix(request.extensions()), request.uri().path());
            assert!(target.contains(&whole), "{target}: {whole}");
        }
        let mut request = Request::builder().uri("/c/%ff/v1/x").body(Body::empty()).expect("a request");
        cut(&mut request);
        assert!(InPath::of(request.extensions()).is_err());
    }
}
