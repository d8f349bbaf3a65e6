//! A connection that both ends agree to change becomes a tunnel, byte for byte both ways.

use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, eventually};

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

fn upgrade(target: &str) -> Request {
    let headers = [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    Request::new("GET", target).headers(&headers)
}

#[tokio::test]
async fn an_upgrade_that_upstream_agrees_to_is_a_tunnel() {
    let world = World::start("").await;
    // What upstream says first may come with the head.
    let greeting = [SWITCH, b"\x81\x02hi"].concat();
    world.upstream.play(vec![Piece::Bytes(greeting), Piece::Echo]);
    let mut tunnel = upgrade("/v1/realtime?model=m").send(world.address).await;
    assert_eq!(tunnel.status, 101);
    assert_eq!(tunnel.header("upgrade"), Some("websocket"));
    assert!(tunnel.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(tunnel.header("sec-websocket-accept"), Some("x"));
    assert_eq!(tunnel.tunnelled(4).await, b"\x81\x02hi");
    for n in 0..200_u32 {
        let bytes: Vec<u8> = (0..n * 7).map(|i| (i ^ n) as u8).collect();
        tunnel.write(&bytes).await;
        assert!(tunnel.tunnelled(bytes.len()).await == bytes, "{n}");
    }
    let sent = world.upstream.heads().pop().expect("a request went upstream");
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("GET", "/v1/realtime?model=m"));
    assert_eq!(
        (sent.header("upgrade"), sent.header("sec-websocket-version")),
        (Some("websocket"), Some("13"))
    );
    assert!(sent.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    // Either end may end it.
    drop(tunnel);
    eventually(|| async { (world.upstream.closed() == 1).then_some(()) }).await;
    world.upstream.play(vec![Piece::Bytes(SWITCH.to_vec()), Piece::Bytes(b"bye".to_vec()), Piece::Die]);
    let mut tunnel = upgrade("/v1/realtime").send(world.address).await;
    assert_eq!((tunnel.status, tunnel.until_closed().await.as_slice()), (101, &b"bye"[..]));
}

#[tokio::test]
async fn an_upgrade_that_upstream_does_not_want_is_an_ordinary_request() {
    let world = World::start("").await;
    for (status, code) in [("200 OK", 200), ("404 Not Found", 404), ("426 Upgrade Required", 426)] {
        world.upstream.play(json_answer(status, "{\"no\":1}"));
        let mut response = upgrade("/v1/realtime").send(world.address).await;
        assert_eq!((response.status, response.header("upgrade")), (code, None));
        assert_eq!(response.rest().await, (b"{\"no\":1}".to_vec(), Ok(())), "{status}");
    }
}

/// Nothing but a plain GET to upstream's own routes is ever handed over.
#[tokio::test]
async fn our_own_routes_are_not_upgraded() {
    let world = World::start("").await;
    world.upstream.play(vec![Piece::Bytes(SWITCH.to_vec()), Piece::Echo]);
    for target in ["/health", "/v1/vector_stores", "/v1/models", "/nothing"] {
        let response = upgrade(target).send(world.address).await;
        assert!([200, 404].contains(&response.status), "{target}: {}", response.status);
    }
    // A chat's answer is read by nobody but its client, who did not ask for this.
    let chat = Request::new("POST", "/v1/chat/completions").json("{}");
    let reply = chat.send(world.address).await.reply().await;
    reply.error(502, "upstream_broken");
}
