//! A request goes upstream once. Only a connection that had died before anything was sent is replaced.

use std::time::Duration;

use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, eventually, question_body};

fn chat(n: usize) -> Request {
    Request::new("POST", ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/completions"][n % 3])
        .header("X-Number", &n.to_string())
        .json(question_body("Is the valve closed?"))
}

/// How often upstream saw a request.
fn seen(world: &World, n: usize) -> usize {
    let number = n.to_string();
    world.upstream.heads().iter().filter(|head| head.header("x-number") == Some(&number)).count()
}

#[tokio::test]
async fn a_connection_that_upstream_closed_is_nobodys_error() {
    let world = World::with_manual("").await;
    for n in 0..200 {
        let mut pieces = json_answer("200 OK", "{}");
        pieces.extend([Piece::Pause(Duration::from_micros(n as u64 * 37 % 1500)), Piece::Die]);
        world.upstream.play(pieces);
        let reply = world.ask(chat(n)).await;
        assert_eq!(reply.status, 200, "{n}: {}", reply.text());
        assert_eq!(seen(&world, n), 1);
        eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    }
}

/// Closing at the very moment of the next request is a race that upstream can win; then that request is not sent again.
#[tokio::test]
async fn a_request_is_never_sent_twice() {
    let world = World::with_manual("").await;
    let mut served = 0;
    for n in 0..200 {
        let mut pieces = json_answer("200 OK", "{}");
        pieces.extend([Piece::Pause(Duration::from_micros(n as u64 * 37 % 1500)), Piece::Die]);
        world.upstream.play(pieces);
        let reply = world.ask(chat(n)).await;
        match reply.status {
            200 => served += 1,
            _ => drop(reply.error(502, "upstream_broken")),
        }
        assert!(seen(&world, n) <= 1, "{n} was sent twice");
    }
    // Whatever the order of events, a request after a lost one has a new connection.
    assert!(served >= 100, "only {served} of 200 requests were served");
}

#[tokio::test]
async fn a_request_that_upstream_read_is_not_sent_again() {
    let world = World::with_manual("").await;
    for death in [Piece::Die, Piece::Reset] {
        for (n, method) in ["POST", "GET", "PUT", "DELETE"].into_iter().enumerate() {
            // On a connection of its own, and on one that has served before.
            for warm in [false, true] {
                eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
                if warm {
                    world.upstream.play(json_answer("200 OK", "{}"));
                    assert_eq!(world.get("/v1/audio").await.status, 200);
                }
                world.upstream.forget();
                world.upstream.play(vec![death.clone()]);
                let target = ["/v1/chat/completions", "/v1/audio"][usize::from(n > 0)];
                let request = Request::new(method, target).json(question_body("Is the valve closed?"));
                let reply = world.ask(request).await;
                reply.error(502, "upstream_broken");
                assert_eq!(world.upstream.heads().len(), 1, "{method}, warm: {warm}");
            }
        }
        let reply = world.chat("manual", "Is the valve closed?", &[]).await;
        reply.error(502, "upstream_broken");
        assert_eq!(reply.header("x-rag-status"), Some("hit"));
    }
}

/// A body that was streamed away cannot be sent again.
#[tokio::test]
async fn a_streamed_body_is_sent_once() {
    let world = World::with_manual("").await;
    world.upstream.early(true);
    world.upstream.play(vec![Piece::Body(6), Piece::Die]);
    let mut exchange = Request::new("POST", "/v1/audio").announced(10).open(world.address).await;
    exchange.write(b"first ").await;
    exchange.read_head().await;
    exchange.reply().await.error(502, "upstream_broken");
    assert_eq!(world.upstream.heads().len(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again_while_it_is_fresh() {
    let world = World::with_manual("upstream_keep_alive = 1").await;
    for n in 0..20 {
        assert_eq!(world.ask(chat(n)).await.status, 200);
    }
    // One for the chats, and perhaps one for lastro's own question about the models.
    assert!(world.upstream.accepted() <= 2, "{} connections", world.upstream.accepted());
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    assert_eq!(world.ask(chat(20)).await.status, 200);
}
