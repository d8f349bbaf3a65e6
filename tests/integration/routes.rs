//! Every other route under `/v1` is upstream's: any method, any address, streamed both ways at once.

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, Request, World, eventually};

#[tokio::test]
async fn any_method_is_passed_on() {
    let world = World::start("").await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "QUERY", "TRACE"] {
        for body in ["", "some bytes"] {
            let reply = world.ask(Request::new(method, "/v1/things/1").body(body)).await;
            let sent = world.upstream.last();
            assert_eq!((reply.status, sent.method.as_str(), sent.text().as_str()), (200, method, body));
        }
    }
    // A request without a body has none upstream either, however long it says that it is.
    let request = Request::raw(format!("POST /v1/x HTTP/1.1\r\nHost: {}\r\n\r\n", world.address));
    assert_eq!(request.send(world.address).await.reply().await.status, 200);
    assert_eq!(world.upstream.last().body, b"");
}

#[tokio::test]
async fn addresses_are_passed_on_as_they_are_written() {
    let world = World::with_manual("").await;
    for target in [
        "/things",
        "/things/",
        "/things//x",
        "/things?",
        "/things?a",
        "/things?a=",
        "/things?a=&b&=c&&",
        "/things?a=1+2%2B3%20&a=%C3%A9&A=%c3%a9",
        "/things?a=b?c=d/e:@!$'()*,;",
        "/things?filter[x]={a:'b'}|^`~\\",
        "/things/%2F%3f%41%7E~;p=1/a@b:c",
        "/things/a'b!c$d&e(f)*g,h=i",
        "/chat/completions/chatcmpl-1?x=%",
        "/Chat/Completions",
    ] {
        for prefix in ["", "/c/manual"] {
            let reply = world.get(&format!("{prefix}/v1{target}")).await;
            assert_eq!(reply.status, 200, "{prefix} {target}: {}", reply.text());
            assert_eq!(world.upstream.last().target, format!("/v1{target}"), "{prefix}");
        }
    }
    // As a proxy is asked: the address of the server stands in the request.
    let absolute = format!("http://{}/v1/things?a=1", world.address);
    assert_eq!(world.get(&absolute).await.status, 200);
    assert_eq!(world.upstream.last().target, "/v1/things?a=1");
}

#[tokio::test]
async fn a_tunnel_to_elsewhere_is_not_ours_to_build() {
    let world = World::start("").await;
    for target in ["example.com:443", &world.upstream.address.to_string()] {
        let mut response =
            Request::new("CONNECT", target).header("Host", "localhost").open(world.address).await;
        assert!(!response.try_head().await || response.status >= 400, "{target}: {}", response.status);
    }
    assert!(world.upstream.heads().is_empty());
}

/// A body reaches upstream while it is still being sent, whether its length is known or not.
#[tokio::test]
async fn request_bodies_are_streamed() {
    let world = World::start("").await;
    for (request, first, last) in [
        (
            Request::new("POST", "/v1/audio/transcriptions").chunked(),
            chunk(b"first "),
            [chunk(b"last"), LAST_CHUNK.to_vec()].concat(),
        ),
        (Request::new("PUT", "/v1/audio/1").announced(10), b"first ".to_vec(), b"last".to_vec()),
    ] {
        world.upstream.forget();
        let mut exchange = request.open(world.address).await;
        exchange.write(&first).await;
        eventually(|| async { (world.upstream.arriving() == b"first ").then_some(()) }).await;
        exchange.write(&last).await;
        exchange.read_head().await;
        assert_eq!(exchange.reply().await.status, 200);
        assert_eq!(world.upstream.last().text(), "first last");
    }
    let sent = world.upstream.last();
    assert_eq!((sent.header("content-length"), sent.header("transfer-encoding")), (Some("10"), None));
}

#[tokio::test]
async fn an_answer_is_streamed_while_its_request_is_still_being_sent() {
    let world = World::start("").await;
    world.upstream.early(true);
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec())];
    for n in 1..=3 {
        pieces.extend([Piece::Body(n * 4), Piece::Bytes(chunk(format!("got {n}").as_bytes()))]);
    }
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    world.upstream.play(pieces);
    let mut exchange = Request::new("POST", "/v1/realtime").chunked().send(world.address).await;
    assert_eq!(exchange.status, 200);
    for n in 1..=3 {
        exchange.write(&chunk(b"part")).await;
        assert_eq!(exchange.exactly(5).await, format!("got {n}").into_bytes());
    }
    exchange.write(LAST_CHUNK).await;
    assert_eq!(exchange.rest().await, (Vec::new(), Ok(())));
    eventually(|| async { world.upstream.requests().pop() }).await;
    assert_eq!(world.upstream.last().text(), "partpartpart");
}

/// A server that refuses an upload answers before it has all of it: that answer is the client's.
#[tokio::test]
async fn an_answer_before_the_end_of_the_request_arrives() {
    let world = World::start("").await;
    world.upstream.early(true);
    world.upstream.play(json_answer("403 Forbidden", "{\"detail\":\"no uploads\"}"));
    for request in
        [Request::new("POST", "/v1/audio").chunked(), Request::new("POST", "/v1/audio").announced(1 << 20)]
    {
        let response = request.send(world.address).await;
        assert_eq!(response.status, 403);
        assert_eq!(response.reply().await.text(), "{\"detail\":\"no uploads\"}");
    }
}

/// What the client does not finish is not finished upstream: half a body must not look whole.
#[tokio::test]
async fn a_request_that_breaks_off_is_broken_upstream() {
    let world = World::start("").await;
    for (request, first) in [
        (Request::new("POST", "/v1/audio").chunked(), chunk(b"first ")),
        (Request::new("POST", "/v1/audio").announced(10), b"first ".to_vec()),
    ] {
        world.upstream.forget();
        let mut exchange = request.open(world.address).await;
        exchange.write(&first).await;
        eventually(|| async { (world.upstream.arriving() == b"first ").then_some(()) }).await;
        drop(exchange);
        eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
        assert!(world.upstream.requests().is_empty(), "half a body became a request");
    }
}
