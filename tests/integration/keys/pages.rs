//! Web pages of other origins, and other machines.

use serde_json::json;

use super::super::world::upstream::json_answer;
use super::super::world::{Piece, Request, World};
use super::get;

const PAGE: &str = "https://chat.example.org";

fn asks_beforehand(origin: &str) -> Request {
    Request::new("OPTIONS", "/v1/chat/completions").header("Origin", origin).headers(&[
        ("Access-Control-Request-Method", "POST"),
        (
            "Access-Control-Request-Headers",
            "authorization, content-type, x-rag-collection, x-stainless-os, x-evil",
        ),
    ])
}

/// An upstream that, as vLLM does, lets every page in.
async fn start(options: &str) -> World {
    let world = World::start(options).await;
    let Some(Piece::Bytes(answer)) = json_answer("200 OK", "{}").pop() else { panic!("an answer") };
    let open = String::from_utf8(answer).expect("text").replacen(
        "\r\n",
        "\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nVary: Accept\r\n",
        1,
    );
    world.upstream.play(vec![Piece::Bytes(open.into_bytes())]);
    world
}

#[tokio::test]
async fn listed_pages_are_told_that_they_may_and_no_others() {
    for keyed in [true, false] {
        let world = start(&format!("cors_origins = [\"{PAGE}\"]")).await;
        let mut key = world.local_key.clone();
        if keyed {
            key = world.key(json!({ "name": "a", "scopes": ["chat", "relay"] })).await.1;
        }
        let before = world.ask(asks_beforehand(PAGE)).await;
        assert_eq!((before.status, before.header("access-control-allow-origin")), (204, Some(PAGE)));
        assert_eq!(before.header("vary"), Some("Origin"));
        assert!(before.header("access-control-allow-methods").is_some_and(|m| m.contains("DELETE")));
        assert_eq!(
            before.header("access-control-allow-headers"),
            Some("authorization, content-type, x-rag-collection, x-stainless-os")
        );
        assert_eq!(before.header("access-control-allow-credentials"), None);
        for target in ["/v1/vector_stores", "/v1/things", "/v1/vector_stores/nosuch", "/health"] {
            let reply = world.ask(get(target, &key).header("Origin", PAGE)).await;
            assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE), "{target}");
            let exposed = reply.header("access-control-expose-headers").expect("what may be read");
            assert!(exposed.contains("X-RAG-Sources") && exposed.contains("X-Request-Id"));
            assert_eq!(reply.header("access-control-allow-credentials"), None);
            assert!(
                reply.headers.iter().any(|(name, value)| name == "vary" && value == "Origin"),
                "{target}"
            );
        }
        if keyed {
            // A page learns why it was refused.
            let reply = world.ask(Request::new("GET", "/v1/things").header("Origin", PAGE)).await;
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (401, Some(PAGE)));
        }
        for other in [
            "https://evil.example",
            "http://chat.example.org",
            "https://chat.example.org.evil.example",
            "null",
        ] {
            let before = world.ask(asks_beforehand(other)).await;
            before.error(403, "foreign_origin");
            let reply = world.ask(get("/v1/things", &key).header("Origin", other)).await;
            assert_eq!(reply.status, if keyed { 200 } else { 403 });
            for reply in [before, reply] {
                assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{other}");
            }
        }
    }
}

#[tokio::test]
async fn closed_by_default() {
    let world = start("").await;
    let (_, key) = world.key(json!({ "name": "a", "scopes": ["relay"] })).await;
    world.ask(asks_beforehand(PAGE)).await.error(403, "foreign_origin");
    let reply = world.ask(get("/v1/things", &key).header("Origin", PAGE)).await;
    assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")));
    assert_eq!(reply.header("vary"), Some("Accept"));
    // Other programs than browsers get what upstream sent.
    let reply = world.ask(get("/v1/things", &key)).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn with_keys_the_server_answers_to_any_name() {
    let world = World::start("").await;
    let named = |key: &str| get("/v1/models", key).header("Host", "lastro.example.org");
    world.ask(named(&world.local_key)).await.error(403, "foreign_host");
    let (_, key) = world.key(json!({ "name": "a" })).await;
    assert_eq!(world.ask(named(&key)).await.status, 200);
}
