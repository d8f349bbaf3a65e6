//! Traces: what an OpenTelemetry collector receives, and what the LLM server is told of them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;

use super::world::model::give_model;
use super::world::upstream::json_answer;
use super::world::{Upstream, World, long_document, question_body};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const QUESTION: &str = "Which code do the rules for topic7 give?";

/// Spans by name, and the service that they are of.
struct Received {
    spans: BTreeMap<String, Span>,
    service: String,
    bytes: Vec<u8>,
}

impl Received {
    fn by(collector: &Upstream) -> Self {
        let (mut spans, mut service, mut bytes) = (BTreeMap::new(), String::new(), Vec::new());
        for request in collector.requests() {
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            let export = ExportTraceServiceRequest::decode(request.body.as_slice()).expect("OTLP");
            for resource in export.resource_spans {
                let attributes = resource.resource.expect("a resource").attributes;
                let name = attributes.into_iter().find(|a| a.key == "service.name").expect("a service");
                service = text(name.value.expect("a value").value);
                for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    let twice = spans.insert(span.name.clone(), span);
                    assert!(twice.is_none(), "{twice:?}");
                }
            }
            bytes.extend(request.body);
        }
        Self { spans, service, bytes }
    }

    fn span(&self, name: &str) -> &Span {
        self.spans.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", self.spans.keys()))
    }

    /// An attribute as text; empty where there is none.
    fn attribute(&self, span: &str, key: &str) -> String {
        let found = self.span(span).attributes.iter().find(|attribute| attribute.key == key);
        found.and_then(|found| found.value.clone()).map_or_else(String::new, |value| text(value.value))
    }
}

