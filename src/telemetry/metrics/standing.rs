//! What is looked up at a scrape.

use prometheus::{Counter, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::super::log;
use super::process;
use super::registration::metrics;

/// Collections that are shown by themselves.
const MOST_COLLECTIONS: usize = 50;

/// What is not counted as it happens but looked up when somebody asks.
#[derive(Debug, Default)]
pub struct Standing {
    /// Since the start, by reason.
    pub upstream_errors: Vec<(&'static str, u64)>,
    /// Whether the LLM server answered when it was last spoken to.
    pub upstream_up: Option<bool>,
    /// Since the start, where there is a reranking server.
    pub rerank_failures: Option<u64>,
    pub queued_documents: u64,
    /// Since the start.
    pub completed_documents: u64,
    pub failed_documents: u64,
    pub queued_texts: u64,
    pub collections: Vec<CollectionSize>,
    /// Collections whose indexes are open.
    pub open_collections: u64,
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

metrics! {
    /// The metrics of all that.
    pub(super) struct Gauges {
        /// Requests to which the LLM server gave no answer, or no whole one.
        upstream_errors: IntCounterVec = "lastro_upstream_errors_total" by ["reason"];
        /// Whether the LLM server could be reached when it was last spoken to.
        upstream_up: IntGaugeVec = "lastro_upstream_up";
        /// Searches that the reranking server was asked for in vain.
        rerank_failures: IntCounter = "lastro_rerank_failures_total";
        /// Documents that wait to be read or embedded, or are just now.
        queued_documents: IntGauge = "lastro_ingestion_queue_documents";
        /// Documents that were ingested, by outcome.
        ingested: IntCounterVec = "lastro_ingested_documents_total" by ["outcome"];
        /// Texts that wait to be embedded.
        queued_texts: IntGauge = "lastro_embedding_queue_texts";
        /// Collections that there are.
        collections: IntGauge = "lastro_collections";
        /// Collections whose indexes are open.
        open_collections: IntGauge = "lastro_open_collections";
        /// Documents of the largest collections.
        documents: IntGaugeVec = "lastro_collection_documents" by ["collection"];
        /// Chunks of the largest collections.
        chunks: IntGaugeVec = "lastro_collection_chunks" by ["collection"];
        /// Bytes of original files of the largest collections.
        bytes: IntGaugeVec = "lastro_collection_bytes" by ["collection"];
        /// Whether the embedding model that is configured is loaded.
        model_ready: IntGaugeVec = "lastro_embedding_model_ready";
        /// Room left for the data folder.
        free_bytes: IntGaugeVec = "lastro_data_free_bytes";
        /// Lines of the log that were lost, since nobody read it in time or it could not be written.
        lost_lines: IntCounter = "lastro_log_lines_lost_total";
        /// Time of all processors that the process took.
        cpu: Counter = "process_cpu_seconds_total";
        /// Memory that the process holds.
        resident: Gauge = "process_resident_memory_bytes";
        /// Files and connections that the process has open.
        files: Gauge = "process_open_fds";
    }
}

impl Gauges {
    pub(super) fn set(&mut self, now: Standing) {
        let count = |counter: IntCounter, total: u64| counter.inc_by(total.saturating_sub(counter.get()));
        for (reason, total) in now.upstream_errors {
            count(self.upstream_errors.with_label_values(&[reason]), total);
        }
        count(self.rerank_failures.clone(), now.rerank_failures.unwrap_or(0));
        count(self.ingested.with_label_values(&["completed"]), now.completed_documents);
        count(self.ingested.with_label_values(&["failed"]), now.failed_documents);
        maybe(&self.upstream_up, now.upstream_up.map(i64::from));
        maybe(&self.free_bytes, now.free_bytes.map(|bytes| bytes as i64));
        self.queued_documents.set(now.queued_documents as i64);
        self.queued_texts.set(now.queued_texts as i64);
        self.collections.set(now.collections.len() as i64);
        self.open_collections.set(now.open_collections as i64);
        maybe(&self.model_ready, now.model_ready.map(i64::from));
        let gauges = [&self.documents, &self.chunks, &self.bytes];
        gauges.iter().for_each(|gauge| gauge.reset());
        for size in largest(now.collections) {
            let counts = [size.documents, size.chunks, size.bytes];
            for (gauge, count) in gauges.iter().zip(counts) {
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
