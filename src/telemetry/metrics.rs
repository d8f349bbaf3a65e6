//! What is counted as it happens, and all metrics in Prometheus' text format.

mod registration;
mod standing;

use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use super::process;
use super::route::Route;
use registration::{Result, metrics};
use standing::Gauges;
pub use standing::{CollectionSize, Standing};

/// Bounds in seconds.
const WAITS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const STAGES: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Bounds in tokens.
const TOKENS: &[f64] = &[64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 32_768.0];

/// How the grounding of an answer can have gone; `none`: no collection was chosen.
pub const GROUNDINGS: [&str; 9] =
    ["none", "hit", "lexical", "dense", "empty", "skipped", "no_room", "off", "error"];
const STAGE_NAMES: [&str; 6] = ["embed", "lexical", "dense", "read", "rerank", "weave"];

metrics! {
    /// What is counted as it happens.
    struct Counted {
        /// Requests by status.
        requests: IntCounterVec = "lastro_requests_total" by ["route", "status"];
        /// Requests being answered.
        in_flight: IntGaugeVec = "lastro_requests_in_flight" by ["route"];
        /// From a request's arrival to the last byte of its answer.
        duration: HistogramVec = "lastro_request_duration_seconds" by ["route"] within WAITS;
        /// Clients who left before the end of their answer.
        cancelled: IntCounterVec = "lastro_cancelled_requests_total" by ["route"];
        /// From the arrival of a chat to the first frame of its answer, where that is streamed.
        time_to_first_token: HistogramVec = "lastro_time_to_first_token_seconds" by ["grounding"] within WAITS;
        /// Groundings of a prompt, by how they went.
        retrievals: IntCounterVec = "lastro_retrievals_total" by ["status"];
        /// Time of a retrieval's stages before the model is asked.
        stages: HistogramVec = "lastro_retrieval_stage_seconds" by ["stage"] within STAGES;
        /// Tokens of passages added to a prompt, by a careful estimate.
        added_tokens: Histogram = "lastro_added_context_tokens" within TOKENS;
        /// From a request that was sent to the LLM server to the head of its answer.
        upstream: Histogram = "lastro_upstream_seconds" within WAITS;
        /// 1, and the version that runs.
        build: IntGaugeVec = "lastro_build_info" by ["version"];
        /// When the process began, in Unix seconds.
        started: Gauge = "process_start_time_seconds";
    }
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    counted: Counted,
    routes: Vec<OfRoute>,
    standing: Mutex<Gauges>,
}

/// The metrics of one route, found without a look-up.
struct OfRoute {
    in_flight: IntGauge,
    duration: Histogram,
    cancelled: IntCounter,
}

impl Metrics {
    pub(super) fn new() -> Result<Self> {
        let registry = Registry::new();
        let counted = Counted::new(&registry)?;
        let routes = Route::ALL.iter().map(|route| OfRoute {
            in_flight: counted.in_flight.with_label_values(&[route.name()]),
            duration: counted.duration.with_label_values(&[route.name()]),
            cancelled: counted.cancelled.with_label_values(&[route.name()]),
        });
        let routes = routes.collect();
        // A label that was never counted is a 0, not a gap.
        for name in GROUNDINGS {
            counted.time_to_first_token.with_label_values(&[name]);
        }
        for status in &GROUNDINGS[1..] {
            counted.retrievals.with_label_values(&[status]);
        }
        for stage in STAGE_NAMES {
            counted.stages.with_label_values(&[stage]);
        }
        counted.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        counted.started.set(process::started());
        let standing = Mutex::new(Gauges::new(&registry)?);
        Ok(Self { registry, counted, routes, standing })
    }

    pub(super) fn began(&self, route: Route) {
        self.of(route).in_flight.inc();
    }

    pub(super) fn ended(&self, route: Route, status: Option<StatusCode>, after: Duration, left: bool) {
        let of_route = self.of(route);
        of_route.in_flight.dec();
        of_route.duration.observe(after.as_secs_f64());
        if left {
            of_route.cancelled.inc();
        }
        if let Some(status) = status {
            self.counted.requests.with_label_values(&[route.name(), label(&status)]).inc();
        }
    }

    pub(super) fn first_token(&self, grounding: &'static str, after: Duration) {
        self.counted.time_to_first_token.with_label_values(&[grounding]).observe(after.as_secs_f64());
    }

    pub(super) fn retrieved(&self, status: &'static str) {
        self.counted.retrievals.with_label_values(&[status]).inc();
    }

    pub(super) fn stage(&self, stage: &'static str, took: Duration) {
        self.counted.stages.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    pub(super) fn added_tokens(&self, tokens: u64) {
        self.counted.added_tokens.observe(tokens as f64);
    }

    pub(super) fn upstream_answered(&self, after: Duration) {
        self.counted.upstream.observe(after.as_secs_f64());
    }

    fn of(&self, route: Route) -> &OfRoute {
        // One for each of `Route::ALL`, in order.
        &self.routes[route as usize]
    }

    /// All metrics as text, for Prometheus to read.
    pub fn text(&self, standing: Standing) -> Result<Vec<u8>> {
        // Whoever asks at the same time gets a whole picture too.
        let mut gauges = self.standing.lock();
        gauges.set(standing);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// What `text` is.
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
}

/// Statuses that have a label of their own.
const USUAL: [u16; 19] =
    [101, 200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504, 507];

/// The label of a status: others than the usual ones have their class's, since the LLM server can send any.
fn label(status: &StatusCode) -> &str {
    match status.as_u16() {
        usual if USUAL.contains(&usual) => status.as_str(),
        other => ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from(other / 100).clamp(1, 5) - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_grow_with_what_is_counted() {
        let metrics = Metrics::new().expect("names that do not collide");
        for status in 100..600 {
            let status = StatusCode::from_u16(status).expect("a status");
            metrics.began(Route::Relay);
            metrics.ended(Route::Relay, Some(status), Duration::from_millis(1), false);
        }
        let collections = (0..200).map(|n| CollectionSize {
            collection: format!("vs_{n}"),
            documents: 1,
            chunks: n,
            bytes: 10,
        });
        let standing = Standing { collections: collections.collect(), ..Standing::default() };
        let text = metrics.text(standing).expect("text");
        let text = String::from_utf8(text).expect("UTF-8");
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(lines("lastro_requests_total{"), 24);
        assert_eq!(lines("lastro_collection_chunks{"), 51);
        assert!(text.contains("lastro_collection_chunks{collection=\"other\"} 11175"), "{text}");
        assert!(text.contains("lastro_collections 200"));
        assert_eq!(lines("lastro_upstream_up"), 0);
        assert!(text.contains("lastro_requests_in_flight{route=\"relay\"} 0"));
    }

    #[test]
    fn what_is_looked_up_counts_upwards() {
        let metrics = Metrics::new().expect("names that do not collide");
        for (total, up) in [(2, true), (2, false), (5, true)] {
            let standing = Standing {
                upstream_errors: vec![("unreachable", total)],
                upstream_up: Some(up),
                ..Standing::default()
            };
            let text = String::from_utf8(metrics.text(standing).expect("text")).expect("UTF-8");
            let line = format!("lastro_upstream_errors_total{{reason=\"unreachable\"}} {total}");
            assert!(text.contains(&line), "{text}");
            assert!(text.contains(&format!("lastro_upstream_up {}", i32::from(up))));
        }
    }
}
