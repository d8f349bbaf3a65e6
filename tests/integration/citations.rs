//! What an answer says of its sources in its body: by header alone, as a comment, as annotations.

use serde_json::{Value, json};

use super::world::property::{Framing, Stream, holds, streams};
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Broken, Piece, Reply, Request, World, eventually};

const CHAT: &str =
    r#"{"model":"test-model","stream":true,"messages":[{"role":"user","content":"Is the valve closed?"}]}"#;
const DONE: &str = "data: [DONE]\n\n";

/// A grounded chat in one of the modes.
fn chat(mode: &str) -> Request {
    let headers = [("X-RAG-Collection", "manual"), ("X-RAG-Citations", mode), ("Accept-Encoding", "gzip")];
    Request::new("POST", "/v1/chat/completions").headers(&headers).json(CHAT)
}

/// A frame of a choice.
fn frame(index: u64, delta: Value, finish: Option<&str>) -> String {
    let choice = json!({"index": index, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

fn says(index: u64, content: &str) -> String {
    frame(index, json!({"content": content}), None)
}

fn finish(index: u64) -> String {
    frame(index, json!({}), Some("stop"))
}

/// An answer in chunks, the next one sent when the test says so.
fn gated<T: AsRef<[u8]>>(frames: &[T]) -> Vec<Piece> {
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec())];
    for frame in frames {
        pieces.extend([Piece::Bytes(chunk(frame.as_ref())), Piece::Gate]);
    }
    pieces.push(Piece::Bytes(LAST_CHUNK.to_vec()));
    pieces
}

fn stream(body: &str) -> Vec<Piece> {
    vec![Piece::Bytes([EVENTS, &chunk(body.as_bytes()), LAST_CHUNK].concat())]
}

/// The frames that carry annotations, and the body without them.
fn without_annotations(body: &str) -> (Vec<Value>, String) {
    let is_ours = |frame: &&str| frame.contains("\"annotations\":[{");
    let (ours, theirs): (Vec<&str>, Vec<&str>) = body.split_inclusive("\n\n").partition(is_ours);
    let parse = |frame: &str| serde_json::from_str(frame.trim_start_matches("data: ")).expect("JSON");
    (ours.into_iter().map(parse).collect(), theirs.concat())
}

/// The id of the document in `manual`.
async fn document(world: &World) -> String {
    let list = world.get("/v1/vector_stores/manual/documents").await.json();
    list["data"][0]["id"].as_str().expect("an id").to_owned()
}

async fn ask(world: &World, mode: &str) -> Reply {
    world.ask(chat(mode)).await
}

#[tokio::test]
async fn a_comment_names_the_sources_before_the_first_event() {
    let world = World::with_manual("").await;
    let id = document(&world).await;
    let body = [&says(0, "Olá [1]."), &finish(0), DONE].concat();
    world.upstream.play(stream(&body));
    let reply = ask(&world, "comment").await;
    let text = reply.text();
    let (comment, rest) = text.split_once("\n\n").expect("a comment");
    assert_eq!(rest, body);
    // In a compressed stream there would be no place for it.
    assert_eq!(world.upstream.last().header("accept-encoding"), None);
    let said: Value = serde_json::from_str(comment.strip_prefix(": rag ").expect(comment)).expect("JSON");
    let url = format!("http://{}/v1/files/{id}/content", world.address);
    let source = json!({"n": 1, "document": "valve.txt", "file_id": id, "url": url});
    assert_eq!(said["sources"], json!([source]));
    assert_eq!(said["trace_id"].as_str(), reply.header("x-rag-trace-id"));
    assert!(reply.header("x-rag-sources").is_some());
    // The comment does not wait for the first event.
    world.upstream.play(vec![Piece::Bytes(EVENTS.to_vec()), Piece::Gate, Piece::UntilClosed]);
    let mut response = chat("comment").send(world.address).await;
    assert_eq!(response.exactly(comment.len() + 2).await.len(), comment.len() + 2);
}

#[tokio::test]
async fn annotations_come_right_before_the_finish_of_each_choice() {
    let world = World::with_manual("public_url = \"https://rag.example.com/\"").await;
    let id = document(&world).await;
    let body = [
        &frame(0, json!({"role": "assistant", "content": ""}), None),
        &says(0, "Não, [1"),
        &says(1, "Sim."),
        &says(0, "] e [2]."),
        &finish(0),
        &finish(1),
        "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{}}\n\n",
        DONE,
    ]
    .concat();
    world.upstream.play(stream(&body));
    let text = ask(&world, "annotations").await.text();
    let (ours, theirs) = without_annotations(&text);
    assert_eq!(theirs, body);
    let url = format!("https://rag.example.com/v1/files/{id}/content");
    let expected = |index: u64, start: u64, end: u64| {
        let citation = json!({"start_index": start, "end_index": end, "title": "valve.txt", "url": url});
        let delta = json!({"annotations": [{"type": "url_citation", "url_citation": citation}]});
        let choice = json!({"index": index, "delta": delta, "finish_reason": null});
        json!({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice]})
    };
    assert_eq!(ours, [expected(0, 5, 8), expected(1, 4, 4)]);
    for index in 0..2 {
        let at = text.find(&finish(index)).expect("a finish");
        let before = text[..at].split_inclusive("\n\n").last().expect("a frame");
        assert_eq!(without_annotations(before).0, [ours[index as usize].clone()]);
    }
    assert!(text.ends_with(DONE));
    assert_eq!(world.upstream.last().header("accept-encoding"), None);
}

