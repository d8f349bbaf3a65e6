//! A request's line of the log.

use std::time::Duration;

use http::{HeaderMap, Method};

use super::facts::{Found, Outcome};
use super::route::Route;
use super::spans::Spans;

/// What of the line is known when the request arrives.
pub(super) struct Line {
    method: Method,
    route: Route,
    path: String,
    /// That of our spans, or else the client's.
    trace_id: Option<String>,
}

impl Line {
    pub fn new(
        method: &Method,
        route: Route,
        path: &str,
        headers: &HeaderMap,
        spans: Option<&Spans>,
    ) -> Self {
        let trace_id = spans.map(Spans::trace_id).or_else(|| trace_id(headers));
        Self { method: method.clone(), route, path: path.to_owned(), trace_id }
    }

    /// Writes it, when the request is over.
    pub fn write(&self, outcome: &Outcome, took: Duration, found: &Found, with_question: bool) {
        let retrieval = found.retrieval.as_ref();
        tracing::info!(
            target: "lastro::request",
            id = outcome.id,
            trace_id = self.trace_id.as_deref(),
            key = found.key.as_deref(),
            method = self.method.as_str(),
            path = self.path,
            route = self.route.name(),
            status = outcome.status.map(|status| status.as_u16()),
            end = outcome.end.name(),
            ms = milliseconds(took),
            first_byte_ms = outcome.first_frame.map(milliseconds),
            upstream_ms = found.upstream.map(milliseconds),
            rag = retrieval.map(|r| r.status),
            collections = retrieval.map(|r| r.collections.join(",")),
            passages = retrieval.map(|r| r.passages),
            added_tokens = retrieval.map(|r| r.added_tokens),
            retrieval_ms = retrieval.map(|r| milliseconds(r.took)),
            question = retrieval.and_then(|r| r.query.as_deref()).filter(|_| with_question),
            "request"
        );
    }
}

/// To the hundredth.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}

/// The trace that the client says it belongs to (W3C Trace Context, section 3.2).
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let id = parent.split('-').nth(1)?;
    let plausible = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    plausible.then(|| id.to_owned())
}
