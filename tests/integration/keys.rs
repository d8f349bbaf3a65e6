//! Keys: who has none gets nothing, who has one gets what it was made for, and none is ever passed on.

mod commands;
mod limits;
mod pages;
mod routes;
mod settings;
mod upstream;

use serde_json::json;

use super::world::{Request, World, question_body};

/// A question to a collection, or to none, with a key.
fn chat(collection: Option<&str>, key: &str) -> Request {
    let request =
        Request::new("POST", "/v1/chat/completions").json(question_body("When is the valve closed?"));
    let request = request.key(key);
    collection.into_iter().fold(request, |request, name| request.header("X-RAG-Collection", name))
}

fn get(target: &str, key: &str) -> Request {
    Request::new("GET", target).key(key)
}

#[tokio::test]
async fn the_first_key_closes_the_server_for_good() {
    let mut world = World::with_manual("").await;
    assert_eq!(world.get("/v1/vector_stores").await.status, 200);
    // Whoever reaches a server without keys must not be able to lock others out.
    let body = json!({ "name": "mine", "scopes": ["admin"] }).to_string();
    world.post("/admin/keys", &[], body.as_str()).await.error(403, "insufficient_scope");
    world.get("/admin/keys").await.error(403, "insufficient_scope");
    let (id, key) = world.key(json!({ "name": "first", "collections": ["manual"] })).await;
    world.get("/v1/vector_stores").await.error(401, "invalid_api_key");
    assert_eq!(world.ask(get("/v1/vector_stores", &key)).await.status, 200);
    assert_eq!(world.get("/health").await.status, 200);
    assert_eq!(world.get("/ready").await.status, 200);

    let revoked = Request::new("DELETE", &format!("/admin/keys/{id}")).key(&world.local_key);
    assert_eq!(world.ask(revoked).await.json()["deleted"], true);
    for _ in 0..2 {
        world.get("/v1/vector_stores").await.error(401, "invalid_api_key");
        world.ask(get("/v1/vector_stores", &key)).await.error(401, "invalid_api_key");
        world.post("/admin/keys", &[], body.as_str()).await.error(401, "invalid_api_key");
        world.restart("").await;
    }
    let list = world.ask(get("/admin/keys", &world.local_key)).await.json();
    assert_eq!((&list["data"][0]["status"], &list["data"][0]["name"]), (&json!("revoked"), &json!("first")));
    assert!(!list.to_string().contains("sk-lastro-"), "{list}");
}

#[tokio::test]
async fn keys_survive_a_restart_and_are_not_in_the_data_folder() {
    let mut world = World::with_manual("").await;
    let (_, key) =
        world.key(json!({ "name": "a", "collections": ["manual"], "default_collection": "manual" })).await;
    world.restart("").await;
    let reply = world.ask(chat(None, &key)).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("hit")));
    let proof = key.rsplit('-').next().expect("a key");
    for file in ["lastro.sqlite3", "lastro.sqlite3-wal"] {
        let bytes = std::fs::read(world.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(proof.len()).any(|part| part == proof.as_bytes()), "{file}");
    }
}

