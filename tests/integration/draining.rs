//! A server that is told to stop: open streams end as they were sent, nobody new is let in, and it does end.

use super::world::client::Response;
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk};
use super::world::{Broken, Piece, Request, World, eventually, question_body, within};

/// Many streams of many frames, open in the middle.
async fn open(world: &World, count: usize) -> Vec<Response> {
    let frames = |from: usize| -> Vec<u8> { (from..from + 20).flat_map(|n| chunk(&frame(n))).collect() };
    world.upstream.play(vec![
        Piece::Bytes([EVENTS, &frames(0)].concat()),
        Piece::Gate,
        Piece::Bytes(frames(20)),
        Piece::Bytes([frames(40), LAST_CHUNK.to_vec()].concat()),
    ]);
    let mut streams = Vec::new();
    for n in 0..count {
        let target = ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/completions"][n % 3];
        let request = Request::new("POST", target).json(question_body("Is the valve closed?"));
        let mut stream = request.send(world.address).await;
        assert_eq!((stream.status, stream.exactly(body(20).len()).await), (200, body(20)), "{n}");
        streams.push(stream);
    }
    streams
}

fn frame(n: usize) -> Vec<u8> {
    format!("data: {{\"n\":{n},\"text\":\"a\u{e7}\u{e3}o \u{1F44B}\"}}\n\n").into_bytes()
}

fn body(frames: usize) -> Vec<u8> {
    (0..frames).flat_map(frame).collect()
}

#[tokio::test]
async fn five_hundred_streams_end_as_they_were_sent() {
    let mut world = World::with_manual("").await;
    let streams = open(&world, 500).await;
    // One that asks nothing, and one whose answer is over: they hold nobody up.
    let _silent = Request::raw("").open(world.address).await;
    let mut idle = Request::new("GET", "/health").send(world.address).await;
    idle.rest().await.1.expect("an answer");
    let running = world.tell_to_stop();
    let address = world.address;
    eventually(|| async { tokio::net::TcpStream::connect(address).await.is_err().then_some(()) }).await;
    assert!(!running.is_finished(), "the server ended before its answers did");
    for _ in &streams {
        world.upstream.release();
    }
    for (n, mut stream) in streams.into_iter().enumerate() {
        let (rest, end) = stream.rest().await;
        assert!(rest == body(60)[body(20).len()..], "{n}: {}", String::from_utf8_lossy(&rest));
        assert_eq!(end, Ok(()), "{n}");
    }
    within(running).await.expect("the server ends well");
    assert_eq!(idle.until_closed().await, b"");
    assert_eq!(world.upstream.requests().len(), 500);
}

#[tokio::test]
async fn a_connection_gets_no_second_answer_while_the_server_stops() {
    let mut world = World::with_manual("").await;
    let mut stream = open(&world, 1).await.pop().expect("a stream");
    let running = world.tell_to_stop();
    let address = world.address;
    eventually(|| async { tokio::net::TcpStream::connect(address).await.is_err().then_some(()) }).await;
    // Sent before the answer is over: it must not keep the server from ending.
    stream.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    world.upstream.release();
    assert_eq!(stream.rest().await, (body(60)[body(20).len()..].to_vec(), Ok(())));
    within(running).await.expect("the server ends well");
}

#[tokio::test]
async fn streams_that_never_end_are_cut_off() {
    let mut world = World::with_manual("drain_timeout = 1").await;
    let mut streams = open(&world, 3).await;
    world.upstream.play(vec![Piece::UntilClosed]);
    let mut waiting = Request::new("POST", "/v1/chat/completions").json("{}").open(world.address).await;
    eventually(|| async { (world.upstream.requests().len() == 4).then_some(()) }).await;
    within(world.tell_to_stop()).await.expect("the server ends well");
    for stream in &mut streams {
        assert_eq!(stream.rest().await, (Vec::new(), Err(Broken)));
    }
    assert!(!waiting.try_head().await || waiting.status >= 500);
    // Upstream is told of all four.
    eventually(|| async { (world.upstream.closed() == 4).then_some(()) }).await;
    // Its folder is free again.
    world.run_with("").await;
    assert_eq!(world.get("/health").await.status, 200);
}

/// Half an upload must not look whole to upstream, whoever is cut off first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_are_cut_off_are_broken_upstream() {
    let mut world = World::start("drain_timeout = 1").await;
    let mut uploads = Vec::new();
    for _ in 0..100 {
        let mut upload = Request::new("POST", "/v1/audio").chunked().open(world.address).await;
        upload.write(&chunk(b"first ")).await;
        uploads.push(upload);
    }
    eventually(|| async { (world.upstream.arriving().len() == 600).then_some(()) }).await;
    within(world.tell_to_stop()).await.expect("the server ends well");
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    assert!(world.upstream.requests().is_empty(), "half a body became a request");
}

/// Once it says that it listens it can be told, too.
#[tokio::test]
async fn a_server_that_is_told_at_once_ends_cleanly() {
    for _ in 0..5 {
        let (world, program) = World::program("").await;
        program.terminate().await;
        let ended = program.ended().await;
        assert!(ended.success(), "{ended}");
        assert!(!world.data().join("server.json").exists(), "it left what it is reached by");
    }
}
