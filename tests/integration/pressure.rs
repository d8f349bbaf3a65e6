//! A client that reads slowly slows upstream down: what it has not read is not heaped up here.

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk};
use super::world::{Piece, Request, World, eventually, question_body};

const FRAME: usize = 1 << 14;
const FRAMES: usize = 4096;
const MIB: usize = 1 << 20;
/// What the kernel may hold for lastro's sockets: by themselves their buffers grow to 32 MiB and 4 MiB where a system is
/// set up for fast networks.
const KERNEL: usize = 48 * MIB;

fn frame() -> Vec<u8> {
    (0..FRAME).map(|n| b"data: \xc3\xa9\n"[n % 9]).collect()
}

/// Waits until upstream gets no more away.
async fn stalled(world: &World) -> usize {
    let mut last = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let now = world.upstream.offered();
        if now == last && now > 0 {
            return now;
        }
        last = now;
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_upstream() {
    let (world, program) = World::program("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.upstream.buffers(1 << 16);
    let stream = vec![
        Piece::Bytes(EVENTS.to_vec()),
        Piece::Repeat(chunk(&frame()), FRAMES),
        Piece::Bytes(LAST_CHUNK.to_vec()),
    ];
    world.upstream.play(stream);
    for target in ["/v1/completions", "/v1/chat/completions", "/c/manual/v1/chat/completions"] {
        // Once before, so that what is counted is not the first use of memory.
        let request = Request::new("POST", target).json(question_body("Is the valve closed?"));
        assert_eq!(world.ask(request.clone()).await.body.len(), FRAME * FRAMES);
        let (offered, resident) = (world.upstream.offered(), program.resident());
        let mut response = request.receiving(1 << 14).send(world.address).await;
        let mut body = Vec::new();
        while body.len() < 4096 {
            body.extend(response.next().await.expect("an unbroken body").expect("more of the body"));
        }
        let taken = stalled(&world).await - offered;
        assert!(taken < KERNEL, "{target}: upstream got {taken} bytes away");
        if let (Some(before), Some(now)) = (resident, program.resident()) {
            let grown = now.saturating_sub(before);
            assert!(grown < 4 * MIB, "{target}: {grown} bytes were heaped up");
        }
        let (rest, end) = response.rest().await;
        body.extend(rest);
        assert_eq!((body.len(), end), (FRAME * FRAMES, Ok(())), "{target}");
        assert!(body.chunks(FRAME).all(|part| part == frame()), "{target}: other bytes");
    }
}

/// And the other way: an upload that upstream does not take is not taken from the client.
#[tokio::test]
async fn an_upstream_that_stops_reading_stops_the_client() {
    let (world, program) = World::program("").await;
    world.upstream.buffers(1 << 16);
    // Once before, so that what is counted is not the first use of memory.
    let whole = Request::new("POST", "/v1/audio").body(frame().repeat(FRAMES / 4));
    assert_eq!(world.ask(whole).await.status, 200);
    world.upstream.forget();
    world.upstream.early(true);
    world.upstream.pause_reading(true);
    world.upstream.play(vec![Piece::Body(FRAME * FRAMES)]);
    let mut exchange = Request::new("POST", "/v1/audio").announced(FRAME * FRAMES).open(world.address).await;
    eventually(|| async { world.upstream.heads().pop() }).await;
    let resident = program.resident();
    let mut sent = 0;
    let part = frame();
    while sent < FRAMES {
        let write = tokio::time::timeout(std::time::Duration::from_secs(2), exchange.try_write(&part));
        match write.await {
            Ok(written) => written.expect("the connection is open"),
            Err(_) => break,
        }
        sent += 1;
    }
    assert!(sent * FRAME < KERNEL, "{} bytes were taken", sent * FRAME);
    if let (Some(before), Some(now)) = (resident, program.resident()) {
        let grown = now.saturating_sub(before);
        assert!(grown < 4 * MIB, "{grown} bytes were heaped up");
    }
    drop(exchange);
    world.upstream.pause_reading(false);
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    assert!(world.upstream.requests().is_empty());
}
