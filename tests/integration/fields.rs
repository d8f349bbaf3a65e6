//! Headers: end-to-end ones pass as they are, both ways; those of one connection stay on it (RFC 9110, section 7.6.1).

use super::world::client::Reply;
use super::world::upstream::{Recorded, json_answer};
use super::world::{Piece, Request, World, eventually};

/// Targets of the three ways through the server: chat plain, chat grounded, everything else.
const WAYS: [(&str, &str); 3] =
    [("/v1/chat/completions", ""), ("/v1/chat/completions", "manual"), ("/v1/embeddings", "")];

async fn send(world: &World, way: (&str, &str), headers: &[(&str, &str)]) -> (Reply, Recorded) {
    let mut request = Request::new("POST", way.0).headers(headers);
    if !way.1.is_empty() {
        request = request.header("X-RAG-Collection", way.1);
    }
    let reply = world.ask(request.json(super::world::question_body("Is the valve closed?"))).await;
    (reply, world.upstream.last())
}

#[tokio::test]
async fn end_to_end_headers_of_requests_pass_in_order_and_repeated() {
    let world = World::with_manual("").await;
    let headers = [
        ("Authorization", "Bearer theirs"),
        ("X-Api-Key", "sk-ant"),
        ("Via", "1.1 edge"),
        ("Via", "1.0 other, 1.1 third"),
        ("Forwarded", "for=192.0.2.1;proto=https"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Cookie", "a=1; b=2"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("baggage", "k=v"),
        ("Accept", "text/event-stream"),
        ("Accept-Encoding", "gzip, br"),
        ("Content-Encoding", "identity"),
        ("X-Empty", ""),
        ("X-Odd", "a\tb  \u{e9}"),
        ("Range", "bytes=0-1"),
        ("If-None-Match", "\"x\""),
        ("Idempotency-Key", "i"),
    ];
    for way in WAYS {
        let (reply, sent) = send(&world, way, &headers).await;
        assert_eq!(reply.status, 200, "{way:?}");
        for (name, _) in &headers {
            let all: Vec<_> = headers.iter().filter(|(n, _)| n == name).map(|(_, value)| *value).collect();
            let mut passed = sent.all(&name.to_ascii_lowercase());
            // lastro adds itself.
            if *name == "Via" {
                assert!(passed.pop().is_some_and(|own| own.starts_with("1.1 lastro-")), "{way:?}");
            }
            assert_eq!(passed, all, "{way:?}: {name}");
        }
    }
}

#[tokio::test]
async fn headers_of_the_clients_connection_stay_on_it() {
    let world = World::with_manual("").await;
    let headers = [
        ("Connection", "X-One,  x-two ,,keep-alive"),
        ("Connection", "X-Three"),
        ("X-One", "1"),
        ("X-Two", "2"),
        ("X-THREE", "3"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Proxy-Authenticate", "Basic"),
        ("TE", "trailers"),
        ("Trailer", "X-Checksum"),
    ];
    for way in WAYS {
        let (reply, sent) = send(&world, way, &headers).await;
        assert_eq!(reply.status, 200, "{way:?}");
        for (name, _) in &headers {
            assert_eq!(sent.all(&name.to_ascii_lowercase()), [""; 0], "{way:?}: {name}");
        }
    }
    // One that names what frames the body must not take the frame away.
    for way in WAYS {
        let (reply, sent) = send(&world, way, &[("Connection", "Content-Length, Host, Content-Type")]).await;
        assert_eq!((reply.status, sent.all("content-type").len()), (200, 0), "{way:?}");
        assert!(!sent.body.is_empty(), "{way:?}");
        assert_eq!(sent.header("host"), Some(world.upstream.address.to_string().as_str()));
    }
}

#[tokio::test]
async fn headers_of_upstreams_connection_stay_on_it() {
    let world = World::with_manual("").await;
    let head = "HTTP/1.1 200 OK\r\nConnection: X-One\r\nconnection: x-two, Keep-Alive\r\nX-One: 1\r\nX-Two: 2\r\n\
                Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nTrailer: X-Sum\r\n\
                Upgrade: h2c\r\nVia: 1.1 vllm\r\nVia: 1.1 second\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\
                Link: <x>; rel=next\r\nRetry-After: 7\r\nX-Empty:\r\nVary: *\r\nServer: uvicorn\r\nETag: \"e\"\r\n\
                Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok";
    world.upstream.play(vec![Piece::Bytes(head.as_bytes().to_vec())]);
    for way in WAYS {
        let (reply, _) = send(&world, way, &[]).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{way:?}");
        let all = |name: &str| -> Vec<&str> {
            reply.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
        };
        for name in ["x-one", "x-two", "proxy-authenticate", "proxy-connection", "trailer", "upgrade"] {
            assert_eq!(all(name), [""; 0], "{way:?}: {name}");
        }
        for (name, values) in [
            ("via", &["1.1 vllm", "1.1 second"][..]),
            ("set-cookie", &["a=1; Path=/", "b=2"]),
            ("link", &["<x>; rel=next"]),
            ("retry-after", &["7"]),
            ("x-empty", &[""]),
            ("vary", &["*"]),
            ("server", &["uvicorn"]),
            ("etag", &["\"e\""]),
            ("date", &["Tue, 01 Jan 2030 00:00:00 GMT"]),
        ] {
            assert_eq!(all(name), values, "{way:?}: {name}");
        }
    }
}

/// Whether a connection goes on is for its two ends to say.
#[tokio::test]
async fn each_side_closes_its_own_connection() {
    let world = World::start("").await;
    // lastro's own question about the models is over, so that only the connections below are counted.
    world.ready().await;
    let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok".to_vec();
    world.upstream.play(vec![Piece::Bytes(closing), Piece::Die]);
    let mut response = Request::new("GET", "/v1/x").send(world.address).await;
    for _ in 0..3 {
        assert_ne!(response.header("connection"), Some("close"));
        assert_eq!(response.rest().await, (b"ok".to_vec(), Ok(())));
        response.again(&Request::new("GET", "/v1/x"), world.address).await;
    }
    assert_eq!(world.upstream.accepted(), 4);
    world.upstream.play(json_answer("200 OK", "ok"));
    let before = world.upstream.accepted();
    for _ in 0..3 {
        let mut response =
            Request::new("GET", "/v1/x").header("Connection", "close").send(world.address).await;
        assert_eq!(response.rest().await, (b"ok".to_vec(), Ok(())));
        assert_eq!(response.until_closed().await, b"");
    }
    // One connection to upstream served all three.
    assert_eq!(world.upstream.accepted(), before + 1);
}

/// A server-side key replaces what clients send, and is in nothing that they get, errors included.
#[tokio::test]
async fn the_servers_own_key_is_never_shown() {
    const KEY: &str = "sk-upstream-secret";
    let options = format!("upstream_key = \"{KEY}\"");
    let world = World::with_manual(&options).await;
    let theirs = [("Authorization", "Bearer theirs"), ("Authorization", "Bearer second")];
    let scripts = [
        json_answer("200 OK", "{}"),
        json_answer("401 Unauthorized", "{}"),
        vec![Piece::Die],
        vec![Piece::Bytes(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_vec()), Piece::Die],
    ];
    for pieces in scripts {
        world.upstream.play(pieces);
        for way in WAYS {
            let (reply, sent) = send(&world, way, &theirs).await;
            assert_eq!(sent.all("authorization"), [format!("Bearer {KEY}")], "{way:?}");
            assert!(!format!("{:?} {}", reply.headers, reply.text()).contains(KEY), "{way:?}");
        }
    }
    for target in ["/health", "/ready", "/v1/models", "/v1/vector_stores", "/nothing", "/v1/rag/traces/x"] {
        let reply = world.get(target).await;
        assert!(!format!("{:?} {}", reply.headers, reply.text()).contains(KEY), "{target}");
    }
    eventually(|| async { world.upstream.everything().pop() }).await;
    for request in world.upstream.everything() {
        assert_eq!(request.all("authorization"), [format!("Bearer {KEY}")], "{}", request.target);
    }
}
