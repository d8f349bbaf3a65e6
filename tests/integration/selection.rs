//! Which collection and which documents a chat is about: path, header, model name, the server's default.

use serde_json::{Value, json};

use super::world::{Reply, World, question_body};

async fn two_collections(options: &str) -> World {
    let world = World::start(options).await;
    world
        .upload(
            "pumps",
            &[("pump.txt", "The pump has the code KX-1."), ("old.txt", "The old pump had KX-0.")],
        )
        .await;
    world.upload("boats", &[("boat.txt", "The boat has the code ZB-2.")]).await;
    world
}

fn body(model: &str) -> String {
    question_body("Which code does it have?").replace("test-model", model)
}

/// Headers of a request.
type Headers = &'static [(&'static str, &'static str)];

/// The passages that went upstream.
fn seen(world: &World) -> (bool, bool) {
    let sent = world.upstream.last().text();
    (sent.contains("KX-1"), sent.contains("ZB-2"))
}

#[tokio::test]
async fn each_way_to_name_a_collection_works_and_the_explicit_ones_win() {
    let world = two_collections("default_collection = \"boats\"").await;
    let id = world.get("/v1/vector_stores/pumps").await.json()["id"].as_str().expect("an id").to_owned();
    let by_id = format!("/c/{id}/v1/chat/completions");
    let (plain, by_path) = ("/v1/chat/completions", "/c/pumps/v1/chat/completions");
    let cases = [
        (plain, &[][..], "test-model", "boats"),
        (by_path, &[], "test-model", "pumps"),
        (&by_id, &[], "test-model", "pumps"),
        (plain, &[("X-RAG-Collection", "pumps")], "test-model", "pumps"),
        (plain, &[("x-rag-collection", id.as_str())], "test-model", "pumps"),
        (plain, &[], "test-model@pumps", "pumps"),
        (plain, &[], "another/model:7b@pumps", "pumps"),
        (by_path, &[("X-RAG-Collection", &id)], "test-model@pumps", "pumps"),
        (plain, &[("X-RAG-Collection", " boats , pumps,")], "test-model", "boats,pumps"),
        ("/c/pumps,boats/v1/chat/completions", &[], "test-model", "pumps,boats"),
        (plain, &[], "test-model@pumps,boats", "pumps,boats"),
    ];
    for (target, headers, model, chosen) in cases {
        let reply = world.post(target, headers, body(model)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-rag-collection"), Some(chosen), "{target} {headers:?} {model}");
        assert_eq!(reply.header("x-rag-status"), Some("hit"));
        assert_eq!(
            seen(&world),
            (chosen.contains("pumps"), chosen.contains("boats")),
            "{target} {headers:?} {model}"
        );
        let sent = world.upstream.last();
        assert_eq!(sent.target, plain);
        assert_eq!(sent.json()["model"], model.split('@').next().expect("a name"));
    }
}

/// As some clients write it in JSON.
#[tokio::test]
async fn the_at_sign_may_be_escaped() {
    let world = two_collections("").await;
    let reply = world.post("/v1/chat/completions", &[], body("test-model\\u0040pumps")).await;
    assert_eq!((reply.status, reply.header("x-rag-collection")), (200, Some("pumps")));
    assert_eq!(world.upstream.last().json()["model"], "test-model");
}

#[tokio::test]
async fn names_that_disagree_or_are_unknown_are_errors() {
    let world = two_collections("").await;
    let plain = "/v1/chat/completions";
    let cases: [(&str, Headers, &str, u16, &str); 18] = [
        (
            "/c/pumps/v1/chat/completions",
            &[("X-RAG-Collection", "boats")],
            "m",
            400,
            "conflicting_collections",
        ),
        (plain, &[("X-RAG-Collection", "boats")], "m@pumps", 400, "conflicting_collections"),
        ("/c/pumps/v1/chat/completions", &[], "m@boats", 400, "conflicting_collections"),
        ("/c/nowhere/v1/chat/completions", &[], "m", 404, "collection_not_found"),
        (plain, &[("X-RAG-Collection", "nowhere")], "m", 404, "collection_not_found"),
        (plain, &[("X-RAG-Collection", "pumps,nowhere")], "m", 404, "collection_not_found"),
        (plain, &[], "test-model@nowhere", 404, "collection_not_found"),
        (plain, &[], "test-model@pumps,nowhere", 404, "collection_not_found"),
        (plain, &[], "m@pumps,nowhere", 404, "collection_not_found"),
        (plain, &[], "test-model@", 400, "empty_collection_name"),
        (plain, &[("X-RAG-Collection", "")], "m", 400, "empty_collection_name"),
        (plain, &[("X-RAG-Collection", "pumps"), ("X-RAG-Collection", "boats")], "m", 400, "invalid_header"),
        (plain, &[("X-RAG-Collection", "%ff")], "m", 400, "invalid_header"),
        (plain, &[("X-RAG-Document", "pump.txt")], "m", 400, "document_without_collection"),
        (plain, &[("X-RAG-Document", "boat.txt")], "m@pumps", 404, "document_not_found"),
        (plain, &[("X-RAG-K", "0")], "m@pumps", 400, "invalid_header"),
        (plain, &[("X-RAG-K", "many")], "m@pumps", 400, "invalid_header"),
        (plain, &[("X-RAG", "maybe")], "m@pumps", 400, "invalid_header"),
    ];
    for (target, headers, model, status, code) in cases {
        world.post(target, headers, body(model)).await.error(status, code);
    }
    assert!(world.upstream.requests().is_empty(), "refused requests went upstream");
}

#[tokio::test]
async fn a_default_that_is_missing_gives_a_plain_relay() {
    let world = World::start("default_collection = \"later\"").await;
    let reply = world.post("/v1/chat/completions", &[], body("test-model")).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("error")));
    assert_eq!(world.upstream.last().text(), body("test-model"));
}

