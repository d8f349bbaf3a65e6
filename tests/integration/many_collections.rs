//! More collections than may be open: uploads, questions and deletions open and close them at the same time, and nobody sees
//! that.

use futures_util::future::join_all;
use serde_json::Value;

use super::world::model::give_model;
use super::world::{World, eventually};

const COLLECTIONS: usize = 12;
const OPEN: usize = 3;

fn name(number: usize) -> String {
    format!("tenant{number}")
}

fn text(number: usize, what: &str) -> String {
    format!("The {what} of tenant {number} is written here.")
}

/// What a question finds that every text of the collection answers.
async fn found(world: &World, number: usize) -> Vec<String> {
    let mut found = world.search(&name(number), &format!("What is written of tenant {number}?")).await;
    found.sort();
    found
}

/// One document comes, is found, and goes for another one.
async fn live(world: &World, number: usize, first: &str, second: &str) {
    let (collection, file) = (name(number), |what: &str| format!("{what}.txt"));
    world.upload(&collection, &[(&file(first), &text(number, first))]).await;
    for _ in 0..3 {
        assert_eq!(found(world, number).await, [text(number, first)]);
    }
    world.upload(&collection, &[(&file(second), &text(number, second))]).await;
    let mut both = vec![text(number, first), text(number, second)];
    both.sort();
    assert_eq!(found(world, number).await, both);
    let target = format!("/v1/vector_stores/{collection}/documents/{}", file(first));
    assert_eq!(world.delete(&target).await.status, 200);
    assert_eq!(found(world, number).await, [text(number, second)]);
    let target = format!("/v1/vector_stores/{collection}/documents/{}", file(second));
    assert_eq!(world.delete(&target).await.status, 200);
    assert!(found(world, number).await.is_empty());
    world.upload(&collection, &[(&file("last"), &text(number, "last"))]).await;
}

/// How many collections are open, as metrics tell.
async fn open(world: &World) -> usize {
    let metrics = world.get("/metrics").await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("lastro_open_collections "));
    line.expect("the metric").parse().expect("a number")
}

async fn all_at_once(world: &World) {
    join_all((0..COLLECTIONS).map(|number| live(world, number, "anchor", "rudder"))).await;
    // Those that everybody was at are closed one after the other.
    eventually(|| async { (open(world).await <= OPEN).then_some(()) }).await;
}

#[tokio::test]
async fn more_collections_than_may_be_open_answer_by_words() {
    let options = format!("open_collections = {OPEN}");
    let mut world = World::start(&options).await;
    all_at_once(&world).await;
    world.restart(&options).await;
    join_all((0..COLLECTIONS).map(|number| {
        let world = &world;
        async move {
            assert_eq!(found(world, number).await, [text(number, "last")]);
            let target = format!("/v1/vector_stores/{}/documents/last.txt", name(number));
            assert_eq!(world.delete(&target).await.status, 200);
        }
    }))
    .await;
    all_at_once(&world).await;
}

#[tokio::test]
async fn more_collections_than_may_be_open_answer_by_meaning_too() {
    let mut world = World::prepared("").await;
    let options = format!("{}\nopen_collections = {OPEN}", give_model(&world));
    world.run_with(&options).await;
    world.ready().await;
    all_at_once(&world).await;
    world.restart(&options).await;
    world.ready().await;
    for number in 0..COLLECTIONS {
        let body = r#"{"query": "tenant"}"#;
        let target = format!("/v1/vector_stores/{}/search", name(number));
        // By both, once the vectors are read: words alone answer where that takes longer than a question waits.
        let data: Value = eventually(|| async {
            let reply = world.post(&target, &[], body).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            (reply.header("x-rag-status") == Some("hit")).then(|| reply.json())
        })
        .await;
        assert_eq!(data["data"].as_array().map(Vec::len), Some(1), "{data}");
    }
}
