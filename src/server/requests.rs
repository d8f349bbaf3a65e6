//! What every request passes before it is routed: who it claims to talk to and to be, a place among those that are
//! worked on, an id.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, UPGRADE, VIA};
use http::request::Parts;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::sync::Semaphore;

use super::body::{AnswerBody, ClientBody};
use super::connections::Pulse;
use super::cors::{Cors, Page, is_preflight};
use super::presented::{Presented, presented};
use crate::access::{Access, Keys, PREFIX};
use crate::api::{self, Api, ApiError, Place, Tunnel};
use crate::app::App;
use crate::telemetry::{Ongoing, Record, Telemetry};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer id of a client's goes upstream as it is, and does not come back: an answer's head stays small.
const LONGEST_REQUEST_ID: usize = 128;

/// The way of every request.
#[derive(Clone)]
pub(super) struct Requests {
    api: Api,
    places: Arc<Semaphore>,
    most: usize,
    body_timeout: Duration,
    keys: Arc<Keys>,
    cors: Arc<Cors>,
    telemetry: Arc<Telemetry>,
    /// How this server names itself to those behind it.
    pseudonym: Arc<str>,
    /// Without keys, other hosts are served too.
    any_host: bool,
}

impl Requests {
    pub fn new(app: &App, api: Api) -> Self {
        let server = &app.config.server;
        Self {
            api,
            places: Arc::new(Semaphore::new(server.limits.requests)),
            most: server.limits.requests,
            body_timeout: server.limits.body_timeout,
            keys: app.keys.clone(),
            cors: Arc::new(Cors::new(&server.cors_origins)),
            telemetry: app.telemetry.clone(),
            pseudonym: app.upstream.pseudonym().into(),
            any_host: server.allow_remote_without_keys,
        }
    }

    /// Answers one request of a connection.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        pulse: Arc<Pulse>,
        tunnel: &Tunnel,
    ) -> Response<AnswerBody> {
        pulse.request_began();
        let (mut parts, incoming) = request.into_parts();
        let spelled = api::respell(&mut parts.uri);
        if parts.headers.contains_key(UPGRADE) {
            parts.extensions.insert(tunnel.clone());
        }
        let matched = api::matched(&parts.method, parts.uri.path());
        let mut ongoing = self.telemetry.begin(&parts.method, parts.uri.path(), matched, &parts.headers);
        let id = match parts.headers.get(&REQUEST_ID) {
            Some(id) if id.len() <= LONGEST_REQUEST_ID => id.clone(),
            Some(_) => new_request_id(),
            None => {
                let id = new_request_id();
                parts.headers.insert(REQUEST_ID, id.clone());
                id
            }
        };
        let body = ClientBody::new(incoming, pulse.clone(), self.body_timeout);
        let page = self.cors.page(&parts.headers, claimed_host(&parts));
        let (mut response, place) = match &page {
            Page::Listed(origin) if is_preflight(&parts) => {
                (Cors::preflight(origin.clone(), &parts.headers), None)
            }
            _ => {
                let admitted = spelled.and_then(|()| self.admit(&mut parts, &page, &ongoing));
                let (mut response, place) = match admitted {
                    Err(refused) => (refused.into_response(), None),
                    Ok(place) => {
                        if let Some(place) = &place {
                            parts.extensions.insert(place.clone());
                        }
                        let request = Request::from_parts(parts, Body::new(body));
                        let response = self.api.answer(request).await;
                        (response, place)
                    }
                };
                self.cors.mark(page, response.headers_mut());
                (response, place)
            }
        };
        let id = response.headers_mut().entry(REQUEST_ID).or_insert(id).clone();
        ongoing.answered(response.status(), response.headers(), id);
        response.map(|body| AnswerBody::new(body, pulse, place, ongoing))
    }

    /// Lets a request in, with what it may do among its extensions.
    fn admit(&self, parts: &mut Parts, page: &Page, ongoing: &Ongoing) -> Result<Option<Place>, ApiError> {
        if parts.headers.get_all(HOST).iter().nth(1).is_some() {
            return Err(ApiError::bad_request("two_hosts", "the request has two Host headers: send one"));
        }
        self.refuse_strangers(parts, page)?;
        // A probe must be answered when nothing else is.
        match parts.uri.path() {
            "/health" => return Ok(None),
            "/ready" => {
                // Without keys, whoever is on this machine may see what there is; a network may not.
                match self.identify(&mut parts.headers) {
                    Ok(access) if !(self.any_host && access.is_anybodys()) => {
                        drop(parts.extensions.insert(access))
                    }
                    _ => {}
                }
                return Ok(None);
            }
            _ => {}
        }
        if parts.headers.contains_key(VIA) && self.is_our_own(&parts.headers) {
            return Err(ApiError::loop_detected());
        }
        let access = self.identify(&mut parts.headers)?;
        ongoing.record().asked_by(access.owner());
        parts.extensions.insert::<Arc<Record>>(ongoing.record().clone());
        let permit = self.places.clone().try_acquire_owned();
        let permit = permit.map_err(|_| ApiError::too_many_requests(self.most))?;
        let of_key = access.take_turn().map_err(|refusal| ApiError::over_limit(&refusal))?;
        parts.extensions.insert(access);
        Ok(Some(Place::new(permit, of_key)))
    }

    /// Without keys, a web page must not reach a local server through the browser of whoever runs it: requests for
    /// another host, or from a page of another origin that is not listed, are refused. With keys, a page that has none
    /// gets nothing, and its browser is told nothing.
    fn refuse_strangers(&self, parts: &Parts, page: &Page) -> Result<(), ApiError> {
        let keyed = self.keys.are_required();
        if !keyed
            && !self.any_host
            && let Some(host) = claimed_host(parts)
            && !is_loopback(host)
        {
            return Err(ApiError::foreign_host(host));
        }
        match page {
            Page::Foreign(origin) if !keyed || is_preflight(parts) => {
                Err(ApiError::foreign_origin(origin.to_str().unwrap_or("?")))
            }
            _ => Ok(()),
        }
    }

    /// Whether this server itself has sent the request on its way here, which would go on for ever.
    fn is_our_own(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(VIA).iter();
        said.any(|value| memmem::find(value.as_bytes(), self.pseudonym.as_bytes()).is_some())
    }

    /// What the key that is presented may do. It stays here: what goes on never carries it.
    fn identify(&self, headers: &mut HeaderMap) -> Result<Access, ApiError> {
        let required = self.keys.are_required();
        let access = match presented(headers).map(|presented| self.keys.authenticate(presented)) {
            Presented::One(Some(access)) => access,
            // Somebody else's key, which upstream may want.
            _ if !required => Access::everything(),
            Presented::One(None) => return Err(ApiError::wrong_key()),
            Presented::None => return Err(ApiError::no_key()),
            Presented::Several => return Err(ApiError::two_keys()),
        };
        if required {
            headers.remove(AUTHORIZATION);
        }
        remove_keys(headers);
        Ok(access)
    }
}

/// No key of ours goes on, in whatever header it came.
fn remove_keys(headers: &mut HeaderMap) {
    let holds_key = |value: &HeaderValue| memmem::find(value.as_bytes(), PREFIX.as_bytes()).is_some();
    if headers.values().any(holds_key) {
        let names: Vec<HeaderName> =
            headers.iter().filter(|(_, value)| holds_key(value)).map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| drop(headers.remove(name)));
    }
}

fn claimed_host(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
    host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

/// 32 hexadecimal digits.
pub(super) fn new_request_id() -> HeaderValue {
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
