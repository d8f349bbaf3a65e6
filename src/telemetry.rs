//! What operators see: metrics, the log with a line for each request, and spans for whoever traces.
//!
//! Each request has a [`Record`], begun where it arrives and ended with the last byte of its answer; handlers write
//! down what they found out. All of it is counted, logged and traced in one place, its end. Text of documents and
//! questions is no part of it, unless the settings ask for questions.

mod events;
mod export;
mod facts;
mod line;
mod log;
mod metrics;
mod ongoing;
mod process;
mod record;
mod route;
mod spans;

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry_sdk::trace::SdkTracerProvider;

pub use events::log_events;
pub use facts::{Model, Retrieval, Stage};
pub use log::{Lines, Log};
pub use metrics::{CollectionSize, Metrics, Standing};
pub use ongoing::Ongoing;
pub use record::Record;
pub use route::{Matched, Route};

use spans::Tracer;

/// What is told, and to whom.
#[derive(Clone, Debug, Default)]
pub struct TelemetrySettings {
    /// A line of the log for each request.
    pub log_requests: bool,
    /// What was searched for goes into that line and into spans.
    pub log_questions: bool,
    /// An OpenTelemetry collector's address, to which `/v1/traces` is added. The standard variables go without it.
    pub otlp_endpoint: Option<String>,
}

/// Why spans cannot be sent anywhere.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be exported: {0}; see --otlp-endpoint and the OTEL_* variables")]
pub struct TelemetryError(String);

/// Counts, logs and traces requests.
pub struct Telemetry {
    pub metrics: Metrics,
    tracing: Option<(Tracer, SdkTracerProvider)>,
    log_requests: bool,
    log_questions: bool,
}

impl Telemetry {
    /// Starts exporting spans where a collector is named. Needs tokio's runtime then.
    pub fn start(settings: &TelemetrySettings) -> Result<Arc<Self>, TelemetryError> {
        let metrics = Metrics::new().map_err(|error| TelemetryError(error.to_string()))?;
        let provider = export::provider(settings.otlp_endpoint.as_deref())?;
        let tracing = provider.map(|provider| (Tracer::new(&provider), provider));
        let TelemetrySettings { log_requests, log_questions, .. } = *settings;
        Ok(Arc::new(Self { metrics, tracing, log_requests, log_questions }))
    }

    /// Begins the record of a request that has just arrived.
    pub fn begin(
        self: &Arc<Self>,
        method: &http::Method,
        path: &str,
        matched: Matched,
        headers: &HeaderMap,
    ) -> Ongoing {
        Ongoing::new(Record::new(self.clone(), method, path, matched, headers))
    }

    /// Sends the spans that are still here. It blocks.
    pub fn finish(&self) {
        if let Some((_, provider)) = &self.tracing
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }

    fn tracer(&self) -> Option<&Tracer> {
        self.tracing.as_ref().map(|(tracer, _)| tracer)
    }
}
