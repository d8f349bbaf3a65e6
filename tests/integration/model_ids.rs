//! `GET /v1/models/{id}`: what the list has, and nothing of what others have.

use serde_json::{Value, json};

use super::world::model::give_model;
use super::world::upstream::json_answer;
use super::world::{Request, World};

const LIST: &str = r#"{"object":"list","data":[{"id":"org/qwen","object":"model","created":7,"owned_by":"vllm","max_model_len":4096},{"id":"other@v1","object":"model"}]}"#;

async fn world() -> World {
    let mut world = World::prepared("").await;
    let options = give_model(&world);
    world.run_with(&options).await;
    world.ready().await;
    world.upstream.models(LIST);
    world.upstream.play(json_answer("404 Not Found", r#"{"detail":"Not Found"}"#));
    world.upload("manual", &[("a.txt", "Alpha.")]).await;
    world
}

#[tokio::test]
async fn every_listed_model_is_told_of_as_the_list_has_it() {
    let world = world().await;
    let list = world.get("/v1/models").await.json();
    let listed = list["data"].as_array().expect("a list");
    let ids: Vec<&str> = listed.iter().map(|model| model["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["org/qwen", "other@v1", "org/qwen@manual", "other@v1@manual", "tiny-model"]);
    for model in listed {
        let id = model["id"].as_str().expect("an id");
        for spelled in [id.to_owned(), id.replace('/', "%2F"), id.replace('@', "%40")] {
            let reply = world.get(&format!("/v1/models/{spelled}")).await;
            assert_eq!(reply.status, 200, "{spelled}: {}", reply.text());
            assert_eq!(&reply.json(), model);
        }
    }
    // By the collection's id too, as in chats.
    let store = world.get("/v1/vector_stores/manual").await.json()["id"].as_str().expect("an id").to_owned();
    let id = format!("org/qwen@{store}");
    assert_eq!(world.get(&format!("/v1/models/{id}")).await.json()["id"], id);
    assert!(world.upstream.requests().is_empty(), "nothing else was asked of the LLM server");
}

#[tokio::test]
async fn every_other_model_is_the_llm_servers() {
    let world = world().await;
    for id in ["nothing", "no%40where", "gone@manual", "tiny-model/x"] {
        let target = format!("/v1/models/{id}");
        let reply = world.get(&target).await;
        assert_eq!((reply.status, reply.text()), (404, r#"{"detail":"Not Found"}"#.to_owned()), "{id}");
        assert_eq!(world.upstream.last().target, target);
    }
    world.delete("/v1/models/tiny-model").await;
    let last = world.upstream.last();
    assert_eq!((last.method.as_str(), last.target.as_str()), ("DELETE", "/v1/models/tiny-model"));
}

#[tokio::test]
async fn unknown_and_forbidden_are_the_same() {
    let world = world().await;
    let mut keys = Vec::new();
    for (name, collections) in [("sees", vec!["manual"]), ("blind", vec![])] {
        keys.push(world.key(json!({"name": name, "scopes": ["chat"], "collections": collections})).await.1);
    }
    let ask = async |key: &str, id: &str| {
        world.ask(Request::new("GET", &format!("/v1/models/{id}")).key(key)).await
    };
    assert_eq!(ask(&keys[0], "org/qwen@manual").await.json()["owned_by"], "vllm");
    let refusal = async |id: &str| -> Value {
        let message = ask(&keys[1], id).await.error(404, "model_not_found");
        message.replace(id, "it").into()
    };
    assert_eq!(refusal("org/qwen@manual").await, refusal("org/qwen@nothing").await);
    // What is listed is for who chats, and what is not for who relays.
    for key in &keys {
        assert_eq!(ask(key, "tiny-model").await.status, 200);
        assert_eq!(ask(key, "org/qwen").await.json()["max_model_len"], 4096);
        ask(key, "nothing").await.error(404, "model_not_found");
    }
    assert!(world.upstream.requests().is_empty());
}

#[tokio::test]
async fn collections_of_one_name_are_listed_by_their_ids() {
    let world = world().await;
    let mut stores = Vec::new();
    for _ in 0..2 {
        let made = world.post("/v1/vector_stores", &[], r#"{"name":"twin"}"#).await.json();
        stores.push(made["id"].as_str().expect("an id").to_owned());
    }
    let list = world.get("/v1/models").await.json();
    let listed = list["data"].as_array().expect("a list");
    let ids: Vec<&str> = listed.iter().map(|model| model["id"].as_str().expect("an id")).collect();
    let [one, two] = [0, 1].map(|n| format!("org/qwen@{}", stores[n]));
    assert_eq!(&ids[2..6], ["org/qwen@manual", one.as_str(), two.as_str(), "other@v1@manual"]);
    for id in &ids[2..] {
        assert_eq!(world.get(&format!("/v1/models/{id}")).await.json()["id"], *id);
    }
}
