//! Only so many requests at a time: the others are told when to come again, and a place is free once its answer is over.

use super::world::client::Response;
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Broken, Piece, Request, World, eventually, question_body};

const CHAT: &str = "/v1/chat/completions";
const GROUNDED: &str = "/c/manual/v1/chat/completions";
const PLACES: usize = 4;

fn chat(target: &str) -> Request {
    Request::new("POST", target).json(question_body("Is the valve closed?"))
}

/// A stream that ends when the test lets it.
fn held() -> Vec<Piece> {
    let end = [chunk(b"two"), LAST_CHUNK.to_vec()].concat();
    vec![Piece::Bytes([EVENTS, &chunk(b"one")].concat()), Piece::Gate, Piece::Bytes(end)]
}

/// Takes every place with a stream, of every kind of request.
async fn fill(world: &World) -> Vec<Response> {
    world.upstream.play(held());
    let mut streams = Vec::new();
    for n in 0..PLACES {
        let target = [CHAT, GROUNDED, "/v1/completions"][n % 3];
        // A place is free when the server has seen the end, which may be after the client has.
        let mut stream = eventually(|| async {
            let stream = chat(target).send(world.address).await;
            (stream.status == 200).then_some(stream)
        })
        .await;
        assert_eq!(stream.exactly(3).await, b"one");
        streams.push(stream);
    }
    streams
}

/// Holds that there are as many places as there should be, no more and no fewer.
async fn has_all_places(world: &World, after: &str) {
    let streams = fill(world).await;
    let before = world.upstream.heads().len();
    world.ask(chat(CHAT)).await.error(429, "too_many_requests");
    assert_eq!(world.upstream.heads().len(), before, "{after}");
    for mut stream in streams {
        world.upstream.release();
        assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())), "{after}");
    }
}

async fn start() -> World {
    World::with_manual(&format!("max_requests = {PLACES}")).await
}

#[tokio::test]
async fn who_finds_no_place_is_told_to_come_again() {
    let world = start().await;
    let streams = fill(&world).await;
    let before = world.upstream.heads().len();
    for (method, target) in [
        ("POST", CHAT),
        ("POST", GROUNDED),
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/models"),
        ("POST", "/v1/vector_stores/manual/search"),
    ] {
        let reply = world.ask(Request::new(method, target).json(question_body("q"))).await;
        reply.error(429, "too_many_requests");
        assert_eq!(reply.json()["error"]["type"], "rate_limit_error", "{target}");
        assert_eq!(reply.header("retry-after"), Some("1"), "{target}");
    }
    assert_eq!(world.upstream.heads().len(), before, "a refused request went upstream");
    // Whoever watches the server is served.
    assert_eq!(world.get("/health").await.status, 200);
    assert_eq!(world.get("/ready").await.status, 200);
    for mut stream in streams {
        world.upstream.release();
        assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())));
    }
    has_all_places(&world, "waiting").await;
}

#[tokio::test]
async fn a_place_is_free_when_the_client_leaves() {
    let world = start().await;
    for _ in 0..3 {
        let closed = world.upstream.closed();
        drop(fill(&world).await);
        eventually(|| async { (world.upstream.closed() == closed + PLACES).then_some(()) }).await;
    }
    has_all_places(&world, "clients left in mid-stream").await;
    // Before there is a head, and before the request is complete.
    world.upstream.play(vec![Piece::UntilClosed]);
    for target in [CHAT, GROUNDED, "/v1/completions"] {
        let (closed, asked) = (world.upstream.closed(), world.upstream.heads().len());
        let waiting = chat(target).open(world.address).await;
        eventually(|| async { (world.upstream.heads().len() > asked).then_some(()) }).await;
        drop(waiting);
        eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
        for request in [Request::new("POST", target).announced(100), Request::new("POST", target).chunked()] {
            drop(request.open(world.address).await);
        }
    }
    has_all_places(&world, "clients left before the head").await;
}

#[tokio::test]
async fn a_place_is_free_when_upstream_breaks() {
    let world = start().await;
    let begun = Piece::Bytes([EVENTS, &chunk(b"one")].concat());
    for (pieces, broken) in [
        (vec![begun.clone(), Piece::Gate, Piece::Die], true),
        (vec![begun, Piece::Gate, Piece::Reset], true),
        (vec![Piece::Die], false),
        (vec![Piece::Bytes(b"nonsense\r\n\r\n".to_vec()), Piece::Die], false),
    ] {
        for target in [CHAT, GROUNDED, "/v1/completions", CHAT, GROUNDED] {
            world.upstream.play(pieces.clone());
            let mut response = chat(target).send(world.address).await;
            if broken {
                assert_eq!((response.status, response.exactly(3).await), (200, b"one".to_vec()));
                world.upstream.release();
                assert_eq!(response.rest().await, (Vec::new(), Err(Broken)));
            } else {
                response.reply().await.error(502, "upstream_broken");
            }
        }
        has_all_places(&world, &format!("{pieces:?}")).await;
    }
}

#[tokio::test]
async fn a_place_is_free_after_answers_of_every_kind() {
    let world = start().await;
    for (method, target, head) in [
        ("HEAD", "/v1/audio", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("POST", CHAT, "HTTP/1.1 204 No Content\r\n\r\n"),
        ("POST", GROUNDED, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("POST", GROUNDED, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("POST", "/v1/audio", "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"),
        ("POST", "/c/unknown/v1/chat/completions", ""),
        ("GET", "/nothing", ""),
    ] {
        world.upstream.play(vec![Piece::Bytes(head.as_bytes().to_vec())]);
        for _ in 0..PLACES + 1 {
            let request = Request::new(method, target).json(question_body("Is the valve closed?"));
            eventually(|| async { (request.send(world.address).await.status != 429).then_some(()) }).await;
        }
        has_all_places(&world, target).await;
    }
    world.upstream.play(json_answer("200 OK", "{}"));
    // Many at once: every one is either served or told to come again.
    let all = (0..64).map(|_| async { world.ask(chat(CHAT)).await });
    let replies = futures_util::future::join_all(all).await;
    assert!(replies.iter().all(|reply| [200, 429].contains(&reply.status)));
    assert!(replies.iter().filter(|reply| reply.status == 200).count() >= PLACES);
    has_all_places(&world, "a crowd").await;
}