#[tokio::test]
async fn every_frame_passes_before_the_next_is_sent() {
    let world = World::with_manual("").await;
    let frames = [
        says(0, "Olá"),
        ": ping\r\n\r\n".to_owned(),
        says(0, " [1]"),
        finish(0),
        "data: {\"choices\":[]}\r\r".to_owned(),
        DONE.to_owned(),
    ];
    for mode in ["header", "annotations", "comment"] {
        world.upstream.play(gated(&frames));
        let mut response = chat(mode).send(world.address).await;
        let (mut seen, mut sent) = (String::new(), String::new());
        for frame in &frames {
            sent.push_str(frame);
            while !seen.ends_with(frame.as_str()) {
                let part = response.next().await.expect("an unbroken body").expect("more of it");
                seen.push_str(std::str::from_utf8(&part).expect("whole frames"));
            }
            world.upstream.release();
        }
        assert_eq!(response.rest().await, (Vec::new(), Ok(())));
        let theirs = match mode {
            "comment" => seen.split_once("\n\n").expect("a comment").1.to_owned(),
            _ => without_annotations(&seen).1,
        };
        assert_eq!(theirs, sent, "{mode}");
        assert_eq!(seen == sent, mode == "header");
    }
}

#[test]
fn whatever_is_streamed_stays_byte_exact_around_what_is_added() {
    const ALL: &[Framing] = &[Framing::Chunked, Framing::OddlyChunked, Framing::Length, Framing::UntilClosed];
    holds("", streams(ALL), async |world: &World, stream: Stream| {
        let mut pieces = stream.writes(&stream.wire().0);
        pieces.extend((stream.framing == Framing::UntilClosed).then_some(Piece::Die));
        world.upstream.play(pieces);
        assert_eq!(ask(world, "header").await.body, stream.body);
        // None of these streams finishes: nothing is inserted.
        assert_eq!(ask(world, "annotations").await.body, stream.body);
        let commented = ask(world, "comment").await.body;
        let end = commented.windows(2).position(|end| end == b"\n\n").expect("a comment") + 2;
        assert_eq!(&commented[end..], stream.body);
    });
}

#[tokio::test]
async fn answers_that_call_tools_or_fail_are_not_annotated() {
    let world = World::with_manual("").await;
    let call = frame(0, json!({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}), None);
    let error = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    for body in [
        [&call, &frame(0, json!({}), Some("tool_calls")), DONE].concat(),
        [&says(0, "Yes [1]"), error, DONE].concat(),
        [&says(0, "Yes [1]")[..], DONE, &finish(0)].concat(),
    ] {
        world.upstream.play(stream(&body));
        assert_eq!(ask(&world, "annotations").await.text(), body);
    }
    // An error does not hide what comes after it.
    let body = [&says(0, "Yes [1]"), error, &finish(0), DONE].concat();
    world.upstream.play(stream(&body));
    let (ours, theirs) = without_annotations(&ask(&world, "annotations").await.text());
    assert_eq!((ours.len(), theirs), (1, body));
}

