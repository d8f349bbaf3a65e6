//! Embeddings: of our model by us, of every other by upstream and byte for byte.

use serde_json::{Value, json};

use super::world::client::Request;
use super::world::model::{HeldBack, give_model, model_folder, with_model};
use super::world::{Reply, World};

const TARGETS: [&str; 2] = ["/v1/embeddings", "/c/manual/v1/embeddings"];

/// A server with the tiny model, which reads 64 tokens at most, and a collection.
async fn world(options: &str, model_settings: Value) -> World {
    let mut world = World::prepared("").await;
    let options = format!("{}\n{options}", give_model(&world));
    std::fs::write(model_folder(&world).join("lastro.json"), model_settings.to_string()).expect("writes");
    world.run_with(&options).await;
    world.ready().await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    world.upstream.forget();
    world
}

async fn ask(world: &World, target: &str, mut body: Value) -> Reply {
    body["model"] = "tiny-model".into();
    world.post(target, &[], body.to_string()).await
}

fn vectors(reply: &Reply) -> Vec<Vec<f64>> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let list = reply.json();
    assert_eq!((&list["object"], &list["model"]), (&"list".into(), &"tiny-model".into()));
    let data = list["data"].as_array().expect("a list");
    for (n, item) in data.iter().enumerate() {
        assert_eq!((&item["object"], &item["index"]), (&"embedding".into(), &n.into()));
    }
    let numbers = |item: &Value| {
        let numbers = item["embedding"].as_array().expect("numbers").iter();
        numbers.map(|number| number.as_f64().expect("a number")).collect()
    };
    data.iter().map(numbers).collect()
}

fn assert_near(a: &[f64], b: &[f64]) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
}

