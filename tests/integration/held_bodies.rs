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
    // All but the last byte of two. Who asks before they have come takes of their room: then once more.
    let (mut held, refused) = eventually(|| async {
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut exchange = Request::new("POST", target).announced(large.len()).open(world.address).await;
            exchange.write(&large[..large.len() - 1]).await;
            held.push(exchange);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
        (reply.status == 429).then_some((held, reply))
    })
    .await;
    let message = refused.error(429, "too_many_requests");
    assert!(message.contains("--max-bodies-mib"), "{message}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    for target in ["/v1/chat/completions", "/v1/vector_stores/manual/search", "/v1/rag/preview"] {
        world.post(target, &[], question_body("q")).await.error(429, "too_many_requests");
    }
    // What is not held is not counted.
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_eq!(world.post("/v1/completions", &[], vec![b'x'; 3 << 20]).await.status, 200);
    assert_eq!(world.get("/v1/vector_stores").await.status, 200);
    for exchange in &mut held {
        exchange.write(&large[large.len() - 1..]).await;
        exchange.read_head().await;
        assert_eq!(exchange.status, 200);
    }
    drop((announced, held));
    eventually(|| async { (world.post(target, &[], large.clone()).await.status == 200).then_some(()) }).await;
}
