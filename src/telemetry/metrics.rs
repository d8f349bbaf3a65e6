//! What is counted as it happens, and all metrics in Prometheus' text format.

mod registration;
mod standing;

use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry,
    TextEncoder,
};

use super::process;
use super::route::Route;
use registration::{counters, gauge, histogram, histograms, int_gauges};
use standing::Gauges;
pub use standing::{CollectionSize, Standing};

type Result<T> = prometheus::Result<T>;

/// Bounds in seconds.
const WAITS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const STAGES: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Bounds in tokens.
const TOKENS: &[f64] = &[64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 32_768.0];

/// How the grounding of an answer can have gone; `none`: no collection was chosen.
pub const GROUNDINGS: [&str; 8] = ["none", "hit", "lexical", "dense", "empty", "no_room", "off", "error"];
const STAGE_NAMES: [&str; 4] = ["embed", "lexical", "dense", "weave"];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    routes: Vec<OfRoute>,
    time_to_first_token: HistogramVec,
    retrievals: IntCounterVec,
    stages: HistogramVec,
    added_tokens: Histogram,
    upstream: Histogram,
    standing: Mutex<Gauges>,
}

struct OfRoute {
    in_flight: IntGauge,
    duration: Histogram,
    cancelled: IntCounter,
}

impl Metrics {
    pub(super) fn new() -> Result<Self> {
        let registry = Registry::new();
        let r = &registry;
        let in_flight = int_gauges(r, "lastro_requests_in_flight", "Requests being answered.", &["route"])?;
        let duration = histograms(
            r,
            "lastro_request_duration_seconds",
            "From a request's arrival to the last byte of its answer.",
            WAITS,
            "route",
        )?;
        let cancelled = counters(
            r,
            "lastro_cancelled_requests_total",
            "Clients who left before the end of their answer.",
            &["route"],
        )?;
        let routes = Route::ALL.iter().map(|route| OfRoute {
            in_flight: in_flight.with_label_values(&[route.name()]),
            duration: duration.with_label_values(&[route.name()]),
            cancelled: cancelled.with_label_values(&[route.name()]),
        });
        let routes = routes.collect();
        let retrievals =
            counters(r, "lastro_retrievals_total", "Groundings of a prompt, by how they went.", &["status"])?;
        GROUNDINGS[1..].iter().for_each(|status| drop(retrievals.with_label_values(&[status])));
        let stages = histograms(
            r,
            "lastro_retrieval_stage_seconds",
            "Time of a retrieval's stages before the model is asked.",
            STAGES,
            "stage",
        )?;
        STAGE_NAMES.iter().for_each(|stage| drop(stages.with_label_values(&[stage])));
        let time_to_first_token = histograms(
            r,
            "lastro_time_to_first_token_seconds",
            "From the arrival of a chat to the first frame of its answer, where that is streamed.",
            WAITS,
            "grounding",
        )?;
        GROUNDINGS.iter().for_each(|name| drop(time_to_first_token.with_label_values(&[name])));
        let build = int_gauges(r, "lastro_build_info", "1, and the version that runs.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let started = gauge(r, "process_start_time_seconds", "When the process began, in Unix seconds.")?;
        started.set(process::started());
        Ok(Self {
            requests: counters(r, "lastro_requests_total", "Requests by status.", &["route", "status"])?,
            routes,
            time_to_first_token,
            retrievals,
            stages,
            added_tokens: histogram(
                r,
                HistogramOpts::new(
                    "lastro_added_context_tokens",
                    "Tokens of passages added to a prompt, by a careful estimate.",
                )
                .buckets(TOKENS.to_vec()),
            )?,
            upstream: histogram(
                r,
                HistogramOpts::new(
                    "lastro_upstream_seconds",
                    "From a request that was sent to the LLM server to the head of its answer.",
                )
                .buckets(WAITS.to_vec()),
            )?,
            standing: Mutex::new(Gauges::new(r)?),
            registry,
        })
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
            self.requests.with_label_values(&[route.name(), label(status)]).inc();
        }
    }

    pub(super) fn first_token(&self, grounding: &'static str, after: Duration) {
        self.time_to_first_token.with_label_values(&[grounding]).observe(after.as_secs_f64());
    }

    pub(super) fn retrieved(&self, status: &'static str) {
        self.retrievals.with_label_values(&[status]).inc();
    }

    pub(super) fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    pub(super) fn added_tokens(&self, tokens: u64) {
        self.added_tokens.observe(tokens as f64);
    }

    pub(super) fn upstream_answered(&self, after: Duration) {
        self.upstream.observe(after.as_secs_f64());
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
const USUAL: [(u16, &str); 19] = [
    (101, "101"),
    (200, "200"),
    (201, "201"),
    (204, "204"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (408, "408"),
    (409, "409"),
    (413, "413"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (507, "507"),
];

/// Others have their class's: the LLM server can send any.
fn label(status: StatusCode) -> &'static str {
    let status = status.as_u16();
    let usual = USUAL.iter().find(|(usual, _)| *usual == status);
    usual.map_or(
        ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from(status / 100).clamp(1, 5) - 1],
        |(_, label)| label,
    )
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
