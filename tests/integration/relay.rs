//! Upstream's answer reaches the client as it was sent: status, end-to-end headers, bytes, and each frame as it comes.

use std::path::{Path, PathBuf};

#[path = "../fixtures/recordings/parts.rs"]
mod parts;

use super::world::client::parse_head;
use super::world::{Broken, Piece, Request, World};
use parts::{is_chunked, parts};

/// What an LLM server was asked and what it answered, recorded on the wire.
struct Recording {
    name: String,
    method: String,
    target: String,
    body: Vec<u8>,
    /// The answer: its head, its body in frames as they were written, and the whole.
    head: Vec<u8>,
    frames: Vec<Vec<u8>>,
    chunked: bool,
}

fn recordings() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("the recordings are there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let servers = list(&root).into_iter().filter(|path| path.is_dir());
    let files = servers.flat_map(|server| list(&server));
    let found: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "response"))
        .map(|path| read(&path))
        .collect();
    assert!(found.len() > 12, "only {} recordings", found.len());
    found
}

fn read(path: &Path) -> Recording {
    let request = std::fs::read_to_string(path.with_extension("request")).expect("a request");
    let (line, body) = request.split_once("\n\n").expect("a line, an empty one, a body");
    let (method, url) = line.split_once(' ').expect("method and address");
    let response = std::fs::read(path).expect("a response");
    let (head, chunks) = parts(&response);
    let chunked = is_chunked(head);
    let frames = chunks.into_iter().map(<[u8]>::to_vec).collect();
    Recording {
        name: path.display().to_string(),
        method: method.to_owned(),
        target: url[url.find("/v1").expect("a path")..].trim().to_owned(),
        body: body.as_bytes().to_vec(),
        head: head.to_vec(),
        frames,
        chunked,
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const CHAT: &str =
    r#"{"model":"test-model","stream":true,"messages":[{"role":"user","content":"Is the valve closed?"}]}"#;

fn stream(frames: &[&[u8]]) -> Vec<Piece> {
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec())];
    pieces.extend(frames.iter().map(|frame| Piece::Bytes(chunk(frame))));
    pieces
}

