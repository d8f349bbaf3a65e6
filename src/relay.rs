//! What passes between a client and upstream: headers that are meant to, bodies as they are, and whole connections
//! after a change of protocol.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use crate::upstream::AnswerBody;

/// Headers of one connection, not of the message (RFC 9110, section 7.6.1), with older ones still seen.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// What of a client's headers goes upstream: end-to-end ones that are not ours. Those of the body's length and of the
/// host are set anew with the request.
pub fn request_headers(mut headers: HeaderMap) -> HeaderMap {
    remove_hop_by_hop(&mut headers);
    for name in [HOST, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    let ours: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    headers
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str() == "x-rag" || name.as_str().starts_with("x-rag-")
}

/// Upstream's response as it came, with `added` where upstream has no header of that name.
/// A break in the middle of the body reaches the client as a break. Dropping the response closes upstream.
pub fn response(upstream: Response<AnswerBody>, added: &[(HeaderName, HeaderValue)]) -> Response {
    let (mut parts, body) = upstream.into_parts();
    // Between us and the client it is a message of its own: an end of HTTP/1.0 could not be told from a break.
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    for (name, value) in added {
        if !parts.headers.contains_key(name) {
            parts.headers.insert(name.clone(), value.clone());
        }
    }
    let body = body.map_err(|error| {
        tracing::warn!(%error, "an answer broke off");
        error
    });
    Response::from_parts(parts, Body::new(body))
}

/// What passes both ways on a connection that changed its protocol, until both sides have ended.
type Passing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a client's connection finds what it becomes after its last answer. It carries that itself, so that it counts,
/// and is waited for and cut off, like all others.
#[derive(Clone, Default)]
pub struct Tunnel(Arc<Mutex<Option<Passing>>>);

impl Tunnel {
    /// What the connection has become, if anything.
    pub fn take(&self) -> Option<Passing> {
        self.0.lock().take()
    }
}

/// The only protocol that a connection is handed over for. Others, HTTP/2 among them, would be a way past everything
/// that requests pass here.
const WEBSOCKET: &str = "websocket";

/// A client's wish to speak WebSocket on its connection (RFC 9110, section 7.8; RFC 6455, section 4).
pub struct Upgrade {
    client: OnUpgrade,
    tunnel: Tunnel,
}

impl Upgrade {
    /// What a request asks for; to be taken before its headers are.
    pub fn of(method: &Method, headers: &HeaderMap, extensions: &mut http::Extensions) -> Option<Self> {
        let wanted = method == Method::GET && names(headers, &UPGRADE, WEBSOCKET);
        if !wanted || !names(headers, &CONNECTION, "upgrade") {
            return None;
        }
        Some(Self { client: extensions.remove()?, tunnel: extensions.remove()? })
    }

    /// Asks upstream for the same.
    pub fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    }

    /// Whether upstream agrees.
    pub fn is_agreed(upstream: &Response<AnswerBody>) -> bool {
        upstream.status() == StatusCode::SWITCHING_PROTOCOLS && names(upstream.headers(), &UPGRADE, WEBSOCKET)
    }

    /// Upstream agreed: passes bytes both ways. `place` is held for so long.
    pub fn switch(self, mut upstream: Response<AnswerBody>, place: impl Send + 'static) -> Response {
        let far = hyper::upgrade::on(&mut upstream);
        let Self { client, tunnel } = self;
        *tunnel.0.lock() = Some(Box::pin(async move {
            let _place = place;
            let (client, far) = match tokio::try_join!(client, far) {
                Ok(both) => both,
                Err(error) => return tracing::warn!(%error, "a change of protocol failed"),
            };
            let (mut client, mut far) = (TokioIo::new(client), TokioIo::new(far));
            // That one side breaks off is how such connections often end.
            if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut far).await {
                tracing::debug!(%error, "a connection of another protocol ended");
            }
        }));
        let mut response = response(upstream, &[]);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
        response
    }
}

/// Whether a header that is a list of names holds this one.
fn names(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let lists = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|name| name.trim().eq_ignore_ascii_case(wanted))
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
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("upgrade", "h2c"),
            ("authorization", "Bearer k"),
            ("x-request-id", "r"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept: Vec<_> = request_headers(headers).keys().map(|k| k.as_str().to_owned()).collect();
        assert_eq!(kept, ["authorization", "x-request-id"]);
    }
}
