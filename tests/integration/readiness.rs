//! `/ready` tells strangers whether, and those who run the server why not; it costs next to nothing.

use serde_json::{Value, json};

use super::world::{Piece, Request, World, eventually};

async fn ready(world: &World, key: Option<&str>) -> Value {
    let request = Request::new("GET", "/ready");
    let reply = world.ask(key.into_iter().fold(request, |request, key| request.key(key))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn strangers_learn_whether_and_no_more() {
    let world = World::with_manual("").await;
    let address = world.upstream.address.to_string();
    // On this machine, while there are no keys.
    let all = ready(&world, None).await;
    assert!(all["upstream"]["address"].as_str().is_some_and(|said| said.contains(&address)), "{all}");
    assert_eq!(all["upstream"]["models"], json!(["test-model"]));
    let mut keys = Vec::new();
    for scopes in [&["chat"][..], &["ingest"], &["metrics"], &["relay"], &["admin"]] {
        keys.push((scopes, world.key(json!({ "name": scopes[0], "scopes": scopes })).await.1));
    }
    for wrong in [None, Some("sk-lastro-0123456789abcdef-0"), Some("theirs")] {
        assert_eq!(ready(&world, wrong).await, json!({ "ready": true }));
    }
    let statuses = json!({
        "ready": true, "embedding": { "status": "none" }, "upstream": { "status": "ready" }, "storage": { "status": "ready" }
    });
    for (scopes, key) in &keys {
        let said = ready(&world, Some(key)).await;
        match scopes {
            ["relay" | "admin"] => assert_eq!(said, all, "{scopes:?}"),
            _ => assert_eq!(said, statuses, "{scopes:?}"),
        }
    }
    // What fails is told with the address to those two alone.
    world.upstream.play_models(vec![Piece::Die]);
    for (scopes, key) in &keys {
        let failed = eventually(|| async {
            let said = ready(&world, Some(key)).await;
            (said["upstream"]["status"] == "failed").then_some(said)
        });
        let failed = failed.await.to_string();
        assert_eq!(failed.contains(&address), matches!(scopes, ["relay" | "admin"]), "{scopes:?}: {failed}");
    }
    assert_eq!(ready(&world, None).await, json!({ "ready": true }));
}

#[tokio::test]
async fn a_network_without_keys_is_one_of_strangers() {
    let world = World::start("allow_remote_without_keys = true").await;
    assert_eq!(ready(&world, None).await, json!({ "ready": true }));
    let all = ready(&world, Some(&world.local_key)).await;
    assert!(all["upstream"]["address"].is_string(), "{all}");
}

/// Upstream is asked once in a while, and not as often as somebody asks here.
#[tokio::test]
async fn asking_often_costs_upstream_little() {
    let world = World::start("").await;
    world.ready().await;
    let (request, asked) = (Request::new("GET", "/ready"), world.upstream.everything().len());
    let began = std::time::Instant::now();
    let mut response = request.send(world.address).await;
    for _ in 0..2000 {
        response.rest().await.1.expect("an answer");
        response.again(&request, world.address).await;
        assert_eq!(response.status, 200);
    }
    // One question in two seconds, however long the machine takes.
    let most = 2 + began.elapsed().as_secs() as usize / 2;
    assert!(world.upstream.everything().len() - asked <= most);
}
