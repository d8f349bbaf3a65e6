//! A connection that both ends agree to change becomes a tunnel, byte for byte both ways.

use serde_json::json;

use super::world::upstream::json_answer;
use super::world::{Piece, Request, World, eventually, within};

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

/// Another protocol would be a way past everything that requests pass here: HTTP/2 leads to every path of upstream's.
#[tokio::test]
async fn nothing_but_websocket_is_tunnelled() {
    let world = World::start("").await;
    let switch = |to: &str| {
        let head =
            format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {to}\r\nConnection: Upgrade\r\n\r\n");
        vec![Piece::Bytes(head.into_bytes()), Piece::Echo]
    };
    let settings = ("HTTP2-Settings", "AAMAAABkAAQAAP__");
    for (method, headers) in [
        ("GET", &[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), settings][..]),
        ("GET", &[("Connection", "Upgrade"), ("Upgrade", "h2c"), settings]),
        ("GET", &[("Connection", "Upgrade"), ("Upgrade", "TLS/1.0"), settings]),
        ("GET", &[("Connection", "Upgrade"), ("Upgrade", "websocket2")]),
        ("POST", &[("Connection", "Upgrade"), ("Upgrade", "websocket")]),
        // Without `Connection` it is no wish at all.
        ("GET", &[("Upgrade", "websocket"), settings]),
        ("GET", &[("Connection", "keep-alive"), ("Upgrade", "websocket")]),
    ] {
        world.upstream.play(json_answer("200 OK", "{}"));
        let request = Request::new(method, "/v1/realtime").headers(headers);
        assert_eq!(request.send(world.address).await.status, 200, "{headers:?}");
        let sent = world.upstream.last();
        for name in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(sent.header(name), None, "{headers:?}");
        }
        // An upstream that changes all the same is not followed.
        for to in ["h2c", "websocket"] {
            world.upstream.play(switch(to));
            let response = request.send(world.address).await;
            response.reply().await.error(502, "upstream_broken");
        }
    }
    // What was asked for is what must come.
    world.upstream.play(switch("h2c"));
    upgrade("/v1/realtime").send(world.address).await.reply().await.error(502, "upstream_broken");
    // Of several wishes, the one that can be fulfilled goes on.
    world.upstream.play([vec![Piece::Bytes(SWITCH.to_vec())], vec![Piece::Echo]].concat());
    let several = [("Connection", "upgrade"), ("Upgrade", "h2c, WebSocket"), settings];
    let response = Request::new("GET", "/v1/realtime").headers(&several).send(world.address).await;
    assert_eq!(response.status, 101);
    let sent = world.upstream.heads().pop().expect("a request went upstream");
    assert_eq!((sent.all("upgrade"), sent.header("http2-settings")), (vec!["websocket"], None));
}

/// A tunnel is a connection and a request as long as it lasts.
#[tokio::test]
async fn tunnels_are_counted_and_limited() {
    let world = World::start("max_requests = 2\nmax_connections = 2").await;
    world.upstream.play(vec![Piece::Bytes(SWITCH.to_vec()), Piece::Echo]);
    let mut tunnels = Vec::new();
    for n in 0..2 {
        let mut tunnel = upgrade("/v1/realtime").send(world.address).await;
        assert_eq!(tunnel.status, 101);
        tunnel.write(b"hello").await;
        assert_eq!(tunnel.tunnelled(5).await, b"hello", "{n}");
        tunnels.push(tunnel);
    }
    // Two connections are open, and busy.
    let mut third = Request::new("GET", "/health").open(world.address).await;
    assert!(!third.try_head().await, "{}", third.status);
    for tunnel in &mut tunnels {
        tunnel.write(b"still").await;
        assert_eq!(tunnel.tunnelled(5).await, b"still");
    }
    tunnels.pop();
    eventually(|| async {
        let mut response = Request::new("GET", "/v1/x").open(world.address).await;
        response.try_head().await.then_some(())
    })
    .await;
}

/// Also where connections are many.
#[tokio::test]
async fn a_tunnel_has_its_place_among_the_requests_of_all_and_of_its_key() {
    let world = World::start("max_requests = 2").await;
    let wanted = json!({ "name": "one", "scopes": ["chat", "relay"], "limits": { "streams": 1 } });
    let (_, key) = world.key(wanted).await;
    let ask = async |key: &str| world.ask(Request::new("GET", "/v1/models").key(key)).await;
    world.upstream.play(vec![Piece::Bytes(SWITCH.to_vec()), Piece::Echo]);
    let first = upgrade("/v1/realtime").key(&key).send(world.address).await;
    assert_eq!(first.status, 101);
    ask(&key).await.error(429, "rate_limit_exceeded");
    assert_eq!(ask(&world.local_key).await.status, 200, "of all there is one left");
    let take = || async {
        let tunnel = upgrade("/v1/realtime").key(&world.local_key).send(world.address).await;
        (tunnel.status == 101).then_some(tunnel)
    };
    let second = eventually(take).await;
    ask(&world.local_key).await.error(429, "too_many_requests");
    drop((first, second));
    eventually(|| async { (ask(&key).await.status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_tunnels_and_not_for_ever() {
    let mut world = World::start("").await;
    world.upstream.play(vec![Piece::Bytes(SWITCH.to_vec()), Piece::Echo]);
    let mut tunnel = upgrade("/v1/realtime").send(world.address).await;
    assert_eq!(tunnel.status, 101);
    let running = world.tell_to_stop();
    let address = world.address;
    eventually(|| async { tokio::net::TcpStream::connect(address).await.is_err().then_some(()) }).await;
    tunnel.write(b"still").await;
    assert_eq!(tunnel.tunnelled(5).await, b"still");
    assert!(!running.is_finished(), "the server ended before its tunnels did");
    drop(tunnel);
    within(running).await.expect("the server ends well");

    world.run_with("drain_timeout = 1").await;
    let mut tunnel = upgrade("/v1/realtime").send(world.address).await;
    assert_eq!(tunnel.status, 101);
    let closed = world.upstream.closed();
    within(world.tell_to_stop()).await.expect("the server ends well");
    assert_eq!(tunnel.until_closed().await, b"");
    eventually(|| async { (world.upstream.closed() > closed).then_some(()) }).await;
}
