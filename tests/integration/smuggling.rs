//! What two servers could read as different requests is refused, and nothing of it becomes a second request or answer.

use super::world::client::find;
use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, question_body};

/// What an attacker wants upstream to take for a request of its own.
const HIDDEN: &str = "GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\nX: ";

/// Fields after a request line and a host, and a body that ends in different places for different readers.
const HEADS: &[(&str, &str)] = &[
    ("two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n\r\n"),
    ("two lengths, the other way", "Content-Length: 5\r\nContent-Length: 0\r\n\r\n"),
    ("a list of lengths", "Content-Length: 0, 5\r\n\r\n"),
    ("a signed length", "Content-Length: +0\r\n\r\n"),
    ("a negative length", "Content-Length: -1\r\n\r\n"),
    ("a length of other digits", "Content-Length: 0x0\r\n\r\n"),
    ("no digits", "Content-Length: \r\n\r\n"),
    ("a length that overflows", "Content-Length: 18446744073709551616\r\n\r\n"),
    ("a folded line", "X-A: 1\r\n Content-Length: 5\r\n\r\n"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "Content-Length : 0\r\n\r\n"),
    ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("a coding that nobody knows", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunks that are not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("codings in two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("a coding of bytes", "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
    ("a NUL in a value", "X-A: a\0b\r\n\r\n"),
    ("a NUL in a name", "X\0A: b\r\n\r\n"),
    ("a bare CR in a value", "X-A: a\rTransfer-Encoding: chunked\r\n\r\n"),
    ("a bare CR as an end of line", "X-A: a\rX-B: b\r\r"),
    ("a line without a colon", "Content-Length\r\n\r\n"),
    ("an empty name", ": 1\r\n\r\n"),
    // Bodies of chunks.
    ("a size in other digits", "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
    ("a signed size", "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"),
    ("a negative size", "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
    ("no size", "Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n"),
    ("a size that overflows", "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n"),
    ("a chunk longer than its size", "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
    ("a bare LF in an extension", "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n"),
];

/// Sends such a request, and gives what came back until the connection was closed.
async fn attack(world: &World, target: &str, fields: &str) -> String {
    let padding = "x".repeat(200);
    let bytes = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{fields}{HIDDEN}{padding}\r\n\r\n");
    let answer = Request::raw(bytes).open(world.address).await.until_closed().await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_of_two_meanings_is_none() {
    let world = World::start("").await;
    for (name, fields) in HEADS {
        for target in ["/v1/audio", "/v1/chat/completions"] {
            let answer = attack(&world, target, fields).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{name}, {target}: {answer}");
            assert!(answer.matches("HTTP/1.1").count() < 2, "{name}, {target}: {answer}");
            assert!(
                world.upstream.requests().is_empty(),
                "{name}, {target}: {:?}",
                world.upstream.requests()
            );
            // The head of the one before may be recorded late.
            let heads = world.upstream.heads();
            assert!(heads.iter().all(|head| head.target != "/v1/hidden"), "{name}: {heads:?}");
            world.upstream.forget();
        }
    }
    assert_eq!(world.get("/v1/audio").await.status, 200, "the server goes on");
}

/// Chunks count where a length stands too, and the connection must end (RFC 9112, section 6.1).
#[tokio::test]
async fn a_request_with_both_framings_is_the_last_of_its_connection() {
    let world = World::start("").await;
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ] {
        for target in ["/v1/audio", "/v1/chat/completions"] {
            let answer = attack(&world, target, fields).await;
            assert!(answer.matches("HTTP/1.1").count() < 2, "{target}: {answer}");
            for sent in world.upstream.heads() {
                assert_ne!(sent.target, "/v1/hidden");
                assert!(
                    sent.all("content-length").is_empty() || sent.header("content-length") == Some("0"),
                    "{sent:?}"
                );
            }
            assert!(world.upstream.requests().iter().all(|sent| sent.body.is_empty()));
            world.upstream.forget();
        }
    }
}

/// An HTTP/1.0 client knows no chunks, so somebody added them on the way.
#[tokio::test]
async fn chunks_of_an_older_protocol_are_refused() {
    let world = World::start("").await;
    let bytes = format!(
        "POST /v1/audio HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}x\r\n\r\n"
    );
    let answer = Request::raw(bytes).open(world.address).await.until_closed().await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "),
        "{answer}"
    );
    assert!(world.upstream.requests().is_empty());
}

/// Requests one after the other on a connection are what they are: each its own.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let world = World::start("").await;
    for n in 1..=3 {
        world.upstream.play_at(&format!("/v1/{n}"), json_answer("200 OK", &format!("answer {n}")));
    }
    let body = question_body("q");
    let bytes = format!(
        "POST /v1/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}\
         POST /v1/2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
         GET /v1/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answers = Request::raw(bytes).open(world.address).await.until_closed().await;
    let places: Vec<_> = (1..=3).map(|n| find(&answers, format!("answer {n}").as_bytes())).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{}",
        String::from_utf8_lossy(&answers)
    );
    let sent: Vec<_> = world.upstream.requests().iter().map(|r| (r.target.clone(), r.text())).collect();
    assert_eq!(
        sent,
        [("/v1/1".into(), body), ("/v1/2".into(), "abc".into()), ("/v1/3".into(), String::new())]
    );
}

/// What upstream sends after an answer is nobody's answer.
#[tokio::test]
async fn bytes_after_an_answer_are_not_the_next_answer() {
    let world = World::with_manual("").await;
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let hidden = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden";
    let twice = vec![Piece::Bytes([ok, hidden].concat().into_bytes())];
    let apart = vec![Piece::Bytes(ok.as_bytes().to_vec()), Piece::Bytes(hidden.as_bytes().to_vec())];
    for pieces in [twice, apart] {
        for n in 0..50 {
            world.upstream.play(pieces.clone());
            assert_eq!(world.get("/v1/audio").await.text(), "ok", "{n}");
            world.upstream.play(json_answer("200 OK", "next"));
            for target in ["/v1/chat/completions", "/c/manual/v1/chat/completions"] {
                let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
                assert_eq!((reply.status, reply.text().as_str()), (200, "next"), "{n} {target}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_of_two_meanings_is_none() {
    let world = World::with_manual("").await;
    for head in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "Content-Length: 2, 3\r\n\r\nok",
        "Content-Length: +2\r\n\r\nok",
        "Content-Length: x\r\n\r\nok",
        "X-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
        "X-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\nok",
        "Content-Length\r\n\r\nok",
    ] {
        world
            .upstream
            .play(vec![Piece::Bytes(format!("HTTP/1.1 200 OK\r\n{head}").into_bytes()), Piece::Die]);
        for target in ["/v1/audio", "/c/manual/v1/chat/completions"] {
            let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
            reply.error(502, "upstream_broken");
        }
    }
}
