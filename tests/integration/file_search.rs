//! The `file_search` tool of a chat: what it chooses, and that upstream never sees it.

use serde_json::{Value, json};

use super::world::{World, long_document, question_body};

const CHAT: &str = "/v1/chat/completions";
const FUNCTION: &str =
    r#"{"type":"function","function":{"name":"file_search","parameters":{"type":"object"}}}"#;

async fn two_collections(options: &str) -> World {
    let world = World::start(options).await;
    world.upload("pumps", &[("pump.txt", "The pump has the code KX-1.")]).await;
    world.upload("boats", &[("boat.txt", "The boat has the code ZB-2.")]).await;
    world
}

/// A chat with these members beyond its question.
fn chat(more: &str) -> String {
    let question = r#""messages":[{"role":"user","content":"Which code does it have?"}]"#;
    format!(r#"{{"model":"test-model",{question}{more}, "temperature" : 0.10}}"#)
}

fn tool(collections: &[&str]) -> String {
    json!({ "vector_store_ids": collections, "type": "file_search" }).to_string()
}

/// What went upstream last.
fn sent(world: &World) -> String {
    world.upstream.last().text()
}

#[tokio::test]
async fn upstream_is_sent_what_it_would_be_without_the_tool() {
    let world = two_collections("").await;
    let pumps = tool(&["pumps"]);
    let escaped = pumps.replace("file_search", "\\u0066ile\\u005fsearch");
    for (with, without) in [
        (format!(r#","tools":[{pumps}]"#), String::new()),
        (format!(r#","tools":[{escaped}]"#), String::new()),
        (
            format!(r#" , "tools" : [ {pumps} ],"tool_choice":"required","parallel_tool_calls":true"#),
            " ".into(),
        ),
        (format!(r#","tool_choice":{{"type":"file_search"}},"n":1,"tools":[{pumps}]"#), r#","n":1"#.into()),
        (
            format!(r#","tools":[{pumps},{FUNCTION}],"tool_choice":"auto""#),
            format!(r#","tools":[{FUNCTION}],"tool_choice":"auto""#),
        ),
        (
            format!(r#","tools":[ {FUNCTION} , {pumps} ],"tool_choice":{{"type":"file_search"}}"#),
            format!(r#","tools":[ {FUNCTION} ]"#),
        ),
    ] {
        let reply = world.post(CHAT, &[], chat(&with)).await;
        assert_eq!(
            (reply.status, reply.header("x-rag-collection")),
            (200, Some("pumps")),
            "{}",
            reply.text()
        );
        assert_eq!(reply.header("x-rag-status"), Some("hit"));
        let grounded = sent(&world);
        assert!(grounded.contains("KX-1") && !grounded.contains("vector_store_ids"), "{grounded}");
        // The same by header: what the tool said is not there, and all else is as the client wrote it.
        world.post(CHAT, &[("X-RAG-Collection", "pumps")], chat(&without)).await;
        assert_eq!(grounded, sent(&world), "{with}");

        let reply = world.post(CHAT, &[("X-RAG", "off")], chat(&with)).await;
        assert_eq!(reply.header("x-rag-status"), Some("off"));
        assert_eq!(sent(&world), chat(&without), "{with}");
    }
    let preview = world.post("/v1/rag/preview", &[], chat(&format!(r#","tools":[{pumps}]"#))).await;
    assert_eq!(preview.json()["collections"], json!(["pumps"]));
    assert!(!preview.text().contains("file_search"));
}

#[tokio::test]
async fn what_only_looks_like_the_tool_is_relayed_as_it_is() {
    let world = two_collections("").await;
    for body in [
        chat(&format!(
            r#","tools":[{FUNCTION}],"tool_choice":{{"type":"function","function":{{"name":"file_search"}}}}"#
        )),
        chat(r#","tools":null,"note":"{\"type\":\"file_search\"}""#),
        chat(r#","metadata":{"tools":[{"type":"file_search"}]}"#),
        chat(r#","note":"caf\u00e9 \u0066ile\u005Fsearch""#),
        "{\"file_search\"".to_owned(),
        "\\u0066ile_search, and no JSON at all \\u00".to_owned(),
    ] {
        let reply = world.post(CHAT, &[], body.clone()).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, None), "{body}");
        assert_eq!(sent(&world), body);
    }
}

#[tokio::test]
async fn collections_are_named_by_id_or_name_and_may_be_several() {
    let world = two_collections("default_collection = \"boats\"").await;
    let id = world.get("/v1/vector_stores/pumps").await.json()["id"].as_str().expect("an id").to_owned();
    for (named, chosen, present) in [
        (&["pumps"][..], "pumps", (true, false)),
        (&[id.as_str()], "pumps", (true, false)),
        (&["boats", "pumps"], "boats,pumps", (true, true)),
        (&["pumps", id.as_str()], "pumps", (true, false)),
    ] {
        let reply = world.post(CHAT, &[], chat(&format!(r#","tools":[{}]"#, tool(named)))).await;
        assert_eq!(reply.header("x-rag-collection"), Some(chosen), "{named:?} {}", reply.text());
        let sent = sent(&world);
        assert_eq!((sent.contains("KX-1"), sent.contains("ZB-2")), present, "{named:?}");
    }
}

#[tokio::test]
async fn the_tool_must_agree_with_path_header_and_model() {
    let world = two_collections("").await;
    let body =
        |model: &str| chat(&format!(r#","tools":[{}]"#, tool(&["pumps"]))).replace("test-model", model);
    let plain: &[(&str, &str)] = &[];
    for (target, headers, model, code) in [
        (CHAT, &[("X-RAG-Collection", "pumps")][..], "test-model@pumps", None),
        ("/c/pumps/v1/chat/completions", plain, "test-model", None),
        ("/c/boats/v1/chat/completions", plain, "test-model", Some("conflicting_collections")),
        (CHAT, &[("X-RAG-Collection", "boats")], "test-model", Some("conflicting_collections")),
        (CHAT, &[("X-RAG-Collection", "pumps,boats")], "test-model", Some("conflicting_collections")),
        (CHAT, plain, "test-model@boats", Some("conflicting_collections")),
    ] {
        let before = world.upstream.requests().len();
        let reply = world.post(target, headers, body(model)).await;
        match code {
            None => {
                assert_eq!((reply.status, reply.header("x-rag-collection")), (200, Some("pumps")));
                assert_eq!(world.upstream.last().json()["model"], "test-model");
            }
            Some(code) => {
                reply.error(400, code);
                assert_eq!(world.upstream.requests().len(), before, "a refused request went upstream");
            }
        }
    }
}

#[tokio::test]
async fn a_tool_that_cannot_be_followed_is_refused_and_never_relayed() {
    let world = two_collections("").await;
    let with = |tool: Value| chat(&format!(r#","tools":[{FUNCTION},{tool}]"#));
    let of = |more: Value| {
        let mut tool = json!({ "type": "file_search", "vector_store_ids": ["pumps"] });
        tool.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        with(tool)
    };
    let deep = (0..9).fold(
        json!({"type": "eq", "key": "k", "value": 1}),
        |inner, _| json!({"type": "or", "filters": [inner]}),
    );
    let deepest = format!("tools[1].filters{}", ".filters[0]".repeat(8));
    for (body, code, param) in [
        (with(json!({"type": "file_search"})), "missing_required_parameter", "tools[1].vector_store_ids"),
        (of(json!({"vector_store_ids": []})), "invalid_value", "tools[1].vector_store_ids"),
        (of(json!({"vector_store_ids": "pumps"})), "invalid_type", "tools[1].vector_store_ids"),
        (of(json!({"vector_store_ids": [7]})), "invalid_type", "tools[1].vector_store_ids[0]"),
        (of(json!({"max_num_results": 51})), "invalid_value", "tools[1].max_num_results"),
        (of(json!({"max_num_results": "5"})), "invalid_type", "tools[1].max_num_results"),
        (of(json!({"filter": {}})), "unknown_parameter", "tools[1].filter"),
        (
            of(json!({"filters": {"type": "like", "key": "k", "value": 1}})),
            "invalid_value",
            "tools[1].filters.type",
        ),
        (of(json!({"filters": deep})), "invalid_value", deepest.as_str()),
        (
            of(json!({"ranking_options": {"ranker": "best"}})),
            "invalid_value",
            "tools[1].ranking_options.ranker",
        ),
        (
            of(json!({"ranking_options": {"score_threshold": 2}})),
            "invalid_value",
            "tools[1].ranking_options.score_threshold",
        ),
        (
            chat(&format!(r#","tools":[{},{}]"#, tool(&["pumps"]), tool(&["boats"]))),
            "invalid_value",
            "tools[1]",
        ),
        (chat(&format!(r#","tools":[],"tools":[{}]"#, tool(&["pumps"]))), "duplicate_field", "tools"),
        (format!(r#"{{"messages":"q","tools":[{}]}}"#, tool(&["pumps"])), "invalid_messages", "messages"),
    ] {
        let reply = world.post(CHAT, &[], body.clone()).await;
        reply.error(400, code);
        assert_eq!(reply.json()["error"]["param"], param, "{body}");
    }
    for body in [
        with(json!({"type": "file_search", "vector_store_ids": ["nowhere"]})),
        of(json!({"vector_store_ids": [""]})),
    ] {
        world.post(CHAT, &[], body).await.error(404, "collection_not_found");
    }
    assert!(world.upstream.requests().is_empty(), "refused requests went upstream");
}

#[tokio::test]
async fn max_num_results_is_the_number_of_passages_and_the_header_wins() {
    let world = World::start("window = 100000").await;
    world.upload("manual", &[("manual.md", &long_document(400))]).await;
    let body = |more: Value| {
        let mut body: Value =
            serde_json::from_str(&question_body("Which rules of topic7 hold for the keeper?")).expect("JSON");
        let mut tool = json!({ "type": "file_search", "vector_store_ids": ["manual"] });
        tool.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body["tools"] = json!([tool]);
        body.to_string()
    };
    for (more, headers, hits) in [
        (json!({"max_num_results": 3}), &[][..], "3"),
        (json!({"max_num_results": 3}), &[("X-RAG-K", "2")], "2"),
        (json!({"max_num_results": 9, "ranking_options": {"score_threshold": 0}}), &[], "9"),
    ] {
        let reply = world.post(CHAT, headers, body(more.clone())).await;
        assert_eq!(reply.header("x-rag-hits"), Some(hits), "{more} {}", reply.text());
    }
    // A threshold is held against every passage, also where the whole document would fit.
    let scores = async |threshold: f64| -> Vec<f64> {
        let more = json!({"max_num_results": 9, "ranking_options": {"score_threshold": threshold}});
        let reply = world.post(CHAT, &[], body(more)).await;
        let id = reply.header("x-rag-trace-id").expect("a trace").to_owned();
        let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
        let passages = trace["passages"].as_array().expect("passages").clone();
        passages.iter().map(|passage| passage["score"].as_f64().expect("a score")).collect()
    };
    let all = scores(0.0).await;
    let (best, least) = all.iter().fold((0.0f64, 1.0f64), |(best, least), s| (best.max(*s), least.min(*s)));
    assert!(all.len() == 9 && best > least, "{all:?}");
    let threshold = (best + least) / 2.0;
    let above = scores(threshold).await;
    assert!(
        !above.is_empty() && above.len() < 9 && above.iter().all(|score| *score >= threshold),
        "{above:?}"
    );
}
