//! `/metrics`: what was counted is what happened.

use serde_json::json;

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk};
use super::world::{Piece, Request, World, eventually, long_document, question_body};

/// A metric's value; 0 where it is not there.
async fn value(world: &World, name: &str) -> f64 {
    let request = Request::new("GET", "/metrics").key(&world.local_key);
    let reply = world.ask(request).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("content-type").is_some_and(|t| t.starts_with("text/plain; version=0.0.4")));
    let text = reply.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Waits for a metric to get there: an answer's end is counted after its last byte was sent.
async fn reaches(world: &World, name: &str, wanted: f64) {
    eventually(|| async { (value(world, name).await == wanted).then_some(()) }).await;
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let world = World::start("window = 2000\npassages = 3").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    // An answer that comes whole has no first token.
    world.chat("manual", "Which code do the rules for topic5 give?", &[]).await;
    world.upstream.play(vec![Piece::Bytes([EVENTS, &chunk(b"data: {}\n\n"), LAST_CHUNK].concat())]);
    for _ in 0..2 {
        world.chat("manual", "Which code do the rules for topic7 give?", &[]).await;
    }
    world.chat("manual", "Which code?", &[("X-RAG", "off")]).await;
    world.post("/v1/chat/completions", &[], question_body("Who are you?")).await;
    world.chat("nosuch", "Which code?", &[]).await.error(404, "collection_not_found");
    world.search("manual", "topic9").await;

    reaches(&world, r#"lastro_requests_total{route="chat",status="200"}"#, 5.0).await;
    for (name, wanted) in [
        (r#"lastro_requests_total{route="chat",status="404"}"#, 1.0),
        (r#"lastro_requests_total{route="search",status="200"}"#, 1.0),
        (r#"lastro_requests_in_flight{route="chat"}"#, 0.0),
        (r#"lastro_requests_in_flight{route="metrics"}"#, 1.0),
        (r#"lastro_request_duration_seconds_count{route="chat"}"#, 6.0),
        (r#"lastro_cancelled_requests_total{route="chat"}"#, 0.0),
        (r#"lastro_time_to_first_token_seconds_count{grounding="lexical"}"#, 2.0),
        (r#"lastro_time_to_first_token_seconds_count{grounding="off"}"#, 1.0),
        (r#"lastro_time_to_first_token_seconds_count{grounding="none"}"#, 1.0),
        // The search's too.
        (r#"lastro_retrievals_total{status="lexical"}"#, 4.0),
        (r#"lastro_retrievals_total{status="off"}"#, 1.0),
        (r#"lastro_retrievals_total{status="error"}"#, 0.0),
        (r#"lastro_retrieval_stage_seconds_count{stage="lexical"}"#, 4.0),
        (r#"lastro_retrieval_stage_seconds_count{stage="dense"}"#, 0.0),
        ("lastro_added_context_tokens_count", 3.0),
        ("lastro_upstream_seconds_count", 5.0),
        ("lastro_upstream_up", 1.0),
    ] {
        assert_eq!(value(&world, name).await, wanted, "{name}");
    }
    assert!(value(&world, "lastro_added_context_tokens_sum").await > 100.0);
    assert!(value(&world, "lastro_data_free_bytes").await > 0.0);
    assert!(value(&world, "process_resident_memory_bytes").await > 0.0);
}

#[tokio::test]
async fn documents_and_what_collections_hold_are_counted() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon."), ("b.txt", "Lamps.")]).await;
    let target = "/v1/vector_stores/manual/documents?wait=60";
    let reply = world.send_files(target, &[("file", "empty.txt", &[b' '; 16])]).await.json();
    assert_eq!(reply["data"][0]["status"], "failed", "{reply}");
    let id = world.get("/v1/vector_stores/manual").await.json()["id"].as_str().expect("an id").to_owned();
    reaches(&world, "lastro_ingestion_queue_documents", 0.0).await;
    for (name, wanted) in [
        (r#"lastro_ingested_documents_total{outcome="completed"}"#.to_owned(), 2.0),
        (r#"lastro_ingested_documents_total{outcome="failed"}"#.to_owned(), 1.0),
        ("lastro_collections".to_owned(), 1.0),
        (format!("lastro_collection_documents{{collection=\"{id}\"}}"), 3.0),
        (format!("lastro_collection_chunks{{collection=\"{id}\"}}"), 2.0),
        (format!("lastro_collection_bytes{{collection=\"{id}\"}}"), 28.0 + 6.0 + 16.0),
    ] {
        assert_eq!(value(&world, &name).await, wanted, "{name}");
    }
    world.delete("/v1/vector_stores/manual").await;
    assert_eq!(value(&world, &format!("lastro_collection_chunks{{collection=\"{id}\"}}")).await, 0.0);
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_such_and_no_more_in_flight() {
    let world = World::start("").await;
    world.upstream.play(vec![Piece::Bytes([EVENTS, &chunk(b"data: {}\n\n")].concat()), Piece::UntilClosed]);
    let request = Request::new("POST", "/v1/chat/completions").json(question_body("Hello?"));
    let mut response = request.send(world.address).await;
    response.exactly(10).await;
    reaches(&world, r#"lastro_requests_in_flight{route="chat"}"#, 1.0).await;
    assert_eq!(value(&world, r#"lastro_time_to_first_token_seconds_count{grounding="none"}"#).await, 0.0);
    drop(response);
    reaches(&world, r#"lastro_cancelled_requests_total{route="chat"}"#, 1.0).await;
    assert_eq!(value(&world, r#"lastro_requests_in_flight{route="chat"}"#).await, 0.0);
    assert_eq!(value(&world, r#"lastro_time_to_first_token_seconds_count{grounding="none"}"#).await, 1.0);

    // One that leaves before there is an answer.
    world.upstream.play(vec![Piece::UntilClosed]);
    let waiting = request.open(world.address).await;
    reaches(&world, r#"lastro_requests_in_flight{route="chat"}"#, 1.0).await;
    drop(waiting);
    reaches(&world, r#"lastro_cancelled_requests_total{route="chat"}"#, 2.0).await;

    // And one that stays to the end.
    world.upstream.play(vec![Piece::Bytes([EVENTS, &chunk(b"data: {}\n\n"), LAST_CHUNK].concat())]);
    request.send(world.address).await.reply().await;
    reaches(&world, r#"lastro_request_duration_seconds_count{route="chat"}"#, 3.0).await;
    assert_eq!(value(&world, r#"lastro_cancelled_requests_total{route="chat"}"#).await, 2.0);
}

#[tokio::test]
async fn a_failing_llm_server_shows() {
    let world = World::start("").await;
    let chat = || world.post("/v1/chat/completions", &[], question_body("Hello?"));
    world.upstream.play(vec![Piece::Die]);
    assert_eq!(chat().await.status, 502);
    assert_eq!(value(&world, r#"lastro_upstream_errors_total{reason="broken"}"#).await, 1.0);
    assert_eq!(value(&world, "lastro_upstream_up").await, 1.0);
    // In the middle of an answer.
    world.upstream.play(vec![Piece::Bytes([EVENTS, &chunk(b"data: {}\n\n")].concat()), Piece::Die]);
    let request = Request::new("POST", "/v1/chat/completions").json(question_body("Hello?"));
    assert!(request.send(world.address).await.rest().await.1.is_err());
    reaches(&world, r#"lastro_upstream_errors_total{reason="broken"}"#, 2.0).await;
    assert_eq!(value(&world, r#"lastro_cancelled_requests_total{route="chat"}"#).await, 0.0);

    // Nobody listens on port 1.
    let gone = World::start("upstream = \"http://127.0.0.1:1/v1\"").await;
    gone.post("/v1/chat/completions", &[], question_body("Hello?")).await.error(502, "upstream_unreachable");
    assert!(value(&gone, r#"lastro_upstream_errors_total{reason="unreachable"}"#).await >= 1.0);
    assert_eq!(value(&gone, "lastro_upstream_up").await, 0.0);
    assert_eq!(value(&gone, r#"lastro_requests_total{route="chat",status="502"}"#).await, 1.0);
}

#[tokio::test]
async fn a_key_for_metrics_reads_them_and_nothing_else() {
    let world = World::with_manual("").await;
    let (_, key) = world.key(json!({ "name": "prometheus", "scopes": ["metrics"] })).await;
    let get = |target: &str| world.ask(Request::new("GET", target).key(&key));
    assert_eq!(get("/metrics").await.status, 200);
    get("/v1/vector_stores").await.error(403, "insufficient_scope");
    world.get("/metrics").await.error(401, "invalid_api_key");
    // Strangers are counted, under names that they cannot choose.
    for target in ["/v1/x/y", "/nosuch", "/c/1/v1/chat/completions"] {
        world.get(target).await;
    }
    let text = get("/metrics").await.text();
    assert!(text.contains(r#"lastro_requests_total{route="other",status="401"} 1"#), "{text}");
    assert!(!text.contains("nosuch"));
}
