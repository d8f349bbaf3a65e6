//! Names and label sets of all metrics, in Prometheus' text format.

use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use super::process;
use super::route::Route;

type Result<T> = prometheus::Result<T>;

/// Bounds in seconds.
const WAITS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const STAGES: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Bounds in tokens.
const TOKENS: &[f64] = &[64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 32_768.0];

/// How the grounding of an answer can have gone; `none`: no collection was chosen.
pub const GROUNDINGS: [&str; 7] = ["none", "hit", "lexical", "empty", "no_room", "off", "error"];
const STAGE_NAMES: [&str; 4] = ["embed", "lexical", "dense", "weave"];
/// Collections that are shown by themselves.
const MOST_COLLECTIONS: usize = 50;

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

/// What is not counted as it happens but looked up when somebody asks.
#[derive(Debug, Default)]
pub struct Standing {
    /// Since the start, by reason.
    pub upstream_errors: Vec<(&'static str, u64)>,
    /// Whether the LLM server answered when it was last spoken to.
    pub upstream_up: Option<bool>,
    pub queued_documents: u64,
    /// Since the start.
    pub completed_documents: u64,
    pub failed_documents: u64,
    pub queued_texts: u64,
    pub collections: Vec<CollectionSize>,
    /// Whether the embedding model is there, where one is configured.
    pub model_ready: Option<bool>,
    /// Bytes of the data folder's file system.
    pub free_bytes: Option<u64>,
}

/// What a collection holds.
#[derive(Clone, Debug, Default)]
pub struct CollectionSize {
    /// Its id.
    pub collection: String,
    pub documents: u64,
    pub chunks: u64,
    /// Of the original files.
    pub bytes: u64,
}

struct Gauges {
    upstream_errors: IntCounterVec,
    upstream_up: IntGaugeVec,
    queued_documents: IntGauge,
    ingested: IntCounterVec,
    queued_texts: IntGauge,
    collections: IntGauge,
    sizes: [IntGaugeVec; 3],
    model_ready: IntGaugeVec,
    free_bytes: IntGaugeVec,
    cpu: prometheus::Counter,
    resident: Gauge,
    files: Gauge,
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

impl Gauges {
    fn new(r: &Registry) -> Result<Self> {
        let size = |name: &str, help: &str| int_gauges(r, name, help, &["collection"]);
        let cpu = prometheus::Counter::new(
            "process_cpu_seconds_total",
            "Time of all processors that the process took.",
        )?;
        r.register(Box::new(cpu.clone()))?;
        Ok(Self {
            upstream_errors: counters(
                r,
                "lastro_upstream_errors_total",
                "Requests to which the LLM server gave no answer, or no whole one.",
                &["reason"],
            )?,
            upstream_up: int_gauges(
                r,
                "lastro_upstream_up",
                "Whether the LLM server could be reached when it was last spoken to.",
                &[],
            )?,
            queued_documents: int_gauge(
                r,
                "lastro_ingestion_queue_documents",
                "Documents that wait to be read or embedded, or are just now.",
            )?,
            ingested: counters(
                r,
                "lastro_ingested_documents_total",
                "Documents that were ingested, by outcome.",
                &["outcome"],
            )?,
            queued_texts: int_gauge(r, "lastro_embedding_queue_texts", "Texts that wait to be embedded.")?,
            collections: int_gauge(r, "lastro_collections", "Collections that there are.")?,
            sizes: [
                size("lastro_collection_documents", "Documents of the largest collections.")?,
                size("lastro_collection_chunks", "Chunks of the largest collections.")?,
                size("lastro_collection_bytes", "Bytes of original files of the largest collections.")?,
            ],
            model_ready: int_gauges(
                r,
                "lastro_embedding_model_ready",
                "Whether the embedding model that is configured is loaded.",
                &[],
            )?,
            free_bytes: int_gauges(r, "lastro_data_free_bytes", "Room left for the data folder.", &[])?,
            cpu,
            resident: gauge(r, "process_resident_memory_bytes", "Memory that the process holds.")?,
            files: gauge(r, "process_open_fds", "Files and connections that the process has open.")?,
        })
    }

    fn set(&mut self, now: Standing) {
        let count = |counter: IntCounter, total: u64| counter.inc_by(total.saturating_sub(counter.get()));
        for (reason, total) in now.upstream_errors {
            count(self.upstream_errors.with_label_values(&[reason]), total);
        }
        count(self.ingested.with_label_values(&["completed"]), now.completed_documents);
        count(self.ingested.with_label_values(&["failed"]), now.failed_documents);
        maybe(&self.upstream_up, now.upstream_up.map(i64::from));
        maybe(&self.free_bytes, now.free_bytes.map(|bytes| bytes as i64));
        self.queued_documents.set(now.queued_documents as i64);
        self.queued_texts.set(now.queued_texts as i64);
        self.collections.set(now.collections.len() as i64);
        maybe(&self.model_ready, now.model_ready.map(i64::from));
        self.sizes.iter().for_each(IntGaugeVec::reset);
        for size in largest(now.collections) {
            let counts = [size.documents, size.chunks, size.bytes];
            for (gauge, count) in self.sizes.iter().zip(counts) {
                gauge.with_label_values(&[&size.collection]).set(count as i64);
            }
        }
        if let Some(process) = process::now() {
            self.cpu.inc_by((process.cpu_seconds - self.cpu.get()).max(0.0));
            self.resident.set(process.resident_bytes as f64);
            self.files.set(process.open_files as f64);
        }
    }
}

/// A gauge that is absent as long as nothing is known.
fn maybe(gauge: &IntGaugeVec, value: Option<i64>) {
    match value {
        Some(value) => gauge.with_label_values::<&str>(&[]).set(value),
        None => gauge.reset(),
    }
}

/// The largest, and the sum of the others: labels must not grow with the number of collections.
fn largest(mut collections: Vec<CollectionSize>) -> Vec<CollectionSize> {
    collections.sort_by(|a, b| b.chunks.cmp(&a.chunks).then_with(|| a.collection.cmp(&b.collection)));
    if collections.len() > MOST_COLLECTIONS {
        let mut other = CollectionSize { collection: "other".to_owned(), ..CollectionSize::default() };
        for small in collections.drain(MOST_COLLECTIONS..) {
            other.documents += small.documents;
            other.chunks += small.chunks;
            other.bytes += small.bytes;
        }
        collections.push(other);
    }
    collections
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

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

fn int_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn int_gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<Gauge> {
    let gauge = Gauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn histogram(registry: &Registry, options: HistogramOpts) -> Result<Histogram> {
    let histogram = Histogram::with_opts(options)?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    bounds: &[f64],
    label: &str,
) -> Result<HistogramVec> {
    let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), &[label])?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
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
