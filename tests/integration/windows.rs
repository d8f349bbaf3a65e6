//! A grounded prompt stays within the model's window, as the LLM server, or the configuration, tells it.

use serde_json::json;

use super::world::upstream::{Tokenize, vllm_models};
use super::world::{Reply, World, long_document};

/// Asks about section 5 with so many tokens for the answer.
async fn ask(world: &World, max_tokens: u64) -> Reply {
    let question = "Which code do the rules for topic5 give?";
    let body = json!({ "model": "test-model", "max_tokens": max_tokens, "messages": [{ "role": "user", "content": question }] });
    world.post("/c/manual/v1/chat/completions", &[], body.to_string()).await
}

/// Asks for as many passages as there is room for: sections far from one another that have most of these words.
async fn ask_for_many(world: &World) -> Reply {
    let question = "Which rules and which code are written and told by the keeper with the book, the valve and the bell \
                    for topic5, topic11, topic17, topic23, topic29 and topic35?";
    let body = json!({ "model": "test-model", "max_tokens": 500, "messages": [{ "role": "user", "content": question }] });
    world.post("/c/manual/v1/chat/completions", &[("X-RAG-K", "20")], body.to_string()).await
}

async fn world(options: &str, models: &str) -> World {
    let mut world = World::prepared(options).await;
    world.upstream.models(models);
    world.run().await;
    world.upload("manual", &[("station.md", &long_document(40))]).await;
    world
}

const LLAMA: &str = r#"{"models":[{"name":"test-model"}],"object":"list","data":[{"id":"any-name","meta":{"n_ctx":N,"n_ctx_train":32768}}]}"#;
const NO_WINDOW: &str = r#"{"object":"list","data":[{"id":"test-model"}]}"#;

