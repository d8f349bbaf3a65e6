//! No key of ours goes upstream or into a log, whatever way a request takes.

use serde_json::json;

use super::super::world::upstream::json_answer;
use super::super::world::{Piece, Request, World, question_body};

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// A request for every way upstream.
fn ways() -> Vec<Request> {
    let question = question_body("When is the valve closed?");
    let named = question.replace("test-model", "test-model@manual");
    let mut ways: Vec<Request> = [
        ("POST", "/v1/chat/completions", question.as_str()),
        ("POST", "/v1/chat/completions", &named),
        ("POST", "/c/manual/v1/chat/completions", &question),
        ("POST", "/v1/rag/preview", &named),
        ("POST", "/v1/responses", r#"{"model":"test-model","input":"q"}"#),
        ("POST", "/v1/embeddings", r#"{"model":"other","input":"q"}"#),
        ("POST", "/v1/completions", "{}"),
        ("GET", "/v1/models", ""),
        ("DELETE", "/v1/models/x", ""),
        ("GET", "/c/manual/v1/models", ""),
        ("PUT", "/v1/anything?key=1", "bytes"),
    ]
    .map(|(method, target, body)| Request::new(method, target).json(body))
    .into();
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    ways.push(Request::new("GET", "/v1/realtime").headers(&upgrade));
    ways
}

async fn nothing_of_it_went_upstream(world: &World, key: &str, authorization: Option<&str>) {
    let proof = key.rsplit('-').next().expect("a key");
    for extra in [None, Some("X-Api-Key"), Some("Cookie"), Some("X-Request-Id")] {
        for request in ways() {
            world.upstream.forget();
            let request = request.key(key);
            let request = extra.into_iter().fold(request, |request, name| request.header(name, key));
            request.send(world.address).await;
            for sent in world.upstream.everything().iter().chain(&world.upstream.heads()) {
                let all = format!("{sent:?} {}", sent.text());
                assert!(!all.contains(proof) && !all.contains("sk-lastro"), "{all}");
                assert_eq!(sent.header("authorization"), authorization, "{all}");
            }
        }
    }
    // The ways do lead there.
    world.upstream.forget();
    for request in ways() {
        request.key(key).send(world.address).await;
    }
    assert!(world.upstream.heads().len() > 7, "{}", world.upstream.heads().len());
}

#[tokio::test]
async fn a_key_stays_here() {
    for (options, authorization) in [("", None), ("upstream_key = \"theirs\"", Some("Bearer theirs"))] {
        let world = World::with_manual(options).await;
        world.upstream.play_at("/v1/realtime", vec![Piece::Bytes(SWITCH.to_vec()), Piece::Echo]);
        world.upstream.tokenize(|_| r#"{"count":7}"#.to_owned());
        // Without keys, the local one of a command.
        nothing_of_it_went_upstream(&world, &world.local_key.clone(), authorization).await;
        let (_, key) = world.key(json!({ "name": "a", "scopes": ["admin"] })).await;
        nothing_of_it_went_upstream(&world, &key, authorization).await;
    }
}

#[tokio::test]
async fn without_keys_the_clients_own_authorization_is_passed_on() {
    let world = World::start("").await;
    for value in ["Bearer theirs", "Basic dTpw"] {
        world.ask(Request::new("POST", "/v1/completions").header("Authorization", value)).await;
        assert_eq!(world.upstream.last().header("authorization"), Some(value));
    }
    world.ask(Request::new("POST", "/v1/completions").key("sk-lastro-0123456789abcdef-0")).await;
    assert_eq!(world.upstream.last().header("authorization"), None);
    // With keys, what is not one of them is not let in, and so goes nowhere.
    world.key(json!({ "name": "a" })).await;
    world.upstream.forget();
    world.ask(Request::new("POST", "/v1/completions").key("theirs")).await.error(401, "invalid_api_key");
    assert!(world.upstream.heads().is_empty());
}

#[tokio::test]
async fn nothing_of_a_key_is_logged() {
    let (mut world, program, log) = World::logged_program("").await;
    let file = std::fs::read(world.data().join("server.json")).expect("the server's file");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    world.local_key = file["key"].as_str().expect("the local key").to_owned();
    world
        .ask(Request::new("POST", "/v1/vector_stores").json(r#"{"name":"manual"}"#).key(&world.local_key))
        .await;
    let (id, key) = world.key(json!({ "name": "a", "scopes": ["admin"] })).await;
    world.upstream.play(json_answer("500 Oops", "{}"));
    let wrong = format!("{}x", key);
    for presented in [&key, &wrong] {
        for request in ways() {
            request.key(presented).send(world.address).await;
        }
        let broken = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {presented}\r\nbroken\r\n\r\n");
        Request::raw(broken).open(world.address).await.until_closed().await;
    }
    assert_eq!(world.ask(Request::new("DELETE", &format!("/admin/keys/{id}")).key(&key)).await.status, 200);
    program.terminate().await;
    assert!(program.ended().await.success());
    let log = std::fs::read_to_string(log).expect("the log");
    assert!(log.contains(&id), "what is done with keys is logged: {log}");
    for secret in [&key, &world.local_key] {
        let proof = secret.rsplit('-').next().expect("a key");
        assert!(!log.contains(proof) && !log.contains("sk-lastro"), "{log}");
    }
}
