//! `/c/{collection}/v1`: all that is below `/v1`, for clients that can set nothing but a base address.

use lastro::api;
use serde_json::{Value, json};

use super::world::{Reply, Request, World, form, question_body};

async fn world() -> World {
    let world = World::with_manual("").await;
    world.upload("lamp", &[("lamp.txt", "The lamp is lit at dusk.")]).await;
    world
}

/// The names in a list of vector stores.
fn names(reply: &Reply) -> Vec<String> {
    let list = reply.json();
    let stores = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list}")).clone();
    stores.iter().map(|store| store["name"].as_str().expect("a name").to_owned()).collect()
}

/// A request that is in order but for the collection that stands in it.
fn request(api::Endpoint { method, path, .. }: &api::Endpoint, prefix: &str) -> Request {
    let segments = path.split('/').map(|segment| match segment {
        "{collection}" => "lamp",
        named if named.starts_with('{') => "nosuch",
        plain => plain,
    });
    let target = prefix.to_owned() + &segments.collect::<Vec<_>>().join("/");
    let body = match (method.as_str(), *path) {
        ("POST", path) if path.ends_with("/documents") || path == "/v1/files" => {
            return form(&target, &[("file", "a.txt", b"A note.")]);
        }
        ("POST", path) if path.ends_with("/search") => json!({ "query": "lamp" }),
        ("POST", path) if path.ends_with("/files") => json!({ "file_id": "file-x" }),
        ("POST", path) if path.ends_with("/{file}") => json!({ "attributes": {} }),
        ("POST", path) if path.ends_with("/file_batches") => json!({ "file_ids": ["file-x"] }),
        ("POST", path) if path.ends_with("/{collection}") => json!({ "metadata": {} }),
        _ => json!({}),
    };
    Request::new(method.as_str(), &target).json(body.to_string())
}

