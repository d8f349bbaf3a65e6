//! Filters over attributes, in chats and in searches, and the whole of a search's request and answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::model::write_model;
use super::world::{Reply, World, eventually};

const SEARCH: &str = "/v1/vector_stores/manual/search";

/// Three documents of a collection `manual`, with attributes.
async fn manual(options: &str) -> World {
    let world = World::start(options).await;
    add_documents(&world).await;
    world
}

async fn add_documents(world: &World) {
    for (name, text, attributes) in [
        (
            "one.txt",
            "The dogs run in the park. Rule one.",
            json!({"lang": "pt", "year": 2023, "public": true}),
        ),
        ("two.txt", "The dogs sat in the park. Rule two.", json!({"lang": "en", "year": 2024.5})),
        ("three.txt", "The cats sat on mats. Rule three.", json!({})),
    ] {
        let uploaded = world.upload("manual", &[(name, text)]).await;
        let id = uploaded[0]["id"].as_str().expect("an id");
        let target = format!("/v1/vector_stores/manual/files/{id}");
        let reply = world.post(&target, &[], json!({ "attributes": attributes }).to_string()).await;
        assert_eq!((reply.status, &reply.json()["attributes"]), (200, &attributes), "{}", reply.text());
    }
}

async fn search(world: &World, body: Value) -> Reply {
    world.post(SEARCH, &[], body.to_string()).await
}

/// Names of the files found, each once.
async fn found(world: &World, body: Value) -> BTreeSet<String> {
    let reply = search(world, body.clone()).await;
    assert_eq!(reply.status, 200, "{body} {}", reply.text());
    let items = reply.json()["data"].as_array().expect("a list").clone();
    items
        .iter()
        .map(|item| item["filename"].as_str().expect("a name").trim_end_matches(".txt").to_owned())
        .collect()
}

