//! What a key may ask for, and that a change of keys holds from the next request on.

use serde_json::json;

use super::super::world::upstream::{EVENTS, LAST_CHUNK, chunk};
use super::super::world::{Piece, Request, World, admitted};
use super::{chat, get};

#[tokio::test]
async fn requests_a_minute_are_counted_for_each_key() {
    let world = World::start("").await;
    let limits = json!({ "requests_per_minute": 3 });
    let (_, key) = world.key(json!({ "name": "a", "limits": limits })).await;
    let (_, other) = world.key(json!({ "name": "b", "limits": limits })).await;
    for _ in 0..3 {
        assert_eq!(world.ask(get("/v1/models", &key)).await.status, 200);
    }
    let refused = world.ask(get("/v1/models", &key)).await;
    refused.error(429, "rate_limit_exceeded");
    let seconds: u32 = refused.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert_eq!(world.ask(get("/v1/models", &other)).await.status, 200);
    assert_eq!(world.ask(get("/v1/models", &world.local_key)).await.status, 200);
}

#[tokio::test]
async fn streams_are_counted_until_their_answers_end() {
    let world = World::start("").await;
    let wanted = json!({ "name": "a", "scopes": ["chat", "relay"], "limits": { "streams": 2 } });
    let (_, key) = world.key(wanted).await;
    let end = [chunk(b"two"), LAST_CHUNK.to_vec()].concat();
    let held = vec![Piece::Bytes([EVENTS, &chunk(b"one")].concat()), Piece::Gate, Piece::Bytes(end)];
    world.upstream.play(held);
    for _ in 0..3 {
        let mut streams = Vec::new();
        for target in ["/v1/chat/completions", "/v1/completions"] {
            let request = Request::new("POST", target).json("{}").key(&key);
            let mut stream = admitted(&request, world.address).await;
            assert_eq!(stream.exactly(3).await, b"one");
            streams.push(stream);
        }
        let refused = world.ask(chat(None, &key)).await;
        refused.error(429, "rate_limit_exceeded");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(world.ask(get("/v1/models", &world.local_key)).await.status, 200);
        let mut first = streams.remove(0);
        world.upstream.release();
        world.upstream.release();
        assert_eq!(first.rest().await, (b"two".to_vec(), Ok(())));
        // The other client leaves.
        drop(streams);
    }
}

#[tokio::test]
async fn keys_change_at_once_also_on_a_connection_that_is_kept() {
    let world = World::with_manual("").await;
    let (id, key) = world.key(json!({ "name": "a" })).await;
    let mut kept = get("/v1/vector_stores/manual", &key).send(world.address).await;
    for (change, status) in [("", 404), ("grant", 200), ("", 200), ("revoke", 401), ("", 401)] {
        kept.rest().await.1.expect("the whole answer");
        let target = format!("/admin/keys/{id}");
        let request = match change {
            "grant" => {
                Request::new("POST", &format!("{target}/grants")).json(r#"{"collections":["manual"]}"#)
            }
            "revoke" => Request::new("DELETE", &target),
            _ => Request::new("GET", "/admin/keys"),
        };
        assert_eq!(world.ask(request.key(&world.local_key)).await.status, 200);
        kept.again(&get("/v1/vector_stores/manual", &key), world.address).await;
        assert_eq!(kept.status, status, "{change}");
    }
}

#[tokio::test]
async fn a_key_that_expired_is_as_unknown() {
    let mut world = World::start("").await;
    let (id, key) = world.key(json!({ "name": "a", "expires_days": 1 })).await;
    assert_eq!(world.ask(get("/v1/models", &key)).await.status, 200);
    world.stop().await;
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the store opens");
    let changed = database.execute("UPDATE keys SET expires_at = 1 WHERE id = ?1", [&id]).expect("a key");
    assert_eq!(changed, 1);
    drop(database);
    world.run().await;
    let expired = world.ask(get("/v1/models", &key)).await;
    expired.error(401, "invalid_api_key");
    let unknown = world.ask(get("/v1/models", "sk-lastro-0123456789abcdef-0")).await;
    assert_eq!(expired.text(), unknown.text());
    let list = world.ask(get("/admin/keys", &world.local_key)).await.json();
    assert_eq!(list["data"][0]["status"], "expired");
}
