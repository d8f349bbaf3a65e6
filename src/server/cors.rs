//! Web pages of other origins: which may use the server from a browser, and what their browsers are told
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};

/// Ours that a page may read of an answer; browsers show it the simplest ones alone.
const EXPOSED: &str = "X-Request-Id, X-RAG-Status, X-RAG-Collection, X-RAG-Collections-Left-Out, X-RAG-Hits, X-RAG-Found, X-RAG-Left-Out, X-RAG-Trace-Id, X-RAG-Sources, X-RAG-Sources-Left-Out, Server-Timing, Retry-After";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// What a page may send; `x-rag-`, `x-stainless-`, `openai-` and `anthropic-` stand for all that begin so, which OpenAI's own client
/// sends.
const SENT: [&str; 12] = [
    "authorization",
    "x-api-key",
    "api-key",
    "content-type",
    "accept",
    "x-request-id",
    "x-rag",
    "x-rag-",
    "x-stainless-",
    "openai-",
    "anthropic-",
    "idempotency-key",
];
/// Seconds for which a browser need not ask again.
const KEPT: &str = "600";
const CORS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// Where the page that sends a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// No browser says so.
    None,
    /// From this server.
    Own,
    /// One that may use it.
    Listed(HeaderValue),
    Foreign(HeaderValue),
}

/// The origins that may use the server.
pub(super) struct Cors(Vec<HeaderValue>);

impl Cors {
    pub fn new(origins: &[String]) -> Self {
        Self(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// `host` is what the request claims to talk to.
    pub fn page(&self, headers: &HeaderMap, host: Option<&str>) -> Page {
        let Some(origin) = headers.get(ORIGIN) else { return Page::None };
        if self.0.contains(origin) {
            return Page::Listed(origin.clone());
        }
        let uri = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        let authority = uri.as_ref().and_then(|uri| uri.authority()).map(|authority| authority.as_str());
        if authority.is_some() && authority == host { Page::Own } else { Page::Foreign(origin.clone()) }
    }

    /// The answer to a browser that asks for a listed page beforehand.
    pub fn preflight(origin: HeaderValue, headers: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(VARY, HeaderValue::from_static("Origin"));
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(KEPT));
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|wanted| wanted.to_str().ok());
        let names = wanted.unwrap_or_default().split(',').map(str::trim);
        let allowed: Vec<&str> = names.filter(|name| may_be_sent(name)).collect();
        if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        response
    }

    /// Tells the browser whether its page may have an answer. What upstream tells it does not hold here.
    pub fn mark(&self, page: Page, headers: &mut HeaderMap) {
        if !self.0.is_empty() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if page == Page::None {
            return;
        }
        CORS.iter().for_each(|name| drop(headers.remove(name)));
        if let Page::Listed(origin) = page {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

/// Whether a browser asks for a page what it may send.
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn may_be_sent(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SENT.iter().any(|sent| if sent.ends_with('-') { name.starts_with(sent) } else { name == *sent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_own_listed_or_foreign() {
        let cors = Cors::new(&["https://a.example".to_owned()]);
        let page = |origin: &'static str| {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            cors.page(&headers, Some("127.0.0.1:8080"))
        };
        assert_eq!(page("http://127.0.0.1:8080"), Page::Own);
        assert!(matches!(page("https://a.example"), Page::Listed(_)));
        for foreign in [
            "http://a.example",
            "https://a.example:444",
            "https://a.example.org",
            "null",
            "",
            "http://127.0.0.1",
        ] {
            assert!(matches!(page(foreign), Page::Foreign(_)), "{foreign}");
        }
        assert_eq!(cors.page(&HeaderMap::new(), None), Page::None);
    }

    #[test]
    fn what_our_clients_send_may_be_sent() {
        for name in ["Authorization", "content-type", "X-RAG", "x-rag-collection", "X-Stainless-Lang"] {
            assert!(may_be_sent(name), "{name}");
        }
        for name in ["", "cookie", "x-ragged", "x-forwarded-for", "host"] {
            assert!(!may_be_sent(name), "{name}");
        }
    }
}
