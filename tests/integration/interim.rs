//! Answers without a body, answers before the answer, and clients that wait to be asked for theirs.

use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, eventually, question_body};

fn plays(head: &str) -> Vec<Piece> {
    vec![Piece::Bytes(head.as_bytes().to_vec())]
}

#[tokio::test]
async fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let world = World::start("").await;
    for (head, length, coding) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: 1\r\n\r\n", Some("1234"), None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n", Some("0"), None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n", None, Some("chunked")),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\nX-A: 1\r\n\r\n", Some("22"), None),
    ] {
        world.upstream.play(plays(head));
        let request = Request::new("HEAD", "/v1/audio/1/content");
        let mut response = request.send(world.address).await;
        // The connection goes on, so no byte of a body was there.
        for _ in 0..2 {
            assert_eq!(response.header("content-length"), length, "{head}");
            assert!([None, coding].contains(&response.header("transfer-encoding")), "{head}");
            assert_eq!(response.header("x-a"), Some("1"), "{head}");
            assert_eq!(world.upstream.last().method, "HEAD");
            response.again(&request, world.address).await;
        }
    }
}

#[tokio::test]
async fn answers_that_have_no_body_leave_the_connection_usable() {
    let world = World::with_manual("").await;
    for (head, status) in [
        ("HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nX-A: 1\r\n\r\n", 304),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nX-A: 1\r\n\r\n", 304),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n", 205),
    ] {
        for headers in [&[][..], &[("X-RAG-Collection", "manual")]] {
            world.upstream.play(plays(head));
            let request = Request::new("POST", "/v1/chat/completions").headers(headers);
            let request = request.json(question_body("Is the valve closed?"));
            let mut response = request.send(world.address).await;
            assert_eq!((response.status, response.header("x-a")), (status, Some("1")), "{head}");
            assert_eq!(response.rest().await, (Vec::new(), Ok(())), "{head}");
            world.upstream.play(json_answer("200 OK", "{\"after\":1}"));
            response.again(&request, world.address).await;
            assert_eq!(response.reply().await.text(), "{\"after\":1}", "{head}");
        }
    }
}

#[tokio::test]
async fn answers_before_the_answer_do_not_become_it() {
    let world = World::with_manual("").await;
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok";
    for before in [hint, processing, "HTTP/1.1 100 Continue\r\n\r\n", &[hint, hint, processing].concat()] {
        for pieces in [plays(&[before, last].concat()), [plays(before), plays(last)].concat()] {
            world.upstream.play(pieces);
            for target in ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/embeddings"] {
                let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
                assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{before} {target}");
                assert_eq!((reply.header("x-a"), reply.header("link")), (Some("1"), None), "{before}");
            }
        }
    }
}

/// A client that waits to be asked for its body is asked, and `Expect` stays on its connection.
#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_asked_for() {
    let world = World::with_manual("").await;
    let body = question_body("Is the valve closed?");
    for target in ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/embeddings"] {
        let request = Request::new("POST", target).header("Expect", "100-continue").announced(body.len());
        let mut exchange = request.open(world.address).await;
        assert!(exchange.try_any_head().await, "{target}: the connection was closed");
        assert_eq!(exchange.status, 100, "{target}");
        exchange.write(body.as_bytes()).await;
        exchange.read_head().await;
        assert_eq!((exchange.status, exchange.interim.len()), (200, 0), "{target}");
        assert_eq!(exchange.reply().await.status, 200, "{target}");
        assert_eq!(world.upstream.last().header("expect"), None, "{target}");
        assert!(world.upstream.last().text().ends_with(body.split("\"Is").nth(1).unwrap_or("?")), "{target}");
    }
}

/// Who is refused is not asked for a body first.
#[tokio::test]
async fn a_refused_request_is_not_asked_for_its_body() {
    let world = World::start("max_body_mib = 1").await;
    let chat = "/v1/chat/completions";
    for (target, headers, status) in [
        (chat, &[][..], 413),
        (chat, &[("Host", "evil.example")], 403),
        ("/v1/audio", &[("Host", "evil.example")], 403),
        ("/c/unknown/v1/audio", &[], 404),
        ("/nothing", &[], 404),
    ] {
        let request = Request::new("POST", target).headers(headers).header("Expect", "100-continue");
        let mut exchange = request.announced(64 << 20).open(world.address).await;
        exchange.read_head().await;
        assert_eq!((exchange.status, &exchange.interim[..]), (status, &[][..]), "{target} {headers:?}");
    }
    assert!(world.upstream.heads().is_empty());
}

/// What upstream refuses before it has the body is the client's answer.
#[tokio::test]
async fn upstreams_refusal_reaches_a_client_that_waits() {
    let world = World::start("").await;
    world.upstream.early(true);
    world.upstream.play(json_answer("401 Unauthorized", "{\"error\":\"who?\"}"));
    let request = Request::new("POST", "/v1/audio").header("Expect", "100-continue").announced(1 << 20);
    let mut exchange = request.send(world.address).await;
    assert_eq!(exchange.status, 401);
    assert_eq!(exchange.rest().await.0, b"{\"error\":\"who?\"}");
    eventually(|| async { world.upstream.heads().pop() }).await;
}
