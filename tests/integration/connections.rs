//! Connections that ask nothing, ask slowly or send too much do not keep others from being served.

use std::time::Duration;

use tokio::time::sleep;

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, Request, World, eventually, form, question_body, within};

const CHAT: &str = "/v1/chat/completions";

fn half_open() -> Request {
    Request::raw("GET /v1/x HTTP/1.1\r\nHost: loc")
}

/// A stream that ends when the test lets it.
fn held() -> Vec<Piece> {
    let end = [chunk(b"two"), LAST_CHUNK.to_vec()].concat();
    vec![Piece::Bytes([EVENTS, &chunk(b"one")].concat()), Piece::Gate, Piece::Bytes(end)]
}

#[tokio::test]
async fn half_open_connections_make_room_for_clients() {
    let world = World::start("max_connections = 64\nheader_timeout = 3600").await;
    world.upstream.play_at("/v1/completions", held());
    let mut stream = Request::new("POST", "/v1/completions").send(world.address).await;
    assert_eq!(stream.exactly(3).await, b"one");
    let mut waiting = Vec::new();
    for n in 0..300 {
        waiting.push(if n % 2 == 0 { half_open() } else { Request::raw("") }.open(world.address).await);
        if n % 10 == 9 {
            assert_eq!(world.post(CHAT, &[], "{}").await.status, 200, "{n}");
        }
    }
    // Who waited longest has gone, who was being served has not.
    for gone in &mut waiting[..200] {
        gone.until_closed().await;
    }
    world.upstream.release();
    assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())));
    drop(waiting);
    for _ in 0..100 {
        assert_eq!(world.get("/health").await.status, 200);
    }
}

#[tokio::test]
async fn connections_that_are_served_are_not_given_up_for_others() {
    let world = World::start("max_connections = 8\nheader_timeout = 3600").await;
    world.upstream.play(held());
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = Request::new("POST", CHAT).json("{}").send(world.address).await;
        assert_eq!(stream.exactly(3).await, b"one");
        streams.push(stream);
    }
    // There is no room: whether these wait or are closed, they change nothing for those who are served.
    let mut others = Vec::new();
    for _ in 0..32 {
        others.push(half_open().open(world.address).await);
    }
    for stream in &mut streams {
        world.upstream.release();
        assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())));
    }
    drop(streams);
    let served = eventually(|| async {
        let mut response = Request::new("GET", "/health").open(world.address).await;
        (response.try_head().await && response.status == 200).then_some(())
    });
    served.await;
}

#[tokio::test]
async fn heads_that_do_not_come_are_not_waited_for() {
    let world = World::start("header_timeout = 1").await;
    world.upstream.play_at("/v1/completions", held());
    let mut stream = Request::new("POST", "/v1/completions").send(world.address).await;
    assert_eq!(stream.exactly(3).await, b"one");
    let mut silent = Request::raw("").open(world.address).await;
    let mut half = half_open().open(world.address).await;
    let mut slow = half_open().open(world.address).await;
    // A byte now and then does not buy more time.
    let dripping = async {
        while slow.try_write(b"a").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let all = async { tokio::join!(silent.until_closed(), half.until_closed(), dripping) };
    let (_, answer, ()) = within(all).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(world.upstream.heads().iter().all(|head| head.target == "/v1/completions"));
    world.upstream.release();
    assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())));
}

/// The first part of a body, and then nothing.
fn stalled(request: Request) -> [(Request, Vec<u8>); 2] {
    [(request.clone().announced(1000), b"first ".to_vec()), (request.chunked(), chunk(b"first "))]
}

#[tokio::test]
async fn bodies_that_do_not_come_are_not_waited_for() {
    let world = World::with_manual("body_timeout = 1").await;
    let multipart = [("Content-Type", "multipart/form-data; boundary=limit")];
    let begun = "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nfirst ";
    let mut all = Vec::new();
    for target in [CHAT, "/c/manual/v1/chat/completions", "/v1/audio", "/v1/vector_stores/manual/search"] {
        all.extend(stalled(Request::new("POST", target).header("Content-Type", "application/json")));
    }
    let upload = Request::new("POST", "/v1/vector_stores/manual/documents").headers(&multipart);
    all.push((upload.clone().announced(1000), begun.as_bytes().to_vec()));
    all.push((upload.chunked(), chunk(begun.as_bytes())));
    let address = world.address;
    let all = all.into_iter().map(|(request, first)| async move {
        let mut exchange = request.open(address).await;
        exchange.write(&first).await;
        exchange.read_head().await;
        exchange.reply().await
    });
    for reply in futures_util::future::join_all(all).await {
        reply.error(408, "request_timeout");
    }
    // What had begun upstream was broken off there.
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    assert!(world.upstream.requests().is_empty());
    let documents = world.get("/v1/vector_stores/manual/documents").await.json();
    assert_eq!(documents["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_waited_for() {
    let world = World::start("body_timeout = 3\nheader_timeout = 3").await;
    let bodies = [CHAT, "/v1/audio"].map(|target| {
        let world = &world;
        async move {
            let mut exchange = Request::new("POST", target).announced(16).open(world.address).await;
            for _ in 0..16 {
                sleep(Duration::from_millis(250)).await;
                exchange.write(b"x").await;
            }
            exchange.read_head().await;
            exchange.reply().await.status
        }
    });
    assert_eq!(futures_util::future::join_all(bodies).await, [200, 200]);
    assert!(world.upstream.requests().iter().all(|sent| sent.text() == "x".repeat(16)));
}

/// The refusal of a body that is too large can be read, also by a client that sends all of it first.
#[tokio::test]
async fn a_body_that_is_too_large_is_refused_readably() {
    const SIZE: usize = 64 << 20;
    let world = World::with_manual("max_body_mib = 1\nmax_file_mib = 1").await;
    let part = vec![b'x'; 1 << 16];
    for target in [CHAT, "/c/manual/v1/chat/completions"] {
        for (request, part, end) in [
            (Request::new("POST", target).announced(SIZE), part.clone(), Vec::new()),
            (Request::new("POST", target).chunked(), chunk(&part), LAST_CHUNK.to_vec()),
        ] {
            let mut exchange = request.open(world.address).await;
            let mut sent = Ok(());
            for _ in 0..SIZE >> 16 {
                sent = sent.and(exchange.try_write(&part).await);
            }
            // Whether all of it was taken is the server's choice; that its answer is there is not.
            let _ = sent.and(exchange.try_write(&end).await);
            exchange.read_head().await;
            let message = exchange.reply().await.error(413, "too_large");
            assert!(message.contains("1 MiB") && message.contains("max-body-mib"), "{message}");
        }
    }
    let whole = vec![b'x'; 8 << 20];
    let upload = form("/v1/vector_stores/manual/documents", &[("file", "a.txt", &whole)]);
    world.ask(upload).await.error(413, "too_large");
    assert!(world.upstream.heads().is_empty());
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_eq!(world.post(CHAT, &[], question_body("q")).await.status, 200);
}
