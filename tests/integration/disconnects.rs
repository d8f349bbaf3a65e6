//! A thousand clients leave at any moment: nothing of theirs stays behind.

use super::world::property::Dice;
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, Request, World, admitted, eventually, question_body};

const PLACES: usize = 4;
const TARGETS: [&str; 3] = ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/completions"];

/// Answers after which upstream waits until lastro closes the connection, told apart by the number of their frames.
fn endless(frames: usize) -> Vec<Piece> {
    let mut pieces = match frames {
        0 => Vec::new(),
        // In the middle of the head.
        1 => vec![Piece::Bytes(EVENTS[..40].to_vec())],
        _ => vec![Piece::Bytes(EVENTS.to_vec())],
    };
    pieces.extend((2..frames).map(|_| Piece::Bytes(chunk(b"data: {}\n\n"))));
    pieces.push(Piece::UntilClosed);
    pieces
}

/// One client that leaves: before or in the head of the answer, after some frames, or before its request was complete.
async fn leave(world: &World, dice: &mut Dice) {
    let target = TARGETS[dice.below(3)];
    let body = question_body("Is the valve closed?");
    if dice.below(4) == 0 {
        let whole = if dice.below(2) == 0 {
            [chunk(body.as_bytes()), LAST_CHUNK.to_vec()].concat()
        } else {
            body.clone().into_bytes()
        };
        let request = Request::new("POST", target);
        let request =
            if whole.len() == body.len() { request.announced(body.len()) } else { request.chunked() };
        let mut exchange = request.open(world.address).await;
        exchange.write(&whole[..dice.below(whole.len())]).await;
        return;
    }
    let frames = dice.below(8);
    world.upstream.play(endless(frames));
    let mut response = Request::new("POST", target).json(body).open(world.address).await;
    if frames > 1 && dice.below(4) > 0 {
        response.read_head().await;
        if response.status == 200 {
            response.exactly(dice.below(frames - 1) * 10).await;
        }
    }
}

/// Holds that every place is free, and that there is none beyond.
async fn has_all_places(world: &World) {
    let end = [chunk(b"two"), LAST_CHUNK.to_vec()].concat();
    world.upstream.play(vec![
        Piece::Bytes([EVENTS, &chunk(b"one")].concat()),
        Piece::Gate,
        Piece::Bytes(end),
    ]);
    let mut streams = Vec::new();
    for n in 0..PLACES {
        let request = Request::new("POST", TARGETS[n % 3]).json(question_body("Is the valve closed?"));
        let mut stream = admitted(&request, world.address).await;
        assert_eq!(stream.exactly(3).await, b"one");
        streams.push(stream);
    }
    world.post(TARGETS[0], &[], "{}").await.error(429, "too_many_requests");
    for mut stream in streams {
        world.upstream.release();
        assert_eq!(stream.rest().await, (b"two".to_vec(), Ok(())));
    }
}

#[tokio::test]
async fn a_thousand_clients_that_leave_leave_nothing_behind() {
    let options = format!("max_requests = {PLACES}\nupstream_keep_alive = 1");
    let (world, program) = World::program(&options).await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.upstream.play(json_answer("200 OK", "{}"));
    for target in TARGETS {
        assert_eq!(world.post(target, &[], question_body("Is the valve closed?")).await.status, 200);
    }
    has_all_places(&world).await;
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    let before = program.descriptors();
    let mut dice = Dice::new(7);
    for _ in 0..1000 {
        leave(&world, &mut dice).await;
    }
    // Nobody's answer is still being made.
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    has_all_places(&world).await;
    eventually(|| async { (world.upstream.open() == 0).then_some(()) }).await;
    if let Some(before) = before {
        // The store opens a file now and then.
        eventually(|| async { program.descriptors().filter(|now| *now <= before + 8) }).await;
    }
    program.terminate().await;
    assert!(program.ended().await.success());
}