fn named(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

fn compare(kind: &str, key: &str, value: Value) -> Value {
    json!({ "type": kind, "key": key, "value": value })
}

/// Which documents' rules went upstream.
fn grounded_in(world: &World) -> BTreeSet<String> {
    let sent = world.upstream.last().text();
    named("one two three").into_iter().filter(|name| sent.contains(&format!("Rule {name}"))).collect()
}

#[tokio::test]
async fn searches_and_chats_find_only_what_the_filter_means() {
    let world = manual("").await;
    let pt = compare("eq", "lang", json!("pt"));
    for (filter, expected) in [
        (pt.clone(), "one"),
        (compare("ne", "lang", json!("pt")), "two three"),
        (compare("gt", "year", json!(2023)), "two"),
        (compare("gte", "year", json!(2023.0)), "one two"),
        (compare("lt", "year", json!("3000")), ""),
        (compare("lte", "year", json!(2023)), "one"),
        (compare("in", "lang", json!(["en", "pt"])), "one two"),
        (compare("nin", "lang", json!(["en"])), "one three"),
        (compare("eq", "public", json!(true)), "one"),
        (compare("eq", "colour", json!("red")), ""),
        (json!({"type": "and", "filters": [pt, compare("gt", "year", json!(2000))]}), "one"),
        (json!({"type": "or", "filters": [pt, compare("gt", "year", json!(2024))]}), "one two"),
        (json!({"type": "or", "filters": []}), ""),
        (json!({"type": "and", "filters": []}), "one two three"),
    ] {
        let expected = named(expected);
        assert_eq!(found(&world, json!({"query": "rule", "filters": filter})).await, expected, "{filter}");
        let tool = json!({"type": "file_search", "vector_store_ids": ["manual"], "filters": filter});
        let body = json!({"messages": [{"role": "user", "content": "Which rule?"}], "tools": [tool]});
        for headers in [&[][..], &[("X-RAG-K", "5")]] {
            let reply = world.post("/v1/chat/completions", headers, body.to_string()).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(grounded_in(&world), expected, "{filter} {headers:?}");
            let status =
                if expected.is_empty() { "empty" } else { reply.header("x-rag-status").expect("a status") };
            assert_eq!(reply.header("x-rag-status"), Some(status));
        }
        // A question about the whole does not show what the filter leaves out either.
        let body = body.to_string().replace("Which rule?", "What is this about?");
        world.post("/v1/chat/completions", &[("X-RAG-K", "5")], body).await;
        assert!(grounded_in(&world).is_subset(&expected), "{filter}");
    }
}

#[tokio::test]
async fn a_filter_and_a_document_header_both_hold() {
    let world = manual("").await;
    let tool = json!({
        "type": "file_search", "vector_store_ids": ["manual"],
        "filters": compare("in", "lang", json!(["en", "pt"]))
    });
    let body = json!({"messages": [{"role": "user", "content": "Which rule?"}], "tools": [tool]}).to_string();
    for (documents, expected) in [("one.txt", "one"), ("one.txt,three.txt", "one"), ("three.txt", "")] {
        let reply = world.post("/v1/chat/completions", &[("X-RAG-Document", documents)], body.clone()).await;
        assert_eq!(grounded_in(&world), named(expected), "{documents} {}", reply.text());
    }
}

#[tokio::test]
async fn results_have_the_specifications_fields_and_no_other() {
    let world = manual("").await;
    let reply = search(&world, json!({"query": ["dogs", "park"], "max_num_results": 1})).await;
    let page = reply.json();
    assert_eq!(page["object"], "vector_store.search_results.page");
    assert_eq!((&page["search_query"], &page["has_more"]), (&json!(["dogs", "park"]), &json!(false)));
    assert_eq!(page["next_page"], Value::Null);
    let item = page["data"][0].as_object().expect("an item");
    let fields: Vec<&str> = item.keys().map(String::as_str).collect();
    assert_eq!(BTreeSet::from_iter(fields), ["attributes", "content", "file_id", "filename", "score"].into());
    let reply = search(&world, json!({"query": "dogs", "filters": compare("eq", "lang", json!("en"))})).await;
    let item = reply.json()["data"][0].clone();
    assert_eq!(item["attributes"], json!({"lang": "en", "year": 2024.5}));
    assert_eq!(item["content"][0]["type"], "text");
    let score = item["score"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&score), "{score}");

    let placed = world.post(&format!("{SEARCH}?include=place"), &[], r#"{"query":"dogs"}"#).await.json();
    assert!(placed["data"][0]["headings"].is_array() && placed["data"][0].get("page").is_some(), "{placed}");
    world
        .post(&format!("{SEARCH}?include=all"), &[], r#"{"query":"dogs"}"#)
        .await
        .error(400, "invalid_value");
}

#[tokio::test]
async fn several_queries_find_what_each_of_them_finds() {
    let world = manual("").await;
    assert_eq!(found(&world, json!({"query": "dogs"})).await, named("one two"));
    assert_eq!(found(&world, json!({"query": ["mats"]})).await, named("three"));
    assert_eq!(found(&world, json!({"query": ["dogs", "mats"]})).await, named("one two three"));
    let reply = search(&world, json!({"query": ["run", "mats", "nothing"], "max_num_results": 50})).await;
    let scores: Vec<f64> =
        reply.json()["data"].as_array().expect("a list").iter().filter_map(|i| i["score"].as_f64()).collect();
    // Each query's best has all of its words, and no chunk comes twice.
    assert!(scores.len() == 2 && scores.iter().all(|score| *score > 0.8), "{scores:?}");
}

#[tokio::test]
async fn thresholds_and_weights_decide_what_is_found() {
    let mut world = World::prepared("").await;
    let model = world.data().with_file_name("tiny-model");
    write_model(&model);
    world.run_with(&format!("device = \"cpu\"\nembedding_model = {model:?}")).await;
    world.ready().await;
    add_documents(&world).await;
    let by = |embedding: f64, text: f64| {
        json!({"query": "mats", "ranking_options": {"ranker": "auto",
            "hybrid_search": {"embedding_weight": embedding, "text_weight": text}}})
    };
    // Every chunk has some likeness in meaning; only one has the word.
    let all = named("one two three");
    assert_eq!(
        eventually(|| async { Some(found(&world, by(1.0, 0.0)).await).filter(|f| f.len() == 3) }).await,
        all
    );
    assert_eq!(found(&world, by(0.0, 1.0)).await, named("three"));
    assert_eq!(found(&world, by(2.0, 2.0)).await, all);
    let mut strict = by(0.0, 5.0);
    strict["ranking_options"]["score_threshold"] = json!(0.8);
    assert_eq!(found(&world, strict).await, named("three"));
    let reply = search(&world, json!({"query": "mats", "ranking_options": {"score_threshold": 0.4}})).await;
    let items = reply.json()["data"].as_array().expect("a list").clone();
    assert!(!items.is_empty() && items.iter().all(|item| item["score"].as_f64() >= Some(0.4)), "{items:?}");
}

#[tokio::test]
async fn documents_of_folders_are_searched_with_filters_too() {
    let world = World::start_with("", |collections| {
        let folder = collections.join("manual");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("one.txt"), "The dogs run. Rule one.").expect("a document");
    })
    .await;
    super::folders::settled(&world, "manual", 1).await;
    let filters = compare("ne", "lang", json!("pt"));
    assert_eq!(found(&world, json!({"query": "dogs", "filters": filters})).await, named("one"));
    let filters = compare("eq", "lang", json!("pt"));
    assert_eq!(found(&world, json!({"query": "dogs", "filters": filters})).await, named(""));
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_by_name() {
    let world = manual("").await;
    let files = world.get("/v1/vector_stores/manual/files").await.json();
    let id = files["data"][0]["id"].as_str().expect("an id");
    let (file, attach) = (format!("/v1/vector_stores/manual/files/{id}"), "/v1/vector_stores/manual/files");
    let batches = "/v1/vector_stores/manual/file_batches";
    let keys = |n: usize| Value::Object((0..n).map(|n| (format!("k{n}"), json!(n))).collect());
    let comparison = compare("eq", "k", json!(1));
    let filtered = |filters: Value| json!({"query": "q", "filters": filters});
    for (target, body, code, param) in [
        (SEARCH, json!({}), "missing_required_parameter", "query"),
        (SEARCH, json!({"query": ""}), "invalid_value", "query"),
        (SEARCH, json!({"query": {}}), "invalid_type", "query"),
        (SEARCH, json!({"query": "q", "rewrite_query": true}), "invalid_value", "rewrite_query"),
        (SEARCH, json!({"query": "q", "max_num_results": 51}), "invalid_value", "max_num_results"),
        (SEARCH, json!({"query": "q", "limit": 5}), "unknown_parameter", "limit"),
        (SEARCH, filtered(json!("lang")), "invalid_type", "filters"),
        (SEARCH, filtered(compare("contains", "k", json!("x"))), "invalid_value", "filters.type"),
        (SEARCH, filtered(compare("eq", "k", json!(["x"]))), "invalid_type", "filters.value"),
        (SEARCH, filtered(compare("in", "k", json!(vec![0; 257]))), "invalid_value", "filters.value"),
        (
            SEARCH,
            filtered(json!({"type": "or", "filters": vec![comparison; 129]})),
            "invalid_value",
            "filters.filters",
        ),
        (&file, json!({}), "missing_required_parameter", "attributes"),
        (&file, json!({"attributes": keys(17)}), "invalid_value", "attributes"),
        (&file, json!({"attributes": {"k".repeat(65): 1}}), "invalid_value", "attributes"),
        (&file, json!({"attributes": {"k": "v".repeat(513)}}), "invalid_value", "attributes.k"),
        (&file, json!({"attributes": {"k": null}}), "invalid_type", "attributes.k"),
        (attach, json!({"file_id": id, "attributes": {"k": [1]}}), "invalid_type", "attributes.k"),
        (
            attach,
            json!({"file_id": id, "chunking_strategy": {"type": "x"}}),
            "invalid_value",
            "chunking_strategy.type",
        ),
        (batches, json!({"file_ids": [id], "files": [{"file_id": id}]}), "invalid_value", "files"),
        (
            batches,
            json!({"files": [{"file_id": id, "attributes": 7}]}),
            "invalid_type",
            "files[0].attributes",
        ),
    ] {
        let reply = world.post(target, &[], body.to_string()).await;
        reply.error(400, code);
        assert_eq!(reply.json()["error"]["param"], param, "{body}");
    }
    for (target, param) in [("limit=0", "limit"), ("order=up", "order"), ("filter=done", "filter")] {
        let reply = world.get(&format!("{attach}?{target}")).await;
        reply.error(400, "invalid_value");
        assert_eq!(reply.json()["error"]["param"], param);
    }
}