#[tokio::test]
async fn what_is_not_granted_does_not_exist() {
    let world = World::with_manual("").await;
    world.upload("secret", &[("plan.txt", "The lantern code is LX-9.")]).await;
    let stores = world.get("/v1/vector_stores").await.json();
    let secret_id = stores["data"].as_array().expect("a list").iter().find(|s| s["name"] == "secret");
    let secret_id = secret_id.expect("it is there")["id"].as_str().expect("an id").to_owned();
    let (id, key) =
        world.key(json!({ "name": "a", "scopes": ["chat", "ingest"], "collections": ["manual"] })).await;

    let guessed = secret_id.replace(|c: char| c.is_ascii_digit(), "7");
    let search = |target: &str| {
        Request::new("POST", &format!("/v1/vector_stores/{target}/search"))
            .json(r#"{"query":"lantern"}"#)
            .key(&key)
    };
    let plain = |request: Request, name: &str| {
        let world = &world;
        let name = name.to_owned();
        async move {
            let reply = world.ask(request).await;
            (reply.status, reply.text().replace(&name, "X"))
        }
    };
    for (foreign, unknown) in [("secret", "nosuch"), (secret_id.as_str(), guessed.as_str())] {
        for request in [
            |name: &str, key: &str| get(&format!("/v1/vector_stores/{name}"), key),
            |name: &str, key: &str| get(&format!("/v1/vector_stores/{name}/documents"), key),
            |name: &str, key: &str| Request::new("DELETE", &format!("/v1/vector_stores/{name}")).key(key),
            |name: &str, key: &str| chat(Some(name), key),
            |name: &str, key: &str| chat(None, key).header("X-RAG-Document", name),
        ] {
            let one = plain(request(foreign, &key), foreign).await;
            assert!(one.0 == 404 || one.0 == 400, "{one:?}");
            assert_eq!(one, plain(request(unknown, &key), unknown).await);
        }
        assert_eq!(plain(search(foreign), foreign).await, plain(search(unknown), unknown).await);
    }
    let listed = world.ask(get("/v1/vector_stores", &key)).await.text();
    assert!(listed.contains("manual") && !listed.contains("secret") && !listed.contains(&secret_id));
    let models = world.ask(get("/v1/models", &key)).await.text();
    assert!(models.contains("test-model@manual") && !models.contains("secret"), "{models}");

    // Granted, it is there at once.
    let body = json!({ "collections": ["secret"] }).to_string();
    let grant = Request::new("POST", &format!("/admin/keys/{id}/grants")).json(body).key(&world.local_key);
    assert_eq!(world.ask(grant).await.json()["collections"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.ask(chat(Some("secret"), &key)).await.header("x-rag-status"), Some("hit"));
}

#[tokio::test]
async fn who_makes_a_collection_sees_it() {
    let world = World::with_manual("").await;
    let (_, key) = world.key(json!({ "name": "a", "scopes": ["chat", "ingest"] })).await;
    let (_, other) = world.key(json!({ "name": "b", "scopes": ["chat", "ingest"] })).await;
    let (_, all) = world.key(json!({ "name": "c", "all_collections": true })).await;
    let made = Request::new("POST", "/v1/vector_stores").json(r#"{"name":"own"}"#).key(&key);
    let id = world.ask(made).await.json()["id"].as_str().expect("an id").to_owned();
    let target = format!("/v1/vector_stores/{id}");
    assert_eq!(world.ask(get(&target, &key)).await.status, 200);
    assert_eq!(world.ask(get(&target, &all)).await.status, 200);
    world.ask(get(&target, &other)).await.error(404, "collection_not_found");
}

#[tokio::test]
async fn traces_are_for_the_key_that_asked() {
    let world = World::with_manual("").await;
    let wanted = |name: &str| json!({ "name": name, "collections": ["manual"] });
    let (_, key) = world.key(wanted("a")).await;
    let (_, other) = world.key(wanted("b")).await;
    let reply = world.ask(chat(Some("manual"), &key)).await;
    let trace = format!("/v1/rag/traces/{}", reply.header("x-rag-trace-id").expect("a trace"));
    assert_eq!(world.ask(get(&trace, &key)).await.status, 200);
    assert_eq!(world.ask(get(&trace, &world.local_key)).await.status, 200);
    let foreign = world.ask(get(&trace, &other)).await;
    foreign.error(404, "trace_not_found");
    let digit = if trace.ends_with('0') { "1" } else { "0" };
    let guessed = format!("{}{digit}", &trace[..trace.len() - 1]);
    let unknown = world.ask(get(&guessed, &other)).await;
    let id = |target: &str| target.rsplit('/').next().expect("an id").to_owned();
    assert_eq!(foreign.text().replace(&id(&trace), "X"), unknown.text().replace(&id(&guessed), "X"));
}

#[tokio::test]
async fn a_keys_default_comes_before_the_servers_and_gives_way() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    world.upload("lamp", &[("lamp.txt", "The valve of the lamp is closed at dawn.")]).await;
    world.upload("third", &[("third.txt", "The valve is a third one.")]).await;
    let (_, own) =
        world.key(json!({ "name": "a", "default_collection": "lamp", "collections": ["third"] })).await;
    let (_, none) = world.key(json!({ "name": "b" })).await;
    let (_, all) = world.key(json!({ "name": "c", "all_collections": true })).await;
    for (request, collection) in [
        (chat(None, &own), Some("lamp")),
        (chat(Some("third"), &own), Some("third")),
        (chat(None, &all), Some("manual")),
        // The server's default does not exist for this key: nothing is chosen, and nothing is said.
        (chat(None, &none), None),
    ] {
        let reply = world.ask(request).await;
        assert_eq!((reply.status, reply.header("x-rag-collection")), (200, collection));
        assert_eq!(reply.header("x-rag-status"), collection.map(|_| "hit"));
    }
    let gone = Request::new("DELETE", "/v1/vector_stores/lamp").key(&world.local_key);
    assert_eq!(world.ask(gone).await.status, 200);
    assert_eq!(world.ask(chat(None, &own)).await.header("x-rag-status"), None);
}

#[tokio::test]
async fn keys_that_make_no_sense_are_refused() {
    let world = World::with_manual("").await;
    world.key(json!({ "name": "taken" })).await;
    for (wanted, status, code) in [
        (json!({ "name": "taken" }), 409, "name_taken"),
        (json!({ "name": "" }), 400, "invalid_value"),
        (json!({ "name": "key_1" }), 400, "invalid_value"),
        (json!({ "name": "a\nb" }), 400, "invalid_value"),
        (json!({ "name": "a", "scopes": ["read"] }), 400, "invalid_value"),
        (json!({ "name": "a", "scopes": [] }), 400, "invalid_value"),
        (json!({ "name": "a", "collections": ["nosuch"] }), 404, "collection_not_found"),
        (json!({ "name": "a", "default_collection": "nosuch" }), 404, "collection_not_found"),
        (json!({ "name": "a", "expires_days": 0 }), 400, "invalid_value"),
        (json!({ "name": "a", "expires_days": 999_999 }), 400, "invalid_value"),
        (json!({ "name": "a", "limits": { "streams": 0 } }), 400, "invalid_value"),
        (json!({ "name": "a", "limits": { "most": 1 } }), 400, "unknown_parameter"),
        (json!({ "name": "a", "limits": { "streams": "many" } }), 400, "invalid_type"),
        (json!({ "name": "a", "secret": "sk-lastro-x" }), 400, "unknown_parameter"),
        (json!({}), 400, "missing_required_parameter"),
    ] {
        let request = Request::new("POST", "/admin/keys").json(wanted.to_string()).key(&world.local_key);
        world.ask(request).await.error(status, code);
    }
    for (method, target, body) in [
        ("DELETE", "/admin/keys/nosuch", ""),
        ("POST", "/admin/keys/nosuch/grants", r#"{"collections":["manual"]}"#),
    ] {
        let request = Request::new(method, target).json(body).key(&world.local_key);
        world.ask(request).await.error(404, "key_not_found");
    }
    let list = world.ask(get("/admin/keys", &world.local_key)).await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "nothing was half made: {list}");
}
