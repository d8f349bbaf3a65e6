//! The whole program on a store without a database.

use std::sync::Arc;

use lastro::app::App;
use serde_json::{Value, json};

use super::MemoryStore;
use crate::world::model::give_model;
use crate::world::{Request, World, eventually};

/// A server with the tiny model, whose store is in memory.
async fn world() -> World {
    let mut world = World::prepared("").await;
    let options = give_model(&world);
    world.set_options(&options);
    let open = App::open_with(world.config(), |data| Ok(Arc::new(MemoryStore::open(data)?)));
    world.serve(open.await.expect("the app opens")).await;
    world.ready().await;
    world
}

async fn documents(world: &World) -> Vec<Value> {
    world.get("/v1/vector_stores/manual/documents").await.json()["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_document_is_read_found_replaced_and_deleted() {
    let mut world = world().await;
    let first = world.upload("manual", &[("pets.txt", "Cats sat on mats at noon.")]).await.remove(0);
    assert_eq!(world.search("manual", "cats").await, ["Cats sat on mats at noon."]);
    let second = world.upload("manual", &[("pets.txt", "Dogs run in the park at dawn.")]).await.remove(0);
    assert_eq!(second["replaces"], first["id"]);
    assert_eq!(world.search("manual", "dogs").await, ["Dogs run in the park at dawn."]);

    let reply = world.chat("manual", "When do dogs run?", &[]).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("hit")));
    assert!(world.upstream.last().text().contains("Dogs run in the park at dawn."));
    let trace = format!("/v1/rag/traces/{}", reply.header("x-rag-trace-id").expect("a trace"));
    assert_eq!(world.get(&trace).await.status, 200);

    let id = documents(&world).await[0]["id"].as_str().expect("an id").to_owned();
    let target = format!("/v1/vector_stores/manual/documents/{id}");
    assert_eq!(world.delete(&target).await.status, 200);
    assert!(documents(&world).await.is_empty() && world.search("manual", "dogs").await.is_empty());
    let chat = world.chat("manual", "When do dogs run?", &[]).await;
    assert_eq!((chat.status, chat.header("x-rag-hits")), (200, Some("0")), "{:?}", chat.headers);
    world.get(&trace).await.error(404, "trace_not_found");

    assert!(!world.data().join("lastro.sqlite3").exists(), "a database was made all the same");
    world.stop().await;
}

#[tokio::test]
async fn files_become_documents_with_vectors() {
    let mut world = world().await;
    let made = world.post("/v1/vector_stores", &[], r#"{"name":"pets"}"#).await.json();
    let files: Vec<_> = [("a.txt", "Cats sat on mats."), ("b.txt", "Dogs run in the park.")].into();
    let mut ids = Vec::new();
    for (name, text) in files {
        let parts = [("purpose", "", &b"assistants"[..]), ("file", name, text.as_bytes())];
        ids.push(world.send_files("/v1/files", &parts).await.json()["id"].clone());
    }
    let store = format!("/v1/vector_stores/{}", made["id"].as_str().expect("an id"));
    let body = json!({ "file_ids": ids }).to_string();
    let batch = world.post(&format!("{store}/file_batches"), &[], body).await.json();
    let target = format!("{store}/file_batches/{}", batch["id"].as_str().expect("an id"));
    let counts = eventually(|| async {
        let counts = world.get(&target).await.json()["file_counts"].clone();
        Some(counts).filter(|counts| counts["in_progress"] == 0)
    });
    assert_eq!(counts.await["completed"], 2);
    let page = world.get(&format!("{store}/files?limit=1&order=asc")).await.json();
    assert_eq!((&page["data"][0]["id"], &page["has_more"]), (&ids[0], &true.into()));
    // No word of it is in a document: it is found by its vector.
    let question = json!({ "query": "birds" }).to_string();
    let found = world.post(&format!("{store}/search"), &[], question).await.json();
    assert!(found["data"].as_array().is_some_and(|found| !found.is_empty()), "{found}");
    world.stop().await;
}

#[tokio::test]
async fn keys_are_made_and_revoked() {
    let mut world = world().await;
    world.upload("manual", &[("pets.txt", "Cats sat on mats at noon.")]).await;
    let (id, key) = world.key(json!({ "name": "a", "collections": ["manual"] })).await;
    world.get("/v1/vector_stores").await.error(401, "invalid_api_key");
    let list = || world.ask(Request::new("GET", "/v1/vector_stores").key(&key));
    assert_eq!(list().await.json()["data"][0]["name"], "manual");
    let revoke = Request::new("DELETE", &format!("/admin/keys/{id}")).key(&world.local_key);
    assert_eq!(world.ask(revoke).await.json()["deleted"], true);
    list().await.error(401, "invalid_api_key");
    world.stop().await;
}
