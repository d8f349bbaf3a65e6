//! Clients that close their sending side after the request get their answer; those that have left cancel upstream.

use super::world::client::Response;
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, Request, World, eventually, question_body};

const TARGETS: [&str; 3] = ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/completions"];

async fn ask(world: &World, target: &str, version: &str, connection: &str) -> Response {
    let body = question_body("Is the valve closed?");
    let head = format!(
        "POST {target} HTTP/{version}\r\nHost: localhost\r\nContent-Length: {}\r\n{connection}\r\n",
        body.len()
    );
    Request::raw(head + &body).open(world.address).await
}

fn frames(count: usize) -> Vec<Piece> {
    let mut pieces = vec![Piece::Gate, Piece::Bytes(EVENTS.to_vec())];
    pieces.extend((0..count).flat_map(|n| [Piece::Bytes(chunk(&frame(n))), Piece::Gate]));
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    pieces
}

fn frame(n: usize) -> Vec<u8> {
    format!("data: {{\"n\":{n}}}\n\n").into_bytes()
}

/// Long enough for several of the bytes by which lastro finds out whether somebody is there.
async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
}

#[tokio::test]
async fn who_sends_nothing_more_still_gets_the_whole_answer() {
    let world = World::with_manual("").await;
    for target in TARGETS {
        for (version, connection) in [("1.1", ""), ("1.1", "Connection: close\r\n"), ("1.0", "")] {
            world.upstream.play(frames(3));
            let asked = world.upstream.requests().len();
            let mut response = ask(&world, target, version, connection).await;
            response.half_close().await;
            eventually(|| async { (world.upstream.requests().len() > asked).then_some(()) }).await;
            a_while().await;
            world.upstream.release();
            response.read_head().await;
            assert_eq!(response.status, 200, "{target} {version} {connection}");
            for n in 0..3 {
                assert_eq!(response.exactly(frame(n).len()).await, frame(n), "{target} {version}");
                world.upstream.release();
            }
            assert_eq!(response.rest().await, (Vec::new(), Ok(())), "{target} {version}");
        }
    }
    // An answer of a known length, one of ours, and an error.
    for (target, pieces, status) in [
        ("/v1/completions", json_answer("200 OK", "{\"a\":1}"), 200),
        ("/v1/completions", json_answer("500 Oops", "{}"), 500),
        ("/v1/vector_stores/manual/search", json_answer("200 OK", "{}"), 400),
        ("/c/nowhere/v1/chat/completions", json_answer("200 OK", "{}"), 404),
    ] {
        world.upstream.play([vec![Piece::Pause(std::time::Duration::from_millis(300))], pieces].concat());
        let mut response = ask(&world, target, "1.1", "").await;
        response.half_close().await;
        response.read_head().await;
        assert_eq!(response.status, status, "{target}");
        assert_eq!(response.rest().await.1, Ok(()), "{target}");
        assert_eq!(response.until_closed().await, b"");
    }
}

#[tokio::test]
async fn a_sending_side_that_is_closed_in_the_middle_changes_nothing() {
    let world = World::with_manual("").await;
    for target in TARGETS {
        world.upstream.play(frames(4));
        let mut response = ask(&world, target, "1.1", "").await;
        world.upstream.release();
        response.read_head().await;
        assert_eq!(response.exactly(frame(0).len()).await, frame(0));
        response.half_close().await;
        a_while().await;
        for n in 1..4 {
            world.upstream.release();
            assert_eq!(response.exactly(frame(n).len()).await, frame(n), "{target}");
        }
        world.upstream.release();
        assert_eq!(response.rest().await, (Vec::new(), Ok(())), "{target}");
    }
}

/// The same as above up to the moment when the client goes away: nothing more is generated for it.
#[tokio::test]
async fn who_leaves_cancels_upstream_also_where_nothing_was_answered() {
    let world = World::with_manual("").await;
    let silent = vec![Piece::UntilClosed];
    let begun = vec![Piece::Bytes([EVENTS, &chunk(&frame(0))].concat()), Piece::UntilClosed];
    for target in TARGETS {
        for (version, connection) in [("1.1", ""), ("1.1", "Connection: close\r\n"), ("1.0", "")] {
            for (pieces, read) in [(&silent, false), (&begun, true)] {
                world.upstream.play(pieces.clone());
                let (asked, closed) = (world.upstream.requests().len(), world.upstream.closed());
                let mut response = ask(&world, target, version, connection).await;
                eventually(|| async { (world.upstream.requests().len() > asked).then_some(()) }).await;
                if read {
                    response.read_head().await;
                    assert_eq!(response.exactly(frame(0).len()).await, frame(0));
                }
                drop(response);
                eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
            }
        }
    }
}

/// First one side, then all of it.
#[tokio::test]
async fn who_closes_one_side_and_then_leaves_cancels_upstream() {
    let world = World::with_manual("").await;
    world.upstream.play(vec![Piece::UntilClosed]);
    for target in TARGETS {
        let (asked, closed) = (world.upstream.requests().len(), world.upstream.closed());
        let mut response = ask(&world, target, "1.1", "").await;
        response.half_close().await;
        eventually(|| async { (world.upstream.requests().len() > asked).then_some(()) }).await;
        drop(response);
        eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
    }
}
