//! Upstream's answer to the client: head and body, each frame as it arrives, byte for byte.

use axum::body::Body;
use axum::response::Response;
use futures_util::TryStreamExt;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Headers of one connection, not of the message (RFC 9110, section 7.6.1), with older ones still seen.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE]
        .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

fn without_hop_by_hop(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !is_hop_by_hop(name) && !named.contains(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// What of a client's headers goes upstream: end-to-end ones that are not ours. The length is set anew with the body.
pub fn request_headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = without_hop_by_hop(headers);
    for name in [HOST, CONTENT_LENGTH, EXPECT] {
        kept.remove(name);
    }
    let ours: Vec<HeaderName> = kept.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        kept.remove(name);
    }
    kept
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str() == "x-rag" || name.as_str().starts_with("x-rag-")
}

/// Upstream's response as it came, with `added` where upstream has no header of that name.
/// A break in the middle of the body reaches the client as a break. Dropping the response closes upstream.
pub fn response(upstream: reqwest::Response, added: &[(HeaderName, HeaderValue)]) -> Response {
    let status = upstream.status();
    let mut headers = without_hop_by_hop(upstream.headers());
    for (name, value) in added {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    let body = Body::from_stream(upstream.bytes_stream().inspect_err(|error| {
        tracing::warn!(
            error = crate::upstream::root_cause(error),
            "upstream broke off in the middle of an answer"
        );
    }));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_and_ours_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("x-rag-collection", "c"),
            ("x-rag", "off"),
            ("host", "h"),
            ("authorization", "Bearer k"),
            ("x-request-id", "r"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept: Vec<_> = request_headers(&headers).keys().map(|k| k.as_str().to_owned()).collect();
        assert_eq!(kept, ["authorization", "x-request-id"]);
    }
}
