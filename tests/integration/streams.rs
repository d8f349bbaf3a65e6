//! Streams reach the client byte for byte and at once, however they are cut, and a break stays a break.

use super::world::property::{Framing, Stream, holds, streams};
use super::world::{Broken, Piece, Request, World, question_body};
use proptest::prelude::*;
use proptest::sample::Index;

const ALL: &[Framing] = &[Framing::Chunked, Framing::OddlyChunked, Framing::Length, Framing::UntilClosed];
/// Those in which a body that breaks off cannot look whole.
const KNOWN_END: &[Framing] = &[Framing::Chunked, Framing::OddlyChunked, Framing::Length];

/// A chat, plain or grounded.
fn chat(grounded: bool) -> Request {
    let collection = grounded.then_some(("X-RAG-Collection", "manual"));
    let request = Request::new("POST", "/v1/chat/completions").headers(collection.as_slice());
    request.json(question_body("Is the valve closed?"))
}

#[test]
fn a_stream_is_the_same_bytes_however_it_is_cut() {
    holds("", streams(ALL), async |world: &World, stream: Stream| {
        let mut pieces = stream.writes(&stream.wire().0);
        pieces.extend((stream.framing == Framing::UntilClosed).then_some(Piece::Die));
        world.upstream.play(pieces);
        for grounded in [false, true] {
            let reply = world.ask(chat(grounded)).await;
            assert!(reply.body == stream.body, "grounded: {grounded}: {}", reply.text());
            assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
            assert_eq!(reply.header("x-rag-status"), grounded.then_some("hit"));
            let length = stream.body.len().to_string();
            let has_length = stream.framing == Framing::Length;
            assert_eq!(reply.header("content-length"), has_length.then_some(length.as_str()));
        }
    });
}

#[test]
fn each_frame_reaches_the_client_before_the_next_is_sent() {
    const FRAMED: &[Framing] = &[Framing::Chunked, Framing::Length, Framing::UntilClosed];
    holds("", streams(FRAMED), async |world: &World, stream: Stream| {
        let mut pieces = vec![Piece::Bytes(stream.head()), Piece::Gate];
        for (bytes, _) in stream.chunks() {
            pieces.extend([Piece::Bytes(bytes), Piece::Gate]);
        }
        match stream.framing {
            Framing::Chunked => pieces.push(Piece::Bytes(super::world::upstream::LAST_CHUNK.to_vec())),
            Framing::UntilClosed => pieces.push(Piece::Die),
            _ => {}
        }
        world.upstream.play(pieces);
        for grounded in [false, true] {
            // The head comes before there is a body.
            let mut response = chat(grounded).send(world.address).await;
            world.upstream.release();
            for (_, frame) in stream.chunks() {
                assert!(response.exactly(frame.len()).await == frame, "grounded: {grounded}");
                world.upstream.release();
            }
            assert_eq!(response.rest().await, (Vec::new(), Ok(())), "grounded: {grounded}");
        }
    });
}

/// A stream and where in it upstream dies.
fn deaths() -> impl Strategy<Value = (Stream, Index)> {
    let streams = streams(KNOWN_END);
    let breakable =
        streams.prop_filter("its end can be missing", |s| s.framing != Framing::Length || !s.body.is_empty());
    (breakable, any::<Index>())
}

#[test]
fn a_stream_that_breaks_off_anywhere_is_broken_and_all_before_it_arrives() {
    holds("", deaths(), async |world: &World, (stream, at): (Stream, Index)| {
        let (wire, payload) = stream.wire();
        let head = stream.head().len();
        let cut = head + at.index(wire.len() - head);
        let before: Vec<u8> = payload
            .iter()
            .flat_map(|range| wire[range.start..range.end.min(cut).max(range.start)].to_vec())
            .collect();
        for death in [Piece::Die, Piece::Reset] {
            let mut pieces = stream.writes(&wire[..cut]);
            pieces.push(death.clone());
            world.upstream.play(pieces);
            for grounded in [false, true] {
                let place = format!("{death:?} at {cut} of {}, grounded: {grounded}", wire.len());
                let mut response = chat(grounded).open(world.address).await;
                if response.try_head().await && response.status == 200 {
                    let (body, end) = response.rest().await;
                    assert_eq!(end, Err(Broken), "{place}");
                    match death {
                        Piece::Die => assert!(body == before, "{place}: {} of {}", body.len(), before.len()),
                        // A reset overtakes bytes that were on the way.
                        _ => assert!(before.starts_with(&body), "{place}"),
                    }
                } else {
                    assert!(matches!(death, Piece::Reset), "{place}: no head");
                }
            }
        }
    });
}

#[tokio::test]
async fn an_answer_until_the_connection_closes_breaks_when_it_is_reset() {
    let world = World::with_manual("").await;
    let head = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome".to_vec();
    for grounded in [false, true] {
        world.upstream.play(vec![Piece::Bytes(head.clone()), Piece::Gate, Piece::Reset]);
        let mut response = chat(grounded).send(world.address).await;
        assert_eq!(
            response.header("transfer-encoding"),
            Some("chunked"),
            "an end that can be told from a break"
        );
        assert_eq!(response.exactly(4).await, b"some");
        world.upstream.release();
        assert_eq!(response.rest().await, (Vec::new(), Err(Broken)), "grounded: {grounded}");
    }
}
