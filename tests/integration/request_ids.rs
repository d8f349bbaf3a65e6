//! A request can be followed through all servers by its id.

use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, question_body};

const TARGETS: [&str; 3] = ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/embeddings"];

#[tokio::test]
async fn an_id_of_the_clients_is_passed_on() {
    let world = World::with_manual("").await;
    for target in TARGETS {
        let headers = [("X-Request-Id", "order 66/\u{e9}")];
        let reply = world.post(target, &headers, question_body("Is the valve closed?")).await;
        assert_eq!(world.upstream.last().all("x-request-id"), ["order 66/\u{e9}"], "{target}");
        assert_eq!((reply.status, reply.header("x-request-id")), (200, Some("order 66/\u{e9}")), "{target}");
    }
}

#[tokio::test]
async fn without_one_an_id_is_made_and_told_to_both_sides() {
    let world = World::with_manual("").await;
    let mut ids = Vec::new();
    for target in TARGETS {
        for _ in 0..3 {
            let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
            let id = reply.header("x-request-id").expect("an id").to_owned();
            assert_eq!(world.upstream.last().all("x-request-id"), [id.as_str()], "{target}");
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            ids.push(id);
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 9, "an id was given twice");
}

#[tokio::test]
async fn upstreams_own_id_is_the_one_that_the_client_sees() {
    let world = World::with_manual("").await;
    let head = b"HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n";
    world.upstream.play(vec![Piece::Bytes(head.to_vec())]);
    for target in TARGETS {
        for headers in [&[][..], &[("X-Request-Id", "mine")]] {
            let reply = world.post(target, headers, question_body("Is the valve closed?")).await;
            let all: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "x-request-id").collect();
            assert_eq!(all.len(), 1, "{target}: {all:?}");
            assert_eq!(reply.header("x-request-id"), Some("theirs"), "{target}");
        }
    }
}

/// Errors are what people look for in logs.
#[tokio::test]
async fn errors_of_ours_have_an_id_too() {
    let world = World::with_manual("max_body_mib = 1").await;
    world.upstream.play(vec![Piece::Die]);
    let question = question_body("Is the valve closed?");
    for (request, status) in [
        (Request::new("POST", "/v1/chat/completions").json(question.as_str()), 502),
        (Request::new("POST", "/c/manual/v1/chat/completions").json(question.as_str()), 502),
        (Request::new("GET", "/v1/audio"), 502),
        (Request::new("POST", "/c/manual/v1/chat/completions").json("{}"), 400),
        (Request::new("GET", "/nothing"), 404),
    ] {
        let reply = world.ask(request.clone()).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(
            reply.header("x-request-id").is_some_and(|id| id.len() == 32),
            "{status}: {:?}",
            reply.headers
        );
        let reply = world.ask(request.header("X-Request-Id", "mine")).await;
        assert_eq!((reply.status, reply.header("x-request-id")), (status, Some("mine")));
    }
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_eq!(world.get("/v1/audio").await.status, 200);
}
