//! Spans of one request: the server's, below it the chat's, below that retrieval and its stages.
//!
//! Names and attributes are those of OpenTelemetry's semantic conventions for HTTP servers and for generative AI
//! (inference, retrieval and embeddings). What the model answers is not read, so its usage is not told.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, Uri};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::Deserialize;

use super::facts::{End, Model, Outcome, Retrieval};

/// Where spans begin.
pub(super) struct Tracer(SdkTracer);

/// The spans of one request.
pub(super) struct Spans {
    tracer: SdkTracer,
    server: Context,
    chat: OnceLock<Context>,
}

impl Tracer {
    pub fn new(provider: &SdkTracerProvider) -> Self {
        Self(provider.tracer("lastro"))
    }

    /// Begins a request's span, below the client's where it sent one. `route` is the path with names for what varies.
    pub fn begin(&self, method: &Method, route: &'static str, path: &str, headers: &HeaderMap) -> Spans {
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let name = format!("{method} {route}");
        let builder = self.0.span_builder(name).with_kind(SpanKind::Server).with_attributes([
            KeyValue::new("http.request.method", method.to_string()),
            KeyValue::new("http.route", route),
            KeyValue::new("url.path", path.to_owned()),
            KeyValue::new("url.scheme", "http"),
        ]);
        let span = self.0.build_with_context(builder, &parent);
        Spans { tracer: self.0.clone(), server: parent.with_span(span), chat: OnceLock::new() }
    }
}

/// What of a chat request the conventions name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    model: Option<String>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    seed: Option<i64>,
    n: Option<i64>,
    stream: Option<bool>,
}

