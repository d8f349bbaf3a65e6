//! What is known of upstream's models when it tells them late, not at all, or only to whoever has a key.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::world::upstream::{json_answer, vllm_models};
use super::world::{Piece, Reply, Request, World, eventually, long_document};

const MODELS: &str = "/v1/models";
const KEY: &str = "Bearer sk-of-a-client";

async fn world(options: &str, prepare: impl FnOnce(&World)) -> World {
    let mut world = World::prepared(options).await;
    prepare(&world);
    world.run().await;
    world.upload("manual", &[("station.md", &long_document(40))]).await;
    world
}

/// A question of which a window of 620 tokens has no room for passages.
async fn ask(world: &World, model: &str, headers: &[(&str, &str)]) -> Reply {
    let question = "Which code do the rules for topic5 give?";
    let body =
        json!({ "model": model, "max_tokens": 500, "messages": [{ "role": "user", "content": question }] });
    let request = Request::new("POST", "/v1/chat/completions").headers(&[("X-RAG-Collection", "manual")]);
    let reply = world.ask(request.headers(headers).json(body.to_string())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

async fn status(world: &World, headers: &[(&str, &str)]) -> String {
    ask(world, "test-model", headers).await.header("x-rag-status").expect("a status").to_owned()
}

#[tokio::test]
async fn a_list_that_cannot_be_had_now_leaves_the_last_one() {
    let world = world("", |world| world.upstream.models(&vllm_models(620))).await;
    assert_eq!(status(&world, &[]).await, "no_room");
    let page = "<html>Bad Gateway</html>";
    for (answer, body) in [
        ("502 Bad Gateway", page),
        ("503 Service Unavailable", ""),
        ("500 Internal Server Error", "{\"data\":[]}"),
        ("401 Unauthorized", "{}"),
        ("403 Forbidden", "{}"),
        ("429 Too Many Requests", "{}"),
        ("404 Not Found", page),
        ("200 OK", page),
    ] {
        world.upstream.play_models(json_answer(answer, body));
        let before = world.upstream.asked(MODELS);
        // Whoever looks at it has it asked anew.
        eventually(|| async {
            world.get("/ready").await;
            (world.upstream.asked(MODELS) > before).then_some(())
        })
        .await;
        assert_eq!(status(&world, &[]).await, "no_room", "{answer}");
    }
    world.upstream.play_models(vec![Piece::Die]);
    world.get("/ready").await;
    assert_eq!(status(&world, &[]).await, "no_room");
    // What is told again is believed.
    world.upstream.models(&vllm_models(32_000));
    eventually(|| async {
        world.get("/ready").await;
        (status(&world, &[]).await == "hit").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_clients_key_opens_the_list_for_its_chats() {
    let world = world("", |world| {
        world.upstream.models(&vllm_models(620));
        world.upstream.models_need(KEY);
    })
    .await;
    let upstream = world.ready().await["upstream"].clone();
    assert_eq!((&upstream["status"], &upstream["models"]), (&"asks_for_key".into(), &json!(null)));
    // Nobody told, and another's key tells nothing.
    for headers in [&[][..], &[("Authorization", "Bearer sk-of-another")]] {
        assert_eq!(status(&world, headers).await, "lexical");
    }
    let keyed = &[("Authorization", KEY)];
    assert_eq!(status(&world, keyed).await, "no_room");
    let asked = world.upstream.asked(MODELS);
    assert_eq!(status(&world, keyed).await, "no_room");
    assert_eq!(world.upstream.asked(MODELS), asked, "what is known is not asked for");
    // The window is no secret; the key is nobody else's.
    assert_eq!(status(&world, &[]).await, "no_room");
    assert_eq!(world.upstream.last().header("authorization"), None);
    let upstream = world.ready().await["upstream"].clone();
    assert_eq!((&upstream["status"], &upstream["models"][0]), (&"ready".into(), &"test-model".into()));
    let lists = world.upstream.everything().into_iter().filter(|request| request.target == MODELS);
    let keys: Vec<_> =
        lists.filter_map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(keys, ["Bearer sk-of-another", KEY]);
}

#[tokio::test]
async fn a_list_that_was_passed_on_is_known() {
    let world = world("", |world| {
        world.upstream.models(&vllm_models(620));
        world.upstream.models_need(KEY);
    })
    .await;
    assert_eq!(status(&world, &[]).await, "lexical");
    let list = world.ask(Request::new("GET", MODELS).headers(&[("Authorization", KEY)])).await;
    assert_eq!((list.status, &list.json()["data"][0]["max_model_len"]), (200, &620.into()));
    assert_eq!(status(&world, &[]).await, "no_room");
}

#[tokio::test]
async fn a_key_of_ours_is_in_place_of_clients() {
    let world = world("upstream_key = \"own\"", |world| {
        world.upstream.models(&vllm_models(620));
        world.upstream.models_need("Bearer own");
    })
    .await;
    assert_eq!(status(&world, &[("Authorization", KEY)]).await, "no_room");
    assert_eq!(world.upstream.last().header("authorization"), Some("Bearer own"));
    assert_eq!(world.ready().await["upstream"]["status"], "ready");
}

#[tokio::test]
async fn all_who_wait_for_the_list_wait_once() {
    let world = world("", |world| world.upstream.play_models(vec![Piece::Gate, Piece::Die])).await;
    let models = ["test-model", "test-model@manual", "other@manual"].into_iter().cycle().take(12);
    let replies = join_all(models.map(|model| ask(&world, model, &[]))).await;
    for reply in replies {
        assert_eq!(reply.header("x-rag-status"), Some("lexical"));
    }
    // The start's, and one or two for the questions, which may have come as that was given up.
    let asked = world.upstream.asked(MODELS);
    assert!(asked <= 3, "{asked} lists were asked for");
    world.upstream.models(&vllm_models(620));
    world.upstream.release();
    eventually(|| async { (status(&world, &[]).await == "no_room").then_some(()) }).await;
}

/// Whoever comes while the list is late does not wait as long again.
#[tokio::test]
async fn a_list_that_is_late_is_waited_for_once_and_known_when_it_comes() {
    let mut late = vec![Piece::Gate];
    late.extend(json_answer("200 OK", &vllm_models(620)));
    let world = world("", |world| world.upstream.play_models(late)).await;
    assert_eq!(status(&world, &[]).await, "lexical");
    // That took half of the retrieval's deadline; three seconds after the list was asked for nobody waits any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = Instant::now();
    for _ in 0..4 {
        assert_eq!(status(&world, &[]).await, "lexical");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    world.upstream.release();
    eventually(|| async { (status(&world, &[]).await == "no_room").then_some(()) }).await;
    assert_eq!(world.upstream.asked(MODELS), 1, "it came at last");
}

#[tokio::test]
async fn what_one_client_was_not_told_another_may_be() {
    const OTHER: &str = "Bearer sk-of-another";
    let world = world("", |world| {
        world.upstream.models(r#"{"object":"list","data":[{"id":"other","max_model_len":32000}]}"#);
        world.upstream.models_need(OTHER);
    })
    .await;
    let reply = ask(&world, "other", &[("Authorization", OTHER)]).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
    world.upstream.models(&vllm_models(620));
    world.upstream.models_need(KEY);
    let keyed = &[("Authorization", KEY)];
    assert_eq!(status(&world, keyed).await, "no_room");
    // A name that is listed to nobody is not looked for with each question.
    let asked = world.upstream.asked(MODELS);
    ask(&world, "elsewhere", keyed).await;
    assert_eq!(world.upstream.asked(MODELS), asked);
}