#[tokio::test]
async fn a_break_stays_a_break_and_comes_after_every_byte() {
    let world = World::with_manual("").await;
    let sent = [&says(0, "Yes [1]."), "data: {\"cut"].concat();
    for mode in ["annotations", "comment", "header"] {
        let pieces = vec![Piece::Bytes([EVENTS, &chunk(sent.as_bytes())].concat()), Piece::Gate, Piece::Die];
        world.upstream.play(pieces);
        let mut response = chat(mode).send(world.address).await;
        world.upstream.release();
        let (body, end) = response.rest().await;
        assert_eq!(end, Err(Broken), "{mode}");
        let text = String::from_utf8(body).expect("UTF-8");
        assert!(text.ends_with(&sent) && (text == sent) == (mode != "comment"), "{mode}: {text}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_upstream_in_every_mode() {
    let world = World::with_manual("").await;
    for (n, mode) in (1..).zip(["header", "comment", "annotations"]) {
        let pieces = [EVENTS, &chunk(says(0, "Yes [1].").as_bytes())].concat();
        world.upstream.play(vec![Piece::Bytes(pieces), Piece::UntilClosed]);
        let mut response = chat(mode).send(world.address).await;
        response.next().await.expect("a frame").expect("a frame");
        drop(response);
        eventually(|| async { (world.upstream.closed() == n).then_some(()) }).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_annotated_in_its_message() {
    let world = World::with_manual("").await;
    let id = document(&world).await;
    let answer = |annotations: &str| {
        format!(
            r#"{{"id":"c","choices":[{{"index":0,"message":{{"role":"assistant","content":"Não [1]."{annotations}}}}}],"x":0.10}}"#
        )
    };
    world.upstream.play(json_answer("200 OK", &answer(",\"annotations\":null")));
    for mode in ["header", "comment"] {
        assert_eq!(ask(&world, mode).await.text(), answer(",\"annotations\":null"), "{mode}");
    }
    let url = format!("http://{}/v1/files/{id}/content", world.address);
    let citation = json!({"start_index": 4, "end_index": 7, "title": "valve.txt", "url": url});
    let list = json!([{"type": "url_citation", "url_citation": citation}]);
    for theirs in ["", ",\"annotations\":null", ",\"annotations\":[]"] {
        world.upstream.play(json_answer("200 OK", &answer(theirs)));
        let reply = ask(&world, "annotations").await;
        assert_eq!(reply.json()["choices"][0]["message"]["annotations"], list);
        // The order of keys within an annotation apart, it is upstream's answer with the list in it.
        let text = reply.text();
        let (before, after) = text.split_once("[{\"type\"").expect("a list");
        let after = &after[after.find("}}]").expect("its end") + 3..];
        assert_eq!(format!("{before}[]{after}"), answer(",\"annotations\":[]"));
        let length = reply.body.len().to_string();
        assert!(reply.header("content-length").is_none_or(|said| said == length));
    }
    let long = answer(&format!(",\"pad\":\"{}\"", "x".repeat(4 << 20)));
    world.upstream.play(json_answer("200 OK", &long));
    assert!(ask(&world, "annotations").await.text() == long);
}

#[tokio::test]
async fn what_is_no_answer_of_a_chat_is_left_as_it_is() {
    let world = World::with_manual("").await;
    let body = says(0, "Yes [1]") + &finish(0);
    let head = |lines: &str| format!("HTTP/1.1 {lines}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for lines in [
        "500 Internal Server Error\r\nContent-Type: text/event-stream",
        "201 Created\r\nContent-Type: text/event-stream",
        "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip",
        "200 OK\r\nContent-Type: text/plain",
        "200 OK\r\nX-Other: 1",
    ] {
        world.upstream.play(vec![Piece::Bytes(head(lines).into_bytes())]);
        for mode in ["comment", "annotations"] {
            let reply = ask(&world, mode).await;
            assert_eq!(reply.text(), body, "{mode}: {lines}");
            assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
        }
    }
    // A body that grows has no length of before.
    world.upstream.play(vec![Piece::Bytes(
        head("200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8").into_bytes(),
    )]);
    for mode in ["comment", "annotations"] {
        let reply = ask(&world, mode).await;
        assert!(reply.header("content-length").is_none() && reply.body.len() > body.len(), "{mode}");
    }
}

#[tokio::test]
async fn without_passages_there_is_nothing_to_cite() {
    let world = World::with_manual("").await;
    let body = [&says(0, "Yes [1]"), &finish(0), DONE].concat();
    world.upstream.play(stream(&body));
    let plain = [("X-RAG-Citations", "annotations"), ("Accept-Encoding", "gzip")];
    let reply = world.post("/v1/chat/completions", &plain, CHAT).await;
    assert_eq!(reply.text(), body);
    assert_eq!(world.upstream.last().header("accept-encoding"), Some("gzip"));
    let off = world.ask(chat("annotations").header("X-RAG", "off")).await;
    assert_eq!((off.text(), off.header("x-rag-status")), (body, Some("off")));
    assert_eq!(world.upstream.last().header("x-rag-citations"), None);
    let reply = world.ask(chat("comment").header("X-RAG", "off")).await;
    assert!(reply.text().starts_with(": rag {") && reply.text().contains("\"sources\":[]"));
}

#[tokio::test]
async fn our_headers_are_read_without_regard_to_case() {
    let world = World::with_manual("").await;
    world.upstream.play(stream(&[&says(0, "Yes [1]"), &finish(0), DONE].concat()));
    for (mode, has) in
        [("Annotations", "url_citation"), ("ANNOTATIONS", "url_citation"), ("Comment", ": rag {")]
    {
        assert!(ask(&world, mode).await.text().contains(has), "{mode}");
    }
    assert_eq!(ask(&world, "Header").await.header("x-rag-status"), Some("hit"));
    for (switch, status) in [("OFF", "off"), ("Off", "off"), ("ON", "hit"), ("On", "hit")] {
        let reply = world.ask(chat("header").header("X-RAG", switch)).await;
        assert_eq!(reply.header("x-rag-status"), Some(status), "{switch}");
    }
    world.ask(chat("header").header("X-RAG", "no")).await.error(400, "invalid_header");
}

#[tokio::test]
async fn an_unknown_mode_is_refused() {
    let world = World::with_manual("").await;
    for mode in ["", "inline", "header,comment"] {
        assert!(ask(&world, mode).await.error(400, "invalid_header").contains("annotations"), "{mode}");
    }
    assert!(world.upstream.requests().is_empty());
    let twice = chat("comment").header("X-RAG-Citations", "header");
    world.ask(twice).await.error(400, "invalid_header");
}