fn list(models: &str) -> String {
    format!(r#"{{"object":"list","data":[{models}]}}"#)
}

/// Models as vLLM lists them with an adapter.
fn adapter(parent: &str, window: u64) -> String {
    format!(
        r#"{{"id":"base","root":"org/base","parent":null,"max_model_len":{window}}},{{"id":"test-model","root":"/adapters/m","parent":"{parent}","max_model_len":null}}"#
    )
}

#[tokio::test]
async fn the_window_is_what_the_server_tells_or_the_configuration_says() {
    let llama = |window: u64| LLAMA.replace('N', &window.to_string());
    // The last: bytes of text that must at least be there, and that cannot be exceeded at 6 bytes a token.
    for (options, models, status, least, most) in [
        ("", vllm_models(620), "no_room", 0, 0),
        ("", vllm_models(1_100), "lexical", 300, 600 * 6),
        ("", vllm_models(32_000), "hit", 9_000, 32_000 * 6),
        ("", llama(620), "no_room", 0, 0),
        ("", llama(1_100), "lexical", 300, 600 * 6),
        ("", llama(32_000), "hit", 9_000, 32_000 * 6),
        ("", list(r#"{"id":"test-model","context_length":32000}"#), "hit", 9_000, 32_000 * 6),
        ("", list(r#"{"id":"test-model","max_input_tokens":620}"#), "no_room", 0, 0),
        // An adapter has its model's, along the way, and also where others are served.
        ("", list(&adapter("base", 620)), "no_room", 0, 0),
        ("", list(&adapter("base", 32_000)), "hit", 9_000, 32_000 * 6),
        ("", list(&adapter("org/base", 32_000)), "hit", 9_000, 32_000 * 6),
        ("window = 620", vllm_models(32_000), "no_room", 0, 0),
        ("windows = { \"test-model\" = 620 }", vllm_models(32_000), "no_room", 0, 0),
        ("windows = { \"other\" = 620 }", vllm_models(32_000), "hit", 9_000, 32_000 * 6),
        ("window = 620\nwindows = { \"test-model\" = 32000 }", vllm_models(1_100), "hit", 9_000, 32_000 * 6),
        ("window = 32000", vllm_models(620), "hit", 9_000, 32_000 * 6),
        ("window = 1100", NO_WINDOW.to_owned(), "lexical", 300, 600 * 6),
        ("", NO_WINDOW.to_owned(), "lexical", 300, 3_600 * 6),
        ("", "no list".to_owned(), "lexical", 300, 3_600 * 6),
    ] {
        let world = world(options, &models).await;
        let reply = ask(&world, 500).await;
        assert_eq!(reply.header("x-rag-status"), Some(status), "{options} {models}");
        let added = world.upstream.last().body.len() - 140;
        assert!(added >= least && (most == 0 || added <= most), "{options} {models}: {added}");
    }
}

#[tokio::test]
async fn without_room_the_question_goes_alone() {
    let world = world("", &vllm_models(752)).await;
    let reply = ask(&world, 740).await;
    assert_eq!(
        (reply.status, reply.header("x-rag-status"), reply.header("x-rag-hits")),
        (200, Some("no_room"), Some("0"))
    );
    let sent = world.upstream.last().json();
    assert_eq!(sent["messages"][0]["content"], "Which code do the rules for topic5 give?");
}

#[tokio::test]
async fn a_window_of_752_with_512_for_the_answer_is_grounded() {
    let world = world("", &vllm_models(752)).await;
    let reply = ask(&world, 512).await;
    assert_eq!(reply.header("x-rag-status"), Some("lexical"));
    let sent = world.upstream.last().text();
    assert!(sent.contains("CODE-5."), "{sent}");
    // 240 tokens are left for the prompt; running English has more than 3 bytes a token.
    assert!(sent.len() < 240 * 6, "{}", sent.len());
}

/// One token for four bytes.
fn truthful(body: &[u8]) -> String {
    format!("{{\"count\":{},\"max_model_len\":1400,\"tokens\":[]}}", body.len() / 4)
}

#[tokio::test]
async fn token_counts_are_believed_only_when_they_are_some() {
    let liars: [Option<Tokenize>; 6] = [
        None,
        Some(|_| "{\"tokens\":[]}".to_owned()),
        Some(|_| "{\"count\":0,\"tokens\":[]}".to_owned()),
        Some(|_| "{\"count\":-1}".to_owned()),
        Some(|_| "{\"count\":\"7\"}".to_owned()),
        Some(|_| "not JSON".to_owned()),
    ];
    let world = world("", &vllm_models(1_400)).await;
    let mut lengths = Vec::new();
    for liar in liars {
        if let Some(count) = liar {
            world.upstream.tokenize(count);
        }
        let reply = ask_for_many(&world).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"));
        lengths.push(world.upstream.last().body.len());
    }
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
    world.upstream.tokenize(truthful);
    ask_for_many(&world).await;
    let sent = world.upstream.last().body.len();
    assert!(sent > lengths[0], "{sent} is not more than {}", lengths[0]);
    assert!(sent / 4 <= 900, "{sent} bytes are more tokens than the window has");
    let asked = world.upstream.everything();
    let asked = asked.iter().rfind(|r| r.target == "/tokenize").expect("a count was asked for").json();
    assert_eq!(asked["model"], "test-model");
    assert_eq!(asked["add_generation_prompt"], true);
    assert!(asked["messages"].is_array());
}

#[tokio::test]
async fn turns_that_the_llm_server_keeps_leave_a_small_part_of_the_window() {
    let world = world("", &vllm_models(16_000)).await;
    let ask = async |more: &str| {
        let body =
            format!(r#"{{"model":"test-model",{more}"input":"Which code do the rules for topic5 give?"}}"#);
        let reply = world.post("/v1/responses", &[("X-RAG-Collection", "manual")], body).await;
        (reply.header("x-rag-status").map(str::to_owned), world.upstream.last().body.len())
    };
    let (status, whole) = ask("").await;
    assert_eq!(status.as_deref(), Some("hit"));
    assert!(whole > 9_000, "{whole}");
    for more in [r#""previous_response_id":"resp_1","#, r#""conversation":{"id":"conv_1"},"#] {
        let (status, sent) = ask(more).await;
        assert_eq!(status.as_deref(), Some("lexical"), "{more}");
        assert!(sent < 16_000 / 8 * 4, "{more}: {sent}");
    }
}