#[tokio::test]
async fn our_model_is_answered_for_here() {
    let world = world("", json!({})).await;
    for target in TARGETS {
        let one = ask(&world, target, json!({"input": "cats sat on mats"})).await;
        assert_eq!(one.header("content-type"), Some("application/json"));
        // Four words and two special tokens.
        assert_eq!(one.json()["usage"], json!({"prompt_tokens": 6, "total_tokens": 6}));
        let one = vectors(&one).remove(0);
        assert_eq!(one.len(), 16);
        assert!((one.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-5, "{one:?}");
        let fields = json!({"input": ["dogs run", "cats sat on mats"], "dimensions": 16, "user": "u",
            "encoding_format": "float"});
        let two = ask(&world, target, fields).await;
        assert_eq!(two.json()["usage"]["prompt_tokens"], 10);
        let two = vectors(&two);
        assert_near(&two[1], &one);
        let fields = json!({"input": "cats sat on mats", "encoding_format": "base64"});
        let bytes = ask(&world, target, fields).await.json()["data"][0]["embedding"].clone();
        // 16 numbers of 4 bytes are 64 bytes, which base64 writes as 88 letters.
        assert_eq!(bytes.as_str().map(str::len), Some(88));
    }
    assert!(world.upstream.requests().is_empty());
}

#[tokio::test]
async fn questions_and_documents_have_the_models_prefixes() {
    let world = world("", json!({"query_prefix": "dogs run ", "passage_prefix": "the "})).await;
    let of = async |input_type: Value| {
        let reply =
            ask(&world, "/v1/embeddings", json!({"input": "cats sat", "input_type": input_type})).await;
        (reply.json()["usage"]["prompt_tokens"].clone(), vectors(&reply).remove(0))
    };
    let document = of(Value::Null).await;
    assert_eq!(document.0, 5);
    for name in ["document", "passage"] {
        assert_near(&of(name.into()).await.1, &document.1);
    }
    let query = of("query".into()).await;
    assert_eq!(query.0, 6);
    assert_ne!(query.1, document.1);
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused_by_its_field() {
    let world = world("", json!({})).await;
    let many = vec!["cats"; 2049];
    // 63 words and two special tokens, where 64 is the most.
    let long = "cats ".repeat(63);
    let hidden = format!("{}cats", " ".repeat(2 << 20));
    for (fields, param, code, said) in [
        (json!({}), "input", "missing_required_parameter", "missing"),
        (json!({"input": []}), "input", "invalid_value", "1 to 2048"),
        (json!({"input": many}), "input", "invalid_value", "2049"),
        (json!({"input": ["cats", ""]}), "input[1]", "invalid_value", "empty"),
        (json!({"input": [17, 18]}), "input", "invalid_value", "check_embedding_ctx_length=False"),
        (json!({"input": [[17], [18]]}), "input", "invalid_value", "check_embedding_ctx_length=False"),
        (json!({"input": {"text": "cats"}}), "input", "invalid_type", "a list"),
        (json!({"input": ["cats", long]}), "input[1]", "context_length_exceeded", "65 tokens"),
        (json!({"input": long}), "input", "context_length_exceeded", "at most 64"),
        (json!({"input": hidden}), "input", "context_length_exceeded", "at least"),
        (json!({"input": "cats", "dimensions": 8}), "dimensions", "invalid_value", "have 16 numbers"),
        (json!({"input": "cats", "dimensions": -1}), "dimensions", "invalid_value", "whole number"),
        (
            json!({"input": "cats", "encoding_format": "ubinary"}),
            "encoding_format",
            "invalid_value",
            "base64",
        ),
        (json!({"input": "cats", "input_type": "classification"}), "input_type", "invalid_value", "query"),
        (
            json!({"input": "cats", "truncate_prompt_tokens": 65}),
            "truncate_prompt_tokens",
            "invalid_value",
            "reads at most 64",
        ),
        (
            json!({"input": "cats", "truncate_prompt_tokens": 0}),
            "truncate_prompt_tokens",
            "invalid_value",
            "-1",
        ),
        (json!({"input": "cats", "truncate": 4}), "truncate", "unknown_parameter", "not known"),
    ] {
        let reply = ask(&world, "/v1/embeddings", fields).await;
        let message = reply.error(400, code);
        assert!(message.contains(said), "{message}");
        let error = &reply.json()["error"];
        assert_eq!((&error["param"], &error["type"]), (&param.into(), &"invalid_request_error".into()));
    }
    let whole = "cats ".repeat(62);
    assert_eq!(
        ask(&world, "/v1/embeddings", json!({"input": whole})).await.json()["usage"]["total_tokens"],
        64
    );
    let target = "/c/nothing/v1/embeddings";
    ask(&world, target, json!({"input": "cats"})).await.error(404, "collection_not_found");
    assert!(world.upstream.requests().is_empty());
}

#[tokio::test]
async fn what_is_too_long_is_cut_where_that_is_asked_for() {
    let world = world("", json!({})).await;
    let long = "cats ".repeat(200);
    let embed = async |input: Value, most: Value| {
        let reply =
            ask(&world, "/v1/embeddings", json!({"input": input, "truncate_prompt_tokens": most})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        (vectors(&reply), reply.json()["usage"]["prompt_tokens"].as_u64().expect("a number"))
    };
    let (cut, tokens) = embed(json!([format!("dogs {long}"), "cats"]), json!(-1)).await;
    let (as_much, _) = embed(json!([format!("dogs {}", "cats ".repeat(61)), "cats"]), Value::Null).await;
    assert_eq!(tokens, 64 + 3);
    // The beginning stays.
    cut.iter().zip(&as_much).for_each(|(a, b)| assert_near(a, b));
    let ((few, tokens), (same, _)) = (
        embed(json!("dogs and cats sit on mats"), json!(4)).await,
        embed(json!("dogs and"), json!(64)).await,
    );
    assert_eq!(tokens, 4);
    assert_near(&few[0], &same[0]);
}

#[tokio::test]
async fn other_models_and_what_cannot_be_read_are_relayed_byte_for_byte() {
    let world = world("max_body_mib = 1", json!({})).await;
    let large = format!("{{\"model\":\"tiny-model\",\"input\":\"{}\"}}", "a".repeat(3 << 20));
    for body in [
        " {\"input\" : [[1,2]],\n\"model\":\"other\", \"x\":0.10, \"input\":1e400}",
        "{\"model\":\"tiny-model@manual\",\"input\":\"cats\"}",
        "{\"model\":\"tiny-model\",\"model\":\"other\",\"input\":\"cats\"}",
        "{\"input\":\"cats\"}",
        "{\"model\":null}",
        "\u{1f}\u{8b}compressed",
        "{\"model\":\"tiny-model\"",
        "",
        &large,
    ] {
        for target in TARGETS {
            assert_eq!(world.post(target, &[], body).await.status, 200);
            let arrived = world.upstream.last();
            assert_eq!(arrived.body, body.as_bytes(), "{target}");
            assert_eq!(arrived.target, "/v1/embeddings");
        }
    }
    let mut exchange = Request::new("POST", "/v1/embeddings").chunked().open(world.address).await;
    exchange.write(b"5\r\n{\"mod\r\n7\r\nel\":\"o\"\r\n1\r\n}\r\n0\r\n\r\n").await;
    exchange.read_head().await;
    assert_eq!((exchange.status, world.upstream.last().body), (200, b"{\"model\":\"o\"}".to_vec()));
    assert_eq!(world.get("/v1/embeddings").await.status, 200);
    assert_eq!(world.upstream.last().method, "GET");
}

#[tokio::test]
async fn our_model_is_listed_and_comes_before_upstreams_of_its_name() {
    let world = world("", json!({})).await;
    world
        .upstream
        .models(r#"{"object":"list","data":[{"id":"tiny-model","max_model_len":9}, {"id":"test-model"}]}"#);
    let list = world.get("/v1/models").await.json();
    let ours: Vec<&Value> =
        list["data"].as_array().expect("a list").iter().filter(|model| model["id"] == "tiny-model").collect();
    assert_eq!(ours.len(), 1, "{list}");
    assert_eq!((&ours[0]["owned_by"], &ours[0]["object"]), (&"lastro".into(), &"model".into()));
    assert!(ours[0]["created"].as_i64().is_some_and(|created| created > 1_700_000_000), "{list}");
    vectors(&ask(&world, "/v1/embeddings", json!({"input": "cats"})).await);
}

#[tokio::test]
async fn a_model_that_is_loading_says_when_to_come_back() {
    let mut world = World::prepared("").await;
    let options = give_model(&world);
    let tokenizer = HeldBack::new(model_folder(&world).join("tokenizer.json"));
    world.run_with(&options).await;
    let loading = ask(&world, "/v1/embeddings", json!({"input": "cats"})).await;
    let message = loading.error(503, "model_loading");
    assert!(message.contains("try again"), "{message}");
    assert_eq!(loading.header("retry-after"), Some("2"));
    ask(&world, "/v1/embeddings", json!({"input": ""})).await.error(400, "invalid_value");
    let listed = world.get("/v1/models").await.text();
    assert!(listed.contains("tiny-model"), "{listed}");
    tokenizer.write();
    world.ready().await;
    vectors(&ask(&world, "/v1/embeddings", json!({"input": "cats"})).await);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_said_and_not_listed() {
    let mut world = World::prepared("").await;
    std::fs::create_dir(model_folder(&world)).expect("a folder");
    let options = with_model(&world);
    world.run_with(&options).await;
    world.ready().await;
    let message =
        ask(&world, "/v1/embeddings", json!({"input": "cats"})).await.error(503, "model_unavailable");
    assert!(message.contains("/ready"), "{message}");
    let listed = world.get("/v1/models").await.text();
    assert!(!listed.contains("tiny-model"), "{listed}");
    assert!(world.upstream.requests().is_empty());
}

#[tokio::test]
async fn our_model_is_for_those_who_chat_and_others_for_those_who_relay() {
    let world = world("", json!({})).await;
    let (_, secret) = world.key(json!({"name": "chats", "scopes": ["chat"]})).await;
    let bearer = format!("Bearer {secret}");
    let ask = async |target: &str, model: &str| {
        let body = json!({"model": model, "input": "cats"}).to_string();
        world.post(target, &[("Authorization", &bearer)], body).await
    };
    assert_eq!(ask("/v1/embeddings", "tiny-model").await.status, 200);
    ask("/v1/embeddings", "other").await.error(403, "insufficient_scope");
    assert!(world.upstream.requests().is_empty());
}