#[tokio::test]
async fn the_vector_stores_are_those_of_the_path() {
    let world = world().await;
    for (path, seen) in [
        ("/v1", vec!["lamp", "manual"]),
        ("/c/manual/v1", vec!["manual"]),
        ("/c/manual,lamp/v1", vec!["lamp", "manual"]),
        ("/c/lamp,%20lamp/v1/", vec!["lamp"]),
    ] {
        assert_eq!(names(&world.get(&format!("{path}/vector_stores")).await), seen, "{path}");
    }
    for path in ["/c/manual/v1", "/c/lamp,manual/v1"] {
        let store = format!("{path}/vector_stores/manual");
        assert_eq!(world.get(&store).await.json()["name"], "manual");
        let found = world.post(&format!("{store}/search"), &[], r#"{"query":"valve"}"#).await.json();
        assert_eq!(found["data"][0]["content"][0]["text"], "The valve is closed at noon.");
    }
    // By its id too, and in any spelling.
    let id = world.get("/v1/vector_stores/manual").await.json()["id"].as_str().expect("an id").to_owned();
    for target in [format!("/c/{id}/v1/vector_stores/manual"), format!("/c/manual/v1//vector_stores/{id}/")] {
        assert_eq!(world.get(&target).await.json()["id"], id.as_str(), "{target}");
    }
}

#[tokio::test]
async fn no_route_leads_from_one_collection_to_another() {
    let world = world().await;
    let mut routes: Vec<_> = api::routes().filter(|route| route.path.contains("{collection}")).collect();
    // The deletion of the collection itself comes last.
    routes.sort_by_key(|route| route.method == "DELETE" && route.path.ends_with("{collection}"));
    assert!(routes.len() > 15, "{routes:?}");
    for route in &routes {
        let reply = world.ask(request(route, "/c/manual")).await;
        let message = reply.error(404, "collection_not_found");
        assert!(message.contains("'lamp'"), "{route:?}: {message}");
    }
    // The requests are in order: what they ask for is there below its own collection.
    for route in &routes {
        let reply = world.ask(request(route, "/c/lamp")).await;
        assert!(!reply.text().contains("collection_not_found"), "{route:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn below_what_does_not_exist_there_is_nothing() {
    let world = world().await;
    let (_, key) = world
        .key(json!({ "name": "a", "scopes": ["chat", "relay", "ingest"], "collections": ["manual"] }))
        .await;
    let mut routes: Vec<_> = api::routes().filter(|route| route.path.starts_with("/v1/")).collect();
    routes.push(api::Endpoint { method: http::Method::GET, path: "/v1/things", scope: None });
    for route in &routes {
        let mut refusals = Vec::new();
        // Unknown and forbidden are the same; one of several that is missing is enough.
        for name in ["gone", "lamp", "manual,gone", "manual,lamp"] {
            let reply = world.ask(request(route, &format!("/c/{name}")).key(&key)).await;
            let message = reply.error(404, "collection_not_found");
            refusals.push(message.replace("gone", "it").replace("lamp", "it"));
        }
        refusals.dedup();
        assert_eq!(refusals.len(), 1, "{route:?}: {refusals:?}");
        let reply = world.ask(request(route, "/c/,").key(&key)).await;
        reply.error(400, "empty_collection_name");
    }
    assert!(world.upstream.heads().is_empty());
    // What is not below `/v1` is not there either.
    for target in ["/c/manual/health", "/c/manual/metrics", "/c/manual/admin/keys", "/c/manual/v1"] {
        let message = world.ask(Request::new("GET", target).key(&key)).await.error(404, "unknown_url");
        assert!(message.contains(target), "{message}");
    }
}

#[tokio::test]
async fn documents_come_in_and_no_collection_is_made() {
    let world = world().await;
    for body in ["{}", r#"{"name":"third"}"#] {
        let message = world.post("/c/manual/v1/vector_stores", &[], body).await;
        assert!(message.error(400, "not_below_a_collection").contains("/v1/vector_stores"));
    }
    let target = "/c/manual/v1/vector_stores/third/documents?create=true";
    let files: &[(&str, &str, &[u8])] = &[("file", "bell.txt", b"The bell rings twice.")];
    world.send_files(target, files).await.error(400, "not_below_a_collection");
    assert_eq!(names(&world.get("/v1/vector_stores").await), ["lamp", "manual"]);
    // Into the one of the path, in one call and in OpenAI's two.
    let target = "/c/manual/v1/vector_stores/manual/documents?create=true&wait=60";
    assert_eq!(world.send_files(target, files).await.json()["data"][0]["status"], "completed");
    let form = [("file", "key.txt", &b"The key hangs in the tower."[..]), ("purpose", "", b"assistants")];
    let file = world.send_files("/c/manual/v1/files", &form).await.json()["id"].clone();
    let file = file.as_str().expect("an id");
    // A file is its key's: it is the same with and without the collection, and in none by itself.
    let listed = async |target: &str| -> Vec<Value> {
        let list = world.get(target).await.json();
        list["data"].as_array().expect("a list").iter().map(|file| file["id"].clone()).collect()
    };
    assert_eq!(listed("/c/lamp/v1/files").await, listed("/v1/files").await);
    assert!(listed("/c/lamp/v1/files").await.contains(&file.into()));
    assert!(!listed("/c/manual/v1/vector_stores/manual/files").await.contains(&file.into()));
    assert_eq!(
        world.get(&format!("/c/manual/v1/files/{file}/content")).await.text(),
        "The key hangs in the tower."
    );
    let body = json!({ "file_id": file }).to_string();
    let attached = world.post("/c/manual/v1/vector_stores/manual/files", &[], body).await;
    assert_eq!((attached.status, &attached.json()["id"]), (200, &file.into()));
    assert!(listed("/c/manual/v1/vector_stores/manual/files").await.contains(&file.into()));
}

#[tokio::test]
async fn chats_and_what_they_leave_behind_are_there_too() {
    let world = world().await;
    for (path, collections) in [("manual", "manual"), ("manual,lamp", "manual,lamp")] {
        let target = format!("/c/{path}/v1/chat/completions");
        let reply = world.post(&target, &[], question_body("When is the valve closed?")).await;
        assert_eq!((reply.status, reply.header("x-rag-collection")), (200, Some(collections)));
        let trace = reply.header("x-rag-trace-id").expect("a trace");
        assert_eq!(world.get(&format!("/c/{path}/v1/rag/traces/{trace}")).await.json()["id"], trace);
        let preview =
            world.post(&format!("/c/{path}/v1/rag/preview"), &[], question_body("The valve?")).await;
        assert_eq!(preview.json()["collections"].as_array().map(Vec::len), Some(path.split(',').count()));
    }
    // Ways of choosing that disagree are told, as below /v1.
    let headers = [("X-RAG-Collection", "lamp")];
    for target in ["/c/manual/v1/chat/completions", "/c/manual/v1/rag/preview"] {
        let reply = world.post(target, &headers, question_body("The valve?")).await;
        reply.error(400, "conflicting_collections");
    }
}

/// What Open WebUI, LibreChat and others ask first.
#[tokio::test]
async fn models_are_listed_by_their_plain_names_for_who_may_chat() {
    let world = world().await;
    let key = async |name: &str, collections: &[&str]| {
        world.key(json!({ "name": name, "scopes": ["chat"], "collections": collections })).await.1
    };
    let (both, one) = (key("both", &["manual", "lamp"]).await, key("one", &["manual"]).await);
    let get = async |key: &str, target: &str| world.ask(Request::new("GET", target).key(key)).await;
    for path in ["/c/manual", "/c/manual,lamp"] {
        let list = get(&both, &format!("{path}/v1/models")).await.json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list}");
        assert_eq!(list["data"][0]["id"], "test-model");
        assert_eq!(get(&both, &format!("{path}/v1/models/test-model")).await.json(), list["data"][0]);
    }
    for (target, status) in [
        ("/v1/models/test-model@manual", 200),
        ("/v1/models/test-model@manual,lamp", 200),
        ("/c/manual/v1/models/test-model@manual", 200),
        ("/c/lamp,manual/v1/models/test-model@manual,lamp", 200),
        // A chat by that name would be refused there.
        ("/c/manual/v1/models/test-model@lamp", 404),
        ("/c/manual/v1/models/test-model@manual,lamp", 404),
        ("/v1/models/test-model@", 404),
        ("/v1/models/other", 404),
        ("/c/manual/v1/models/other", 404),
    ] {
        let reply = get(&both, target).await;
        assert_eq!(reply.status, status, "{target}: {}", reply.text());
        match status {
            200 => assert!(target.ends_with(reply.json()["id"].as_str().expect("an id")), "{target}"),
            _ => drop(reply.error(404, "model_not_found")),
        }
    }
    get(&one, "/v1/models/test-model@manual,lamp").await.error(404, "model_not_found");
    get(&one, "/c/lamp/v1/models").await.error(404, "collection_not_found");
    assert!(world.upstream.requests().is_empty(), "nothing but the list was asked for");
}
