//! What is known of one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;

use super::Telemetry;
use super::facts::{End, Found, Model, Outcome, Retrieval};
use super::line::Line;
use super::route::{Matched, Route};
use super::spans::Spans;

/// One request. Handlers write; what comes of it is counted, logged and traced at its end.
pub struct Record {
    telemetry: Arc<Telemetry>,
    route: Route,
    arrived: Instant,
    line: Option<Line>,
    spans: Option<Spans>,
    found: Mutex<Found>,
}

impl Record {
    pub(super) fn new(
        telemetry: Arc<Telemetry>,
        method: &Method,
        path: &str,
        matched: Matched,
        headers: &HeaderMap,
    ) -> Self {
        let route = matched.route;
        telemetry.metrics.began(route);
        let tracer = telemetry.tracer().filter(|_| !route.is_a_probe());
        let spans = tracer.map(|tracer| tracer.begin(method, matched.template, path, headers));
        let logged = telemetry.log_requests && !route.is_a_probe();
        let line = logged.then(|| Line::new(method, route, path, headers, spans.as_ref()));
        Self { route, arrived: Instant::now(), line, spans, found: Mutex::default(), telemetry }
    }

    /// How long ago the request arrived.
    pub fn age(&self) -> Duration {
        self.arrived.elapsed()
    }

    /// The key that asks, by its id.
    pub fn asked_by(&self, key: Option<&str>) {
        self.found.lock().key = key.map(str::to_owned);
    }

    /// A model is about to be asked: passages are looked for after this.
    pub fn asks(&self, model: &Model) {
        if let Some(spans) = &self.spans {
            spans.asks(model);
        }
    }

    /// Passages were looked for.
    pub fn retrieved(&self, retrieval: Retrieval) {
        let metrics = &self.telemetry.metrics;
        metrics.retrieved(retrieval.status);
        retrieval.stages.iter().for_each(|stage| metrics.stage(stage.name, stage.took));
        if retrieval.added_tokens > 0 {
            metrics.added_tokens(retrieval.added_tokens);
        }
        if let Some(spans) = &self.spans {
            spans.retrieved(&retrieval, self.telemetry.log_questions);
        }
        self.found.lock().retrieval = Some(retrieval);
    }

    /// Lets the LLM server's spans hang below ours. Without spans of ours the client's own headers go on as they are.
    pub fn propagate(&self, headers: &mut HeaderMap) {
        if let Some(spans) = &self.spans {
            spans.propagate(headers);
        }
    }

    /// The LLM server began to answer.
    pub fn upstream_answered(&self, after: Duration) {
        self.telemetry.metrics.upstream_answered(after);
        self.found.lock().upstream = Some(after);
    }

    pub(super) fn finish(&self, outcome: &Outcome) {
        let (telemetry, took) = (&self.telemetry, self.age());
        let found = std::mem::take(&mut *self.found.lock());
        let retrieval = found.retrieval.as_ref();
        telemetry.metrics.ended(self.route, outcome.status, took, outcome.end == End::Left);
        if self.route.asks_a_model()
            && outcome.status == Some(StatusCode::OK)
            // One that comes whole has no first token.
            && outcome.streamed
            && let Some(after) = outcome.first_frame
        {
            telemetry.metrics.first_token(retrieval.map_or("none", |r| r.status), after);
        }
        if let Some(spans) = &self.spans {
            spans.end(outcome, found.upstream);
        }
        if let Some(line) = &self.line {
            line.write(outcome, took, &found, telemetry.log_questions);
        }
    }
}