fn text(value: Option<Any>) -> String {
    match value {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::DoubleValue(number)) => number.to_string(),
        Some(Any::BoolValue(yes)) => yes.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A collector, and a server that sends to it.
async fn traced(options: &str) -> (Upstream, World) {
    let collector = Upstream::start().await;
    collector.play(json_answer("200 OK", ""));
    let options = format!("otlp_endpoint = \"http://{}\"\nwindow = 2000\n{options}", collector.address);
    let world = World::start(&options).await;
    (collector, world)
}

#[tokio::test]
async fn retrieval_hangs_below_the_chat_and_the_llm_server_too() {
    let (collector, mut world) = traced("").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    world.chat("manual", QUESTION, &[("traceparent", &parent), ("tracestate", "vendor=1")]).await;
    let sent = world.upstream.last();
    world.stop().await;

    let received = Received::by(&collector);
    assert_eq!(received.service, "lastro");
    let server = received.span("POST /v1/chat/completions");
    let chat = received.span("chat test-model");
    let retrieval = received.span("retrieval manual");
    assert_eq!(
        (hex::encode(&server.trace_id), hex::encode(&server.parent_span_id)),
        (TRACE.into(), CALLER.into())
    );
    assert_eq!((server.kind(), chat.kind()), (SpanKind::Server, SpanKind::Client));
    for (child, parent) in [(chat, server), (retrieval, chat)] {
        assert_eq!(child.trace_id, server.trace_id);
        assert_eq!(child.parent_span_id, parent.span_id, "{}", child.name);
    }
    for stage in ["lexical", "weave"] {
        let stage = received.span(stage);
        assert_eq!(stage.parent_span_id, retrieval.span_id);
        assert!(stage.start_time_unix_nano >= retrieval.start_time_unix_nano);
        assert!(stage.end_time_unix_nano >= stage.start_time_unix_nano);
    }
    for (span, key, wanted) in [
        ("POST /v1/chat/completions", "http.response.status_code", "200"),
        ("POST /v1/chat/completions", "http.route", "/v1/chat/completions"),
        ("chat test-model", "gen_ai.operation.name", "chat"),
        ("chat test-model", "gen_ai.provider.name", "openai"),
        ("chat test-model", "gen_ai.request.model", "test-model"),
        ("chat test-model", "server.address", "127.0.0.1"),
        ("chat test-model", "error.type", ""),
        ("retrieval manual", "gen_ai.operation.name", "retrieval"),
        ("retrieval manual", "gen_ai.data_source.id", "manual"),
        ("retrieval manual", "gen_ai.retrieval.query.text", ""),
        ("retrieval manual", "lastro.rag.status", "lexical"),
    ] {
        assert_eq!(received.attribute(span, key), wanted, "{span}: {key}");
    }
    let first = received.attribute("chat test-model", "gen_ai.response.time_to_first_chunk");
    assert!(first.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{first}");
    let below = format!("00-{TRACE}-{}-01", hex::encode(&chat.span_id));
    assert_eq!(sent.all("traceparent"), [below.as_str()]);
    assert_eq!(sent.header("tracestate"), Some("vendor=1"));
    for secret in ["topic7", "CODE-7", "station.md"] {
        assert!(!received.bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn questions_are_told_where_that_was_asked_for() {
    let (collector, mut world) = traced("log_questions = true").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    world.chat("manual", QUESTION, &[]).await;
    world.stop().await;
    let received = Received::by(&collector);
    assert_eq!(received.attribute("retrieval manual", "gen_ai.retrieval.query.text"), QUESTION);
}

#[tokio::test]
async fn a_search_by_meaning_shows_the_model_that_embedded_the_question() {
    let collector = Upstream::start().await;
    collector.play(json_answer("200 OK", ""));
    let mut world = World::prepared("").await;
    let options = format!("otlp_endpoint = \"http://{}\"\n{}", collector.address, give_model(&world));
    world.run_with(&options).await;
    world.ready().await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.search("manual", "valve").await;
    world.stop().await;
    let received = Received::by(&collector);
    let retrieval = received.span("retrieval manual");
    let search = received.span("POST /v1/vector_stores/{collection}/search");
    assert_eq!(retrieval.parent_span_id, search.span_id);
    for stage in ["embeddings tiny-model", "lexical", "dense"] {
        assert_eq!(received.span(stage).parent_span_id, retrieval.span_id, "{stage}");
    }
    for (key, wanted) in [
        ("gen_ai.operation.name", "embeddings"),
        ("gen_ai.provider.name", "lastro"),
        ("gen_ai.request.model", "tiny-model"),
    ] {
        assert_eq!(received.attribute("embeddings tiny-model", key), wanted);
    }
}

#[tokio::test]
async fn what_the_client_does_not_sample_is_passed_on_and_not_exported() {
    let (collector, mut world) = traced("").await;
    let parent = format!("00-{TRACE}-{CALLER}-00");
    world.post("/v1/chat/completions", &[("traceparent", &parent)], question_body("Hello?")).await;
    let sent = world.upstream.last();
    let told = sent.header("traceparent").expect("a parent").to_owned();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
    world.stop().await;
    assert!(collector.requests().is_empty());
}

#[tokio::test]
async fn errors_and_clients_without_a_trace_have_spans_too() {
    let (collector, mut world) = traced("").await;
    world.upstream.play(json_answer("429 Too Many Requests", r#"{"error":{"message":"busy"}}"#));
    let reply = world.post("/v1/chat/completions", &[], question_body("Hello?")).await;
    assert_eq!(reply.status, 429);
    let sent = world.upstream.last();
    world.stop().await;
    let received = Received::by(&collector);
    assert_eq!(received.attribute("chat test-model", "error.type"), "429");
    let server = received.span("POST /v1/chat/completions");
    assert!(server.parent_span_id.is_empty());
    assert!(sent.header("traceparent").expect("a parent").contains(&hex::encode(&server.trace_id)));
}

#[tokio::test]
async fn without_a_collector_the_clients_own_headers_go_on() {
    let world = World::start("").await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    world.post("/v1/chat/completions", &[("traceparent", &parent)], question_body("Hello?")).await;
    assert_eq!(world.upstream.last().all("traceparent"), [parent.as_str()]);
    world.post("/v1/chat/completions", &[], question_body("Hello?")).await;
    assert_eq!(world.upstream.last().header("traceparent"), None);
}

#[tokio::test]
async fn a_collector_that_is_down_disturbs_nobody() {
    let mut world = World::start("otlp_endpoint = \"http://127.0.0.1:1\"").await;
    for _ in 0..3 {
        let reply = world.post("/v1/chat/completions", &[], question_body("Hello?")).await;
        assert_eq!(reply.status, 200);
    }
    world.stop().await;
}
