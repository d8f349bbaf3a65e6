//! What is known of one request.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;

use super::Telemetry;
use super::line::Line;
use super::route::{Matched, Route};
use super::spans::{Ended, Spans};

/// One request. Handlers write; what comes of it is counted, logged and traced at its end.
pub struct Record {
    telemetry: Arc<Telemetry>,
    route: Route,
    arrived: Instant,
    line: Option<Line>,
    spans: Option<Spans>,
    found: Mutex<Found>,
}

/// What handlers wrote down.
#[derive(Default)]
pub(super) struct Found {
    /// The key that asked, by its id.
    pub key: Option<String>,
    pub retrieval: Option<Retrieval>,
    /// From a request that was sent upstream to the head of its answer.
    pub upstream: Option<Duration>,
}

/// The model that a chat asks, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// The request's JSON.
    pub body: &'a [u8],
    /// The name that upstream will see, where that is not the body's.
    pub name: Option<&'a str>,
    /// Upstream's address.
    pub upstream: &'a str,
}

/// How passages were looked for.
#[derive(Clone, Debug)]
pub struct Retrieval {
    /// As in `X-RAG-Status`.
    pub status: &'static str,
    pub collections: Vec<String>,
    /// What was searched for; none where everything went in, or nothing was looked for.
    pub query: Option<String>,
    pub passages: usize,
    /// Tokens added to the prompt, by estimate.
    pub added_tokens: u64,
    pub began: Instant,
    pub took: Duration,
    pub stages: Vec<Stage>,
    /// The model that embedded the question, if one did.
    pub embedded_by: Option<String>,
}

/// A part of a retrieval.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub name: &'static str,
    /// After the retrieval began.
    pub after: Duration,
    pub took: Duration,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Behind us.
    Broken,
    /// The client's doing.
    Left,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Broken => "broken",
            Self::Left => "client_left",
        }
    }
}

/// How a request ended.
pub(super) struct Outcome<'a> {
    pub id: Option<&'a str>,
    pub status: Option<StatusCode>,
    pub streamed: bool,
    pub first_frame: Option<Duration>,
    pub end: End,
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
            spans.end(&Ended {
                status: outcome.status.map(|status| status.as_u16()),
                first_frame: outcome.first_frame,
                upstream: found.upstream,
                whole: outcome.end == End::Whole,
                end: outcome.end.name(),
            });
        }
        if let Some(line) = &self.line {
            line.write(outcome, took, &found, telemetry.log_questions);
        }
    }
}

/// When something began that happened so long ago.
pub(super) fn wall_clock(began: Instant) -> SystemTime {
    SystemTime::now().checked_sub(began.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH)
}
