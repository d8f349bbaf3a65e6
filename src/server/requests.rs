//! What every request passes before it is routed: who it claims to talk to, a place among those that are worked on,
//! an id.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::{HeaderMap, Request, Uri};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::body::{AnswerBody, ClientBody};
use super::connections::Pulse;
use crate::api::{ApiError, Place};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The way of every request.
#[derive(Clone)]
pub(super) struct Requests {
    routes: Router,
    places: Arc<Semaphore>,
    most: usize,
    body_timeout: Duration,
    /// Requests for other hosts are refused.
    loopback_only: bool,
}

impl Requests {
    pub fn new(routes: Router, most: usize, body_timeout: Duration, loopback_only: bool) -> Self {
        Self { routes, places: Arc::new(Semaphore::new(most)), most, body_timeout, loopback_only }
    }

    /// Answers one request of a connection.
    pub async fn answer(&self, request: Request<Incoming>, pulse: Arc<Pulse>) -> Response<AnswerBody> {
        pulse.request_began();
        let (mut parts, incoming) = request.into_parts();
        let id = match parts.headers.get(&REQUEST_ID) {
            Some(id) => id.clone(),
            None => {
                let id = new_request_id();
                parts.headers.insert(REQUEST_ID, id.clone());
                id
            }
        };
        let body = ClientBody::new(incoming, pulse.clone(), self.body_timeout);
        let (mut response, place) = match self.admit(&parts.headers, &parts.uri) {
            Err(refused) => (refused.into_response(), None),
            Ok(place) => {
                parts.extensions.insert(place.clone());
                let request = Request::from_parts(parts, Body::new(body));
                let Ok(response) = self.routes.clone().call(request).await;
                (response, place)
            }
        };
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
        response.map(|body| AnswerBody::new(body, pulse, place))
    }

    fn admit(&self, headers: &HeaderMap, uri: &Uri) -> Result<Option<Place>, ApiError> {
        self.refuse_strangers(headers, uri)?;
        // A probe must be answered when nothing else is.
        if matches!(uri.path(), "/health" | "/ready") {
            return Ok(None);
        }
        match self.places.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(Place(Arc::new(permit)))),
            Err(_) => Err(ApiError::too_many_requests(self.most)),
        }
    }

    /// Without keys, a web page must not reach a local server through the browser of whoever runs it:
    /// requests for another host, or from a page of another origin, are refused.
    fn refuse_strangers(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), ApiError> {
        let host = headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        if self.loopback_only
            && let Some(host) = host
            && !is_loopback(host)
        {
            return Err(ApiError::foreign_host(host));
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or("?");
            let authority = origin.parse::<Uri>().ok().and_then(|u| u.authority().map(ToString::to_string));
            if authority.is_none() || authority.as_deref() != host {
                return Err(ApiError::foreign_origin(origin));
            }
        }
        Ok(())
    }
}

/// 32 hexadecimal digits.
fn new_request_id() -> HeaderValue {
    let id = format!("{:032x}", fastrand::u128(..));
    // Hexadecimal digits are a header's value.
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}

fn is_loopback(authority: &str) -> bool {
    let Ok(uri) = authority.parse::<http::uri::Authority>() else { return false };
    let host = uri.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_this_machine_pass() {
        for ours in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for foreign in
            ["example.com", "localhost.example.com", "10.0.0.1:8080", "", "127.0.0.1.nip.io", "a b"]
        {
            assert!(!is_loopback(foreign), "{foreign}");
        }
    }
}
