//! What goes upstream: the client's own bytes, and when grounded the same with spans inserted.

use super::world::upstream::json_answer;
use super::world::{Request, World, eventually};

const ODD_BODIES: &[&str] = &[
    " { \"model\" : \"test-model\",\n\t\"temperature\":0.10, \"seed\":123456789012345678901234567890,\"messages\":[ {\"content\":\"Ol\\u00e1?\",\"role\":\"user\"} ]}  ",
    r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}],"model":"x","model":"y"}"#,
    r#"{"model":"m","messages":[]}"#,
    r#"{"model":7,"messages":"text"}"#,
    "[1,2,3]",
    "not JSON at all \u{1F44B}",
    "",
    "{\"messages\":[{\"role\":\"user\"",
];

#[tokio::test]
async fn an_ungrounded_body_is_the_clients_own_bytes() {
    let world = World::start("").await;
    for body in ODD_BODIES {
        let reply = world.post("/v1/chat/completions", &[], *body).await;
        assert_eq!(reply.status, 200, "{body}");
        assert_eq!(reply.header("x-rag-status"), None);
        assert_eq!(world.upstream.last().text(), *body);
    }
    let bytes = b"\xff\xfe\x00{\"model\":".to_vec();
    world.post("/v1/chat/completions", &[], bytes.clone()).await;
    assert_eq!(world.upstream.last().body, bytes);
}

#[tokio::test]
async fn a_grounded_body_is_the_original_with_spans_inserted() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let before = " {\"x\": 0.10,\"n\":123456789012345678901234567890, \"future_field\":{\"a\":[1,1],\"a\":2},\"stop\":null,\n\"messages\" :[ {\"role\":\"system\",\"content\":\"s\"},{\"content\" : \"";
    let after = "Is the v\\u0061lve \\\"closed\\\"?\" ,\"role\":\"user\",\"b\":1,\"b\":2}],\"x\":1, ";
    let body = format!("{before}{after}\"model\":\"test-model@manual\"}} ");
    let reply = world.post("/v1/chat/completions", &[], body.clone()).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
    let sent = world.upstream.last().text();
    let inserted = sent
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(&format!("{after}\"model\":\"test-model\"}} ")))
        .unwrap_or_else(|| panic!("{sent}"));
    let inserted: String = serde_json::from_str(&format!("\"{inserted}\"")).expect("a part of a JSON string");
    assert!(inserted.contains("The valve is closed at noon."), "{inserted}");
}

#[tokio::test]
async fn headers_of_the_connection_and_ours_stay_here() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let headers = [
        ("Authorization", "Bearer theirs"),
        ("X-Request-Id", "r-1"),
        ("User-Agent", "an-sdk/1"),
        ("Accept-Encoding", "gzip"),
        ("OpenAI-Organization", "o"),
        ("Connection", "keep-alive, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic x"),
        ("TE", "trailers"),
        ("X-RAG", "on"),
        ("X-RAG-K", "3"),
        ("X-RAG-Anything", "1"),
    ];
    for target in ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/completions"] {
        world.post(target, &headers, super::world::question_body("Is the valve closed?")).await;
        let sent = world.upstream.last();
        for (name, value) in &headers[..5] {
            assert_eq!(sent.header(&name.to_ascii_lowercase()), Some(*value), "{target}: {name}");
        }
        for (name, _) in &headers[6..] {
            assert_eq!(sent.header(&name.to_ascii_lowercase()), None, "{target}: {name}");
        }
        assert_eq!(sent.header("content-type"), Some("application/json"));
        assert_eq!(sent.header("host"), Some(world.upstream.address.to_string().as_str()));
        assert_eq!(sent.header("content-length"), Some(sent.body.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn the_configured_key_goes_upstream_and_nowhere_else() {
    let world = World::start("upstream_key = \"sk-upstream\"").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.upstream.play(json_answer("401 Unauthorized", "{\"error\":\"Unauthorized\"}"));
    let theirs = [("Authorization", "Bearer theirs")];
    let replies = [
        world.post("/v1/chat/completions", &theirs, "{}").await,
        world.chat("manual", "Is the valve closed?", &theirs).await,
        world.ask(Request::new("GET", "/v1/models").headers(&theirs)).await,
        world.ask(Request::new("GET", "/v1/audio?limit=1").headers(&theirs)).await,
        world.get("/ready").await,
    ];
    for reply in replies {
        assert!(!format!("{:?}{}", reply.headers, reply.text()).contains("sk-upstream"));
    }
    let requests = world.upstream.everything();
    assert!(requests.len() >= 5);
    for request in requests {
        assert_eq!(request.header("authorization"), Some("Bearer sk-upstream"), "{}", request.target);
    }
}

#[tokio::test]
async fn everything_else_under_v1_is_relayed() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.upstream.play(json_answer("418 I'm a teapot", "{\"detail\": \"short and stout\"}"));
    for (method, target, upstream, body) in [
        ("GET", "/v1/audio?limit=2&after=a%2Fb%20c&after=d", "/v1/audio?limit=2&after=a%2Fb%20c&after=d", ""),
        ("POST", "/v1/embeddings", "/v1/embeddings", "{\"input\": \"x\"}"),
        ("PUT", "/v1/a/b/c%20d", "/v1/a/b/c%20d", "\x00bytes"),
        ("PATCH", "/v1/x", "/v1/x", "p"),
        ("DELETE", "/v1/models/a%2Fb", "/v1/models/a%2Fb", ""),
        ("OPTIONS", "/v1/chat/completions", "/v1/chat/completions", ""),
        ("GET", "/c/manual/v1/audio?x=1", "/v1/audio?x=1", ""),
    ] {
        let reply = world.ask(Request::new(method, target).body(body)).await;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (418, "{\"detail\": \"short and stout\"}"),
            "{target}"
        );
        let sent = world.upstream.last();
        assert_eq!((sent.method.as_str(), sent.target.as_str()), (method, upstream));
        assert_eq!(sent.text(), body, "{target}");
        assert_eq!(sent.header("transfer-encoding"), None, "{target}");
    }
    let reply = world.get("/c/unknown/v1/audio").await;
    reply.error(404, "collection_not_found");
}

/// Only what is under `/v1` is relayed: vLLM's other routes control the server.
#[tokio::test]
async fn no_path_leads_out_of_v1() {
    let world = World::start("").await;
    for target in [
        "/v1/../metrics",
        "/v1/%2e%2e/metrics",
        "/v1/x/..%2f../../metrics",
        "/v1/.%2E/metrics",
        "/v1/..\\metrics",
    ] {
        let reply = world.ask(Request::new("GET", target)).await;
        for sent in world.upstream.requests() {
            assert!(sent.target.starts_with("/v1/"), "{target} reached {}, {}", sent.target, reply.status);
        }
    }
}

#[tokio::test]
async fn a_relayed_body_streams_both_ways() {
    let world = World::start("").await;
    let mut exchange = Request::new("POST", "/v1/audio/transcriptions").chunked().open(world.address).await;
    exchange.write(b"6\r\nfirst \r\n").await;
    eventually(|| async { (world.upstream.arriving() == b"first ").then_some(()) }).await;
    exchange.write(b"4\r\nlast\r\n0\r\n\r\n").await;
    exchange.read_head().await;
    assert_eq!(exchange.reply().await.status, 200);
    assert_eq!(world.upstream.last().text(), "first last");
}
