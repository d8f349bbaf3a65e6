//! What is looked up at a scrape.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::super::log;
use super::registration::{counters, gauge, int_gauge, int_gauges};
use super::{Result, process};

/// Collections that are shown by themselves.
const MOST_COLLECTIONS: usize = 50;

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

/// The metrics of all that.
pub(super) struct Gauges {
    upstream_errors: IntCounterVec,
    upstream_up: IntGaugeVec,
    queued_documents: IntGauge,
    ingested: IntCounterVec,
    queued_texts: IntGauge,
    collections: IntGauge,
    sizes: [IntGaugeVec; 3],
    model_ready: IntGaugeVec,
    free_bytes: IntGaugeVec,
    lost_lines: IntCounter,
    cpu: prometheus::Counter,
    resident: Gauge,
    files: Gauge,
}

impl Gauges {
    pub(super) fn new(r: &Registry) -> Result<Self> {
        let size = |name: &str, help: &str| int_gauges(r, name, help, &["collection"]);
        let cpu = prometheus::Counter::new(
            "process_cpu_seconds_total",
            "Time of all processors that the process took.",
        )?;
        r.register(Box::new(cpu.clone()))?;
        let lost_lines = IntCounter::new(
            "lastro_log_lines_lost_total",
            "Lines of the log that were lost, since nobody read it in time or it could not be written.",
        )?;
        r.register(Box::new(lost_lines.clone()))?;
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
            lost_lines,
            cpu,
            resident: gauge(r, "process_resident_memory_bytes", "Memory that the process holds.")?,
            files: gauge(r, "process_open_fds", "Files and connections that the process has open.")?,
        })
    }

    pub(super) fn set(&mut self, now: Standing) {
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
        count(self.lost_lines.clone(), log::lost_lines());
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