impl Spans {
    /// Begins the chat's span: the request was read, and what it is about is known.
    pub fn asks(&self, model: &Model) {
        // What is not sampled need not be read.
        if !self.server.span().is_recording() {
            return;
        }
        // A body that is not understood is upstream's to judge.
        let said: Parameters = serde_json::from_slice(model.body).unwrap_or_default();
        let name = model.name.map(str::to_owned).or(said.model);
        let span_name = name.as_ref().map_or_else(|| "chat".to_owned(), |name| format!("chat {name}"));
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", "openai"),
        ];
        let mut add = |key: &'static str, value: Option<Value>| {
            attributes.extend(value.map(|value| KeyValue::new(key, value)));
        };
        add("gen_ai.request.model", name.map(Value::from));
        let most = said.max_completion_tokens.or(said.max_tokens).or(said.max_output_tokens);
        add("gen_ai.request.max_tokens", most.map(Value::from));
        add("gen_ai.request.temperature", said.temperature.map(Value::from));
        add("gen_ai.request.top_p", said.top_p.map(Value::from));
        add("gen_ai.request.frequency_penalty", said.frequency_penalty.map(Value::from));
        add("gen_ai.request.presence_penalty", said.presence_penalty.map(Value::from));
        add("gen_ai.request.seed", said.seed.map(Value::from));
        add("gen_ai.request.choice.count", said.n.filter(|&n| n != 1).map(Value::from));
        add("gen_ai.request.stream", said.stream.map(Value::from));
        let upstream: Option<Uri> = model.upstream.parse().ok();
        if let Some(host) = upstream.as_ref().and_then(Uri::host) {
            let secure = upstream.as_ref().and_then(Uri::scheme_str) == Some("https");
            let port = upstream.as_ref().and_then(Uri::port_u16).unwrap_or(if secure { 443 } else { 80 });
            add("server.address", Some(host.to_owned().into()));
            add("server.port", Some(i64::from(port).into()));
        }
        let builder =
            self.tracer.span_builder(span_name).with_kind(SpanKind::Client).with_attributes(attributes);
        let span = self.tracer.build_with_context(builder, &self.server);
        // Once a request; a second would be a defect, and the first stands.
        let _ = self.chat.set(self.server.with_span(span));
    }

    /// The retrieval's span and its stages', which are over.
    pub fn retrieved(&self, retrieval: &Retrieval, with_question: bool) {
        let parent = self.chat.get().unwrap_or(&self.server);
        if !parent.span().is_recording() {
            return;
        }
        let began = wall_clock(retrieval.began);
        let source = retrieval.collections.join(",");
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", "retrieval"),
            KeyValue::new("gen_ai.data_source.id", source.clone()),
            KeyValue::new("lastro.rag.status", retrieval.status),
            KeyValue::new("lastro.rag.passages", retrieval.passages as i64),
            KeyValue::new("lastro.rag.added_tokens", retrieval.added_tokens as i64),
        ];
        if let Some(query) = retrieval.query.as_ref().filter(|_| with_question) {
            attributes.push(KeyValue::new("gen_ai.retrieval.query.text", query.clone()));
        }
        let builder = self.tracer.span_builder(format!("retrieval {source}")).with_kind(SpanKind::Internal);
        let builder = builder.with_start_time(began).with_attributes(attributes);
        let whole = parent.with_span(self.tracer.build_with_context(builder, parent));
        for stage in &retrieval.stages {
            let start = began + stage.after;
            let (name, attributes) = named(stage.name, retrieval.embedded_by.as_deref());
            let builder = self.tracer.span_builder(name).with_kind(SpanKind::Internal);
            let builder = builder.with_start_time(start).with_attributes(attributes);
            let span = self.tracer.build_with_context(builder, &whole);
            whole.with_span(span).span().end_with_timestamp(start + stage.took);
        }
        if retrieval.status == "error" {
            whole.span().set_attribute(KeyValue::new("error.type", "retrieval_failed"));
            whole.span().set_status(Status::error("retrieval failed"));
        }
        whole.span().end_with_timestamp(began + retrieval.took);
    }

    /// Writes the chat's span, or the request's, into what goes upstream.
    pub fn propagate(&self, headers: &mut HeaderMap) {
        let parent = self.chat.get().unwrap_or(&self.server);
        TraceContextPropagator::new().inject_context(parent, &mut HeaderInjector(headers));
    }

    /// Which trace they belong to.
    pub fn trace_id(&self) -> String {
        self.server.span().span_context().trace_id().to_string()
    }

    /// Ends what is still open. `upstream` is the time that the LLM server took to answer, if it did.
    pub fn end(&self, ended: &Outcome, upstream: Option<Duration>) {
        if let Some(chat) = self.chat.get() {
            let chat = chat.span();
            let seconds = |took: Duration| took.as_secs_f64();
            if let Some(first) = ended.first_frame {
                chat.set_attribute(KeyValue::new("gen_ai.response.time_to_first_chunk", seconds(first)));
            }
            if let Some(upstream) = upstream {
                chat.set_attribute(KeyValue::new("lastro.upstream.seconds", seconds(upstream)));
            }
            // For whoever asks, every status from 400 is an error; for the server only its own are.
            match error(ended, 400) {
                Some(error) => fail(&chat, &error),
                None => chat.set_status(Status::Unset),
            }
            chat.end();
        }
        let server = self.server.span();
        if let Some(status) = ended.status {
            server.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        }
        if let Some(error) = error(ended, 500) {
            fail(&server, &error);
        }
        server.end();
    }
}

/// The name and attributes of a stage's span; embedding has conventions of its own.
fn named(stage: &'static str, model: Option<&str>) -> (String, Vec<KeyValue>) {
    match model {
        Some(model) if stage == "embed" => {
            let attributes = vec![
                KeyValue::new("gen_ai.operation.name", "embeddings"),
                KeyValue::new("gen_ai.provider.name", "lastro"),
                KeyValue::new("gen_ai.request.model", model.to_owned()),
            ];
            (format!("embeddings {model}"), attributes)
        }
        _ => (stage.to_owned(), Vec::new()),
    }
}

/// What went wrong with a request, where statuses from `from` on are errors.
fn error(ended: &Outcome, from: u16) -> Option<String> {
    match ended.status {
        Some(status) if status.as_u16() >= from => Some(status.as_str().to_owned()),
        _ if ended.end != End::Whole => Some(ended.end.name().to_owned()),
        _ => None,
    }
}

fn fail(span: &opentelemetry::trace::SpanRef<'_>, error: &str) {
    span.set_attribute(KeyValue::new("error.type", error.to_owned()));
    span.set_status(Status::error(error.to_owned()));
}

/// When something began that happened so long ago.
fn wall_clock(began: Instant) -> SystemTime {
    SystemTime::now().checked_sub(began.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH)
}