#[tokio::test]
async fn a_model_of_upstreams_own_with_an_at_sign_wins() {
    let world = two_collections("").await;
    world.upstream.models(r#"{"data":[{"id":"org@pumps","max_model_len":8192},{"id":"test-model"}]}"#);
    let plain = world.post("/v1/chat/completions", &[], body("org@pumps")).await;
    // What was learnt of the models at the start is believed for a while: a fresh server knows the list.
    let world = {
        let mut world = world;
        world.restart("").await;
        world
    };
    let reply = world.post("/v1/chat/completions", &[], body("org@pumps")).await;
    assert_eq!((plain.status, reply.status), (200, 200));
    assert_eq!(reply.header("x-rag-status"), None);
    assert_eq!(world.upstream.last().text(), body("org@pumps"));
}

/// Names of models as Vertex and Cloudflare have them, and a slip that only upstream can tell.
const WITH_AN_AT_SIGN: [&str; 4] =
    ["claude-3-5-sonnet@20240620", "@cf/meta/llama-3.1-8b-instruct", "other@nowhere", "other@"];

async fn is_relayed(world: &World, model: &str, headers: &[(&str, &str)]) {
    let reply = world.post("/v1/chat/completions", headers, body(model)).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, None), "{model}: {}", reply.text());
    assert_eq!(world.upstream.last().text(), body(model));
}

#[tokio::test]
async fn an_at_sign_that_names_no_collection_is_upstreams() {
    let mut world = two_collections("").await;
    for model in WITH_AN_AT_SIGN {
        is_relayed(&world, model, &[]).await;
    }
    // What is chosen otherwise is grounded under that name, and so is a default.
    let pumps = [("X-RAG-Collection", "pumps")];
    for model in WITH_AN_AT_SIGN {
        world.post("/v1/chat/completions", &pumps, body(model)).await;
        assert_eq!(
            (seen(&world), world.upstream.last().json()["model"].clone()),
            ((true, false), model.into())
        );
    }
    world.restart("default_collection = \"boats\"").await;
    let reply = world.post("/v1/chat/completions", &[], body(WITH_AN_AT_SIGN[0])).await;
    assert_eq!((reply.header("x-rag-collection"), seen(&world)), (Some("boats"), (false, true)));
    assert_eq!(world.upstream.last().json()["model"], WITH_AN_AT_SIGN[0]);
    let reply = world.post("/v1/chat/completions", &[], body("test-model@nowhere")).await;
    reply.error(404, "collection_not_found");
}

#[tokio::test]
async fn a_forbidden_collection_behind_a_model_is_an_unknown_one() {
    let world = two_collections("").await;
    let (_, key) = world.key(json!({ "name": "a", "collections": ["boats"] })).await;
    let authorization = format!("Bearer {key}");
    let headers = [("Authorization", authorization.as_str())];
    let ask = async |model: &str| world.post("/v1/chat/completions", &headers, body(model)).await;
    let [forbidden, unknown] = [ask("test-model@pumps").await, ask("test-model@nowhere").await];
    let message = forbidden.error(404, "collection_not_found");
    assert_eq!(message.replace("pumps", "nowhere"), unknown.error(404, "collection_not_found"));
    for model in ["other@pumps", "other@nowhere"] {
        let reply = ask(model).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, None));
        assert_eq!(world.upstream.last().text(), body(model));
    }
    assert_eq!(ask("other@boats").await.header("x-rag-collection"), Some("boats"));
}

#[tokio::test]
async fn without_the_whole_list_of_models_upstream_says_which_exist() {
    const KEY: &str = "Bearer sk-of-a-client";
    let mut world = World::prepared("").await;
    world.upstream.models_need(KEY);
    world.run().await;
    world.upload("pumps", &[("pump.txt", "The pump has the code KX-1.")]).await;
    // Nobody was told.
    is_relayed(&world, "test-model@nowhere", &[]).await;
    // One was told all that it may use, and another may use more.
    let (keyed, other) = ([("Authorization", KEY)], [("Authorization", "Bearer sk-of-another")]);
    let reply = world.post("/v1/chat/completions", &keyed, body("test-model@nowhere")).await;
    reply.error(404, "collection_not_found");
    is_relayed(&world, "test-model@nowhere", &other).await;
    for headers in [&[][..], &keyed, &other] {
        let reply = world.post("/v1/chat/completions", headers, body("test-model@pumps")).await;
        assert_eq!(reply.header("x-rag-collection"), Some("pumps"));
    }
}

