//! What is no request is answered in OpenAI's shape too, and whatever was asked before it is answered first.

use super::world::{Reply, Request, World};

async fn refused(world: &World, bytes: impl Into<Vec<u8>>, status: u16, code: &str) -> Reply {
    let mut response = Request::raw(bytes).send(world.address).await;
    assert_eq!(response.header("connection"), Some("close"));
    assert!(response.header("x-request-id").is_some() && response.header("date").is_some());
    assert_eq!(response.header("content-type"), Some("application/json"));
    let (body, end) = response.rest().await;
    assert_eq!(end, Ok(()));
    assert_eq!(response.until_closed().await, b"");
    let reply = Reply { status: response.status, headers: response.headers.clone(), body };
    reply.error(status, code);
    reply
}

#[tokio::test]
async fn a_broken_head_is_refused_in_words() {
    let world = World::start("").await;
    for broken in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nbroken\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "POST /v1/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /v1/audio HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
    ] {
        refused(&world, broken, 400, "invalid_request").await;
    }
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(1 << 20));
    for fields in [many, long] {
        let request = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        refused(&world, request, 431, "headers_too_large").await;
    }
    assert_eq!(world.get("/health").await.status, 200);
    assert!(world.upstream.heads().is_empty());
}

#[tokio::test]
async fn what_came_before_it_is_answered_first() {
    let world = World::start("").await;
    let good = "GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut response = Request::raw(good.to_owned() + good + "nonsense\r\n\r\n").open(world.address).await;
    let answers = String::from_utf8(response.until_closed().await).expect("text");
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).expect("a status")).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answers}");
    let body = answers.rsplit("\r\n\r\n").next().expect("a body");
    let error: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(error["error"]["code"], "invalid_request");
    // And after an answer on the same connection.
    let mut response = Request::new("GET", "/health").send(world.address).await;
    response.rest().await.1.expect("an answer");
    response.write(b"nonsense\r\n\r\n").await;
    response.read_head().await;
    assert_eq!(response.status, 400);
}

#[tokio::test]
async fn two_hosts_are_one_too_many() {
    let world = World::start("").await;
    let host = world.address.to_string();
    for target in ["/health", "/ready", "/v1/models", "/v1/audio", "/v1/chat/completions", "/nothing"] {
        for other in [host.as_str(), "localhost", "example.com"] {
            let request = Request::new("GET", target).header("Host", &host).header("Host", other);
            world.ask(request).await.error(400, "two_hosts");
        }
    }
    assert!(world.upstream.heads().is_empty());
}
