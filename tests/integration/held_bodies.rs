//! Bodies that are read whole take so much memory together and no more.

use super::world::upstream::json_answer;
use super::world::{Request, World, eventually, question_body};

#[tokio::test]
async fn bodies_together_take_no_more_than_their_room() {
    let world = World::with_manual("max_body_mib = 1\nmax_bodies_mib = 2").await;
    let mut large = question_body("Is the valve closed?").into_bytes();
    large.resize(1 << 20, b' ');
    let target = "/c/manual/v1/chat/completions";
    // Announced alone, they take nothing.
    let mut announced = Vec::new();
    for _ in 0..8 {
        announced.push(Request::new("POST", target).announced(large.len()).open(world.address).await);
    }
    assert_eq!(world.post(target, &[], large.clone()).await.status, 200);
    // All but the last byte of two.
    let mut held = Vec::new();
    for exchange in announced.iter_mut().take(2) {
        exchange.write(&large[..large.len() - 1]).await;
        held.push(exchange);
    }
    eventually(|| async {
        let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
        if reply.status == 200 {
            return None;
        }
        let message = reply.error(429, "too_many_requests");
        assert!(message.contains("--max-bodies-mib"), "{message}");
        assert_eq!(reply.header("retry-after"), Some("1"));
        Some(())
    })
    .await;
    for target in ["/v1/chat/completions", "/v1/vector_stores/manual/search", "/v1/rag/preview"] {
        world.post(target, &[], question_body("q")).await.error(429, "too_many_requests");
    }
    // What is not held is not counted.
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_eq!(world.post("/v1/completions", &[], vec![b'x'; 3 << 20]).await.status, 200);
    assert_eq!(world.get("/v1/vector_stores").await.status, 200);
    for exchange in held {
        exchange.write(&large[large.len() - 1..]).await;
        exchange.read_head().await;
        assert_eq!(exchange.status, 200);
    }
    drop(announced);
    eventually(|| async { (world.post(target, &[], large.clone()).await.status == 200).then_some(()) }).await;
}