#[tokio::test]
async fn models_are_listed_with_every_collection() {
    let world = two_collections("").await;
    let list = world.get("/v1/models").await;
    let list: Value = list.json();
    let mut ids: Vec<&str> =
        list["data"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    ids.sort();
    assert_eq!(ids, ["test-model", "test-model@boats", "test-model@pumps"]);
    assert!(list["data"].as_array().expect("a list").iter().all(|m| m["max_model_len"] == 8192));
}

#[tokio::test]
async fn off_takes_our_own_parts_away_and_grounds_nothing() {
    let world = two_collections("").await;
    let reply = world.post("/v1/chat/completions", &[("X-RAG", "off")], body("test-model@pumps")).await;
    assert_eq!(reply.header("x-rag-status"), Some("off"));
    assert_eq!(reply.header("x-rag-hits"), Some("0"));
    assert_eq!(world.upstream.last().text(), body("test-model"));
    let reply = world.post("/v1/chat/completions", &[("X-RAG", "off")], body("test-model")).await;
    assert_eq!((reply.status, world.upstream.last().text()), (200, body("test-model")));
}

async fn about(world: &World, documents: &str) -> Reply {
    let headers = [("X-RAG-Document", documents)];
    world.chat("pumps,boats", "Which code does it have?", &headers).await
}

#[tokio::test]
async fn documents_are_named_by_id_or_name() {
    let world = two_collections("").await;
    world.upload("pumps", &[("relatório, final.txt", "The report has the code RF-3.")]).await;
    let documents = world.get("/v1/vector_stores/pumps/documents").await.json();
    let id = documents["data"][0]["id"].as_str().expect("an id").to_owned();
    for (named, present, absent) in [
        ("pump.txt", &["KX-1"][..], &["KX-0", "ZB-2", "RF-3"][..]),
        (id.as_str(), &["KX-1"], &["KX-0", "ZB-2", "RF-3"]),
        ("pump.txt, boat.txt", &["KX-1", "ZB-2"], &["KX-0", "RF-3"]),
        ("relatório, final.txt", &["RF-3"], &["KX-1", "KX-0", "ZB-2"]),
        ("relat%C3%B3rio%2C%20final.txt", &["RF-3"], &["KX-1", "KX-0", "ZB-2"]),
    ] {
        let reply = about(&world, named).await;
        assert_eq!(reply.header("x-rag-status"), Some("hit"), "{named}: {}", reply.text());
        let sent = world.upstream.last().text();
        assert!(present.iter().all(|code| sent.contains(code)), "{named}: {sent}");
        assert!(!absent.iter().any(|code| sent.contains(code)), "{named}: {sent}");
    }
    about(&world, "nothing.txt").await.error(404, "document_not_found");
    // Also when a search is needed, nothing else is found.
    let headers = [("X-RAG-Document", "old.txt"), ("X-RAG-K", "5")];
    world.chat("pumps", "Which code does the pump have?", &headers).await;
    let sent = world.upstream.last().text();
    assert!(sent.contains("KX-0") && !sent.contains("KX-1"), "{sent}");
}

#[tokio::test]
async fn the_number_of_passages_is_the_clients_the_collections_or_the_servers() {
    let world = World::start_with("passages = 2\nwindow = 2000", |collections| {
        for (name, settings) in [("own", "passages = 4"), ("plain", "")] {
            let folder = collections.join(name);
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join("collection.toml"), settings).expect("settings");
            for n in 0..24 {
                let text =
                    format!("Number {n} of the pumps is painted. {}", "It stands in a hall. ".repeat(20));
                std::fs::write(folder.join(format!("{n:02}.txt")), text).expect("a document");
            }
        }
    })
    .await;
    for name in ["own", "plain"] {
        super::folders::settled(&world, name, 24).await;
    }
    for (collection, headers, hits) in [
        ("plain", &[][..], "2"),
        ("own", &[], "4"),
        ("own", &[("X-RAG-K", "3")], "3"),
        ("plain", &[("X-RAG-K", "5")], "5"),
    ] {
        let reply = world.chat(collection, "Which pumps are painted?", headers).await;
        assert_eq!(reply.header("x-rag-hits"), Some(hits), "{collection} {headers:?}");
        assert_eq!(reply.header("x-rag-status"), Some("lexical"));
    }
    let body = json!({ "query": "pumps painted", "max_num_results": 7 }).to_string();
    let found = world.post("/v1/vector_stores/plain/search", &[], body).await.json();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(7));
}