/// End-to-end headers of a head, sorted.
fn end_to_end(headers: &[(String, String)]) -> Vec<(String, String)> {
    let hop = ["connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "date"];
    let mut kept: Vec<_> =
        headers.iter().filter(|(name, _)| !hop.contains(&name.as_str())).cloned().collect();
    kept.sort();
    kept
}

/// Ours where upstream sent none.
const REQUEST_ID: &str = "x-request-id";

fn is_ours(name: &str) -> bool {
    name.starts_with("x-rag-")
        || ["server-timing", "x-accel-buffering", "cache-control", REQUEST_ID].contains(&name)
}

#[tokio::test]
async fn recorded_answers_pass_frame_by_frame_and_byte_for_byte() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon. The keeper writes it down.")]).await;
    for recording in recordings() {
        let chat = recording.method == "POST" && recording.target == "/v1/chat/completions";
        // What cannot be grounded is refused by us: it has no answer of upstream's.
        let groundable =
            chat && !["bad_json", "missing", "empty_messages"].iter().any(|n| recording.name.contains(n));
        for grounded in [false, true] {
            // The model list has the collections added.
            if (grounded && !groundable) || recording.target == "/v1/models" {
                continue;
            }
            let mut pieces = vec![Piece::Bytes(recording.head.clone())];
            for frame in &recording.frames {
                let bytes = if recording.chunked { chunk(frame) } else { frame.clone() };
                // No frame is sent before the client has read the one before it.
                pieces.extend([Piece::Bytes(bytes), Piece::Gate]);
            }
            if recording.chunked {
                pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
            }
            let (line, headers) = parse_head(&String::from_utf8_lossy(&recording.head));
            if headers.contains(&("connection".into(), "close".into())) {
                pieces.push(Piece::Die);
            }
            world.upstream.play(pieces);
            let mut request = Request::new(&recording.method, &recording.target);
            if grounded {
                request = request.header("X-RAG-Collection", "manual");
            }
            let mut response = request.json(recording.body.clone()).send(world.address).await;
            let name = format!("{}, grounded: {grounded}", recording.name);
            for frame in &recording.frames {
                let read = response.exactly(frame.len()).await;
                assert!(read == *frame, "{name}: {}", String::from_utf8_lossy(&read));
                world.upstream.release();
            }
            assert_eq!(response.rest().await, (Vec::new(), Ok(())), "{name}");
            assert!(line.contains(&format!(" {} ", response.status)), "{name}: {}", response.status);
            let upstreams = end_to_end(&headers);
            let mut got = end_to_end(&response.headers);
            if grounded {
                assert!(got.iter().any(|(n, v)| n == "x-rag-status" && v == "hit"), "{name}: {got:?}");
                got.retain(|header| !is_ours(&header.0) || upstreams.contains(header));
            } else if !upstreams.iter().any(|(name, _)| name == REQUEST_ID) {
                got.retain(|(name, _)| name != REQUEST_ID);
            }
            assert_eq!(got, upstreams, "{name}");
            let sent = world.upstream.last().body;
            if grounded {
                assert!(sent.len() > recording.body.len(), "{name}");
            } else {
                assert!(sent == recording.body, "{name}: the request changed");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_survives_being_split_at_every_byte() {
    let world = World::start("").await;
    let events =
        "data: {\"a\":\"Olá, ação €.\"}\r\n\r\n: comment\r\n\r\nevent: x\ndata: 👋🏽\n\ndata: [DONE]\r\n\r\n";
    let one_chunk = [EVENTS, &chunk(events.as_bytes()), LAST_CHUNK].concat();
    let many_chunks: Vec<u8> = events.bytes().flat_map(|byte| chunk(&[byte])).collect();
    let many_chunks = [EVENTS, &many_chunks, LAST_CHUNK].concat();
    for whole in [one_chunk, many_chunks] {
        world.upstream.play(whole.iter().map(|byte| Piece::Bytes(vec![*byte])).collect());
        let reply = world.post("/v1/chat/completions", &[], CHAT).await;
        assert_eq!(reply.text(), events);
    }
}

#[tokio::test]
async fn nothing_is_added_where_a_stream_has_no_final_event() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let mut pieces = stream(&[b"data: {}\n\n"]);
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    world.upstream.play(pieces);
    assert_eq!(world.chat("manual", "Is the valve closed?", &[]).await.text(), "data: {}\n\n");
}

#[tokio::test]
async fn a_broken_answer_is_a_broken_answer_for_the_client() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let mut stream = stream(&[b"data: {\"a\":1}\n\n"]);
    stream.extend([Piece::Gate, Piece::Die]);
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: {\"a\":1}\n\n";
    let whole = vec![Piece::Bytes(short.to_vec()), Piece::Gate, Piece::Die];
    for pieces in [stream, whole] {
        for collection in [None, Some(("X-RAG-Collection", "manual"))] {
            world.upstream.play(pieces.clone());
            let request =
                Request::new("POST", "/v1/chat/completions").headers(collection.as_slice()).json(CHAT);
            let mut response = request.send(world.address).await;
            assert_eq!(response.exactly(15).await, b"data: {\"a\":1}\n\n");
            world.upstream.release();
            assert_eq!(response.rest().await, (Vec::new(), Err(Broken)));
        }
    }
}

#[tokio::test]
async fn our_headers_are_added_only_where_upstream_has_none() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let plain = world.chat("manual", "Is the valve closed?", &[]).await;
    assert_eq!(plain.header("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(plain.header("x-accel-buffering"), Some("no"));
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nServer-Timing: model;dur=3\r\nSet-Cookie: a=1\r\n\
                Set-Cookie: b=2\r\nX-RAG-Status: theirs\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n";
    world.upstream.play(vec![Piece::Bytes(head.as_bytes().to_vec())]);
    let reply = world.chat("manual", "Is the valve closed?", &[]).await;
    let all = |name: &str| -> Vec<&str> {
        reply.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    };
    assert_eq!(all("cache-control"), ["max-age=1"]);
    assert_eq!(all("server-timing"), ["model;dur=3"]);
    assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(all("x-rag-status"), ["theirs"]);
    assert_eq!(all("x-rag-hits"), ["1"]);
    assert_eq!(all("x-hop"), [""; 0]);
}

/// Redirects are the client's to follow, compressed bytes are the client's to unpack.
#[tokio::test]
async fn answers_of_every_kind_are_left_as_they_are() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let until_closed = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end";
    let cases = [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, &[][..], &b""[..]),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/x\r\nContent-Length: 0\r\n\r\n",
            307,
            &[("location", "/v2/x")],
            b"",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x08gzip",
            200,
            &[("content-encoding", "gzip")],
            b"\x1f\x08gzip",
        ),
        ("HTTP/1.1 299 Odd Status\r\nContent-Length: 2\r\n\r\nok", 299, &[], b"ok"),
        ("HTTP/1.1 200 OK\r\nX-Odd: \u{e9}\r\nContent-Length: 0\r\n\r\n", 200, &[("x-odd", "\u{e9}")], b""),
        (until_closed, 200, &[("content-type", "text/plain")], b"until the end"),
    ];
    for (answer, status, headers, body) in cases {
        let mut pieces = vec![Piece::Bytes(answer.as_bytes().to_vec())];
        // An answer without a length ends with its connection.
        pieces.extend((answer == until_closed).then_some(Piece::Die));
        for collection in [None, Some(("X-RAG-Collection", "manual"))] {
            world.upstream.play(pieces.clone());
            let reply = world.post("/v1/chat/completions", collection.as_slice(), CHAT).await;
            assert_eq!((reply.status, reply.body.as_slice()), (status, body), "{answer}");
            for (name, value) in headers {
                assert_eq!(reply.header(name), Some(*value), "{answer}");
            }
        }
    }
}

/// Upstream knows itself by an address that is nothing to clients.
#[tokio::test]
async fn redirects_to_upstream_itself_lead_back_here() {
    let world = World::with_manual("").await;
    let own = format!("http://{}", world.upstream.address);
    for (location, leads) in [
        (format!("{own}/v1/models/x?a=1"), "/v1/models/x?a=1"),
        (format!("{own}/v1/chat/completions"), "/v1/chat/completions"),
        (format!("{own}/docs"), "/docs"),
        ("https://example.com/v1/x".to_owned(), "https://example.com/v1/x"),
        ("/v1/x".to_owned(), "/v1/x"),
        ("x".to_owned(), "x"),
    ] {
        let head =
            format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        world.upstream.play(vec![Piece::Bytes(head.into_bytes())]);
        for target in ["/v1/x", "/v1/chat/completions", "/c/manual/v1/chat/completions"] {
            let reply = world.post(target, &[], CHAT).await;
            assert_eq!((reply.status, reply.header("location")), (307, Some(leads)), "{target}");
        }
        let reply = world.get("/c/manual/v1/x").await;
        let below = if leads.starts_with("/v1/") { format!("/c/manual{leads}") } else { leads.to_owned() };
        assert_eq!(reply.header("location"), Some(below.as_str()));
    }
}
