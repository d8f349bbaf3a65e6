//! Upstream is waited for as long as configured, each wait with an error of its own.

use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Broken, Piece, Request, World, eventually, question_body, within};

/// Chat plain, chat grounded, everything else.
const TARGETS: [&str; 3] = ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/embeddings"];

fn question(target: &str) -> Request {
    Request::new("POST", target).json(question_body("Is the valve closed?"))
}

/// An address that answers no knock: its queue of connections is full and nobody takes one.
async fn deaf() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await
    {
        queue.push(stream.expect("a connection"));
        assert!(queue.len() < 100, "the queue does not fill");
    }
    (listener, queue)
}

#[tokio::test]
async fn an_upstream_that_does_not_take_connections_is_said() {
    let (listener, _queue) = deaf().await;
    let address = listener.local_addr().expect("an address");
    let world = World::with_manual(&format!(
        "upstream = \"http://{address}/v1\"\nupstream_connect_timeout = 1\nwindow = 8192"
    ))
    .await;
    for target in TARGETS {
        let reply = world.ask(question(target)).await;
        let message = reply.error(504, "upstream_connect_timeout");
        assert!(!message.contains(&address.to_string()), "{message}");
        assert_eq!(reply.json()["error"]["type"], "upstream_error");
        let grounded = target.starts_with("/c/");
        assert_eq!(reply.header("x-rag-status"), grounded.then_some("hit"), "{target}");
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_said() {
    let world = World::with_manual("upstream_header_timeout = 1").await;
    let half = Piece::Bytes(b"HTTP/1.1 200 OK\r\nContent-".to_vec());
    for pieces in [vec![Piece::UntilClosed], vec![half, Piece::UntilClosed]] {
        for target in TARGETS {
            world.upstream.play(pieces.clone());
            let (closed, asked) = (world.upstream.closed(), world.upstream.requests().len());
            let reply = world.ask(question(target)).await;
            reply.error(504, "upstream_header_timeout");
            assert_eq!(reply.header("x-rag-status"), target.starts_with("/c/").then_some("hit"), "{target}");
            // It was asked once, and is not kept at work for nobody.
            eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
            assert_eq!(world.upstream.requests().len(), asked + 1, "{target}");
        }
    }
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_eq!(world.ask(question(TARGETS[0])).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_stops_is_broken_off() {
    let world = World::with_manual("upstream_idle_timeout = 1").await;
    let begun = Piece::Bytes([EVENTS, &chunk(b"one")].concat());
    let silent = Piece::Bytes(EVENTS.to_vec());
    let short = Piece::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none".to_vec());
    for (pieces, before) in [(begun, "one"), (silent, ""), (short, "one")] {
        world.upstream.play(vec![pieces, Piece::UntilClosed]);
        for target in TARGETS {
            let closed = world.upstream.closed();
            let mut response = question(target).send(world.address).await;
            assert_eq!(response.status, 200);
            assert_eq!(response.rest().await, (before.into(), Err(Broken)), "{target}");
            eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
        }
    }
}

/// A model thinks as long as it must, and a stream lasts as long as it does: only silence counts.
#[tokio::test]
async fn a_stream_that_goes_on_slowly_is_waited_for() {
    let world = World::with_manual("upstream_idle_timeout = 3\nupstream_header_timeout = 3").await;
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec())];
    for _ in 0..16 {
        pieces.extend([Piece::Pause(Duration::from_millis(250)), Piece::Bytes(chunk(b"x"))]);
    }
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    world.upstream.play(pieces);
    let all = TARGETS.map(|target| world.ask(question(target)));
    for reply in within(futures_util::future::join_all(all)).await {
        assert_eq!((reply.status, reply.text()), (200, "x".repeat(16)));
    }
}

/// A client that reads slowly is no silence of upstream's.
#[tokio::test]
async fn a_client_that_takes_its_time_is_not_upstreams_silence() {
    let world = World::with_manual("upstream_idle_timeout = 1").await;
    let frame = vec![b'x'; 1 << 16];
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec()), Piece::Repeat(chunk(&frame), 512)];
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    world.upstream.play(pieces);
    let mut response = question(TARGETS[0]).receiving(1 << 14).send(world.address).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (body, end) = response.rest().await;
    assert_eq!((body.len(), end), (512 << 16, Ok(())));
}
