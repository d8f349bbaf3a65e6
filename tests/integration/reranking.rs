//! A reranker that plays a script: the order of passages, and what becomes of it when the reranker is late or wrong.

use serde_json::{Value, json};

use super::world::upstream::json_answer;
use super::world::{Piece, Upstream, World, question_body, within};

/// In the order in which words find them: each shorter text counts more.
const DOCUMENTS: [(&str, &str); 3] = [
    ("a.txt", "The valve is what they close when the work of the day is done."),
    (
        "b.txt",
        "The valve is what they close when the work of the day is done, and open again when the next one begins.",
    ),
    (
        "c.txt",
        "The valve is what they close when the work of the day is done, and open again when the night shift has left the \
         building and the keeper of the house has read the book.",
    ),
];
const WORDS: [&str; 3] = ["a.txt", "b.txt", "c.txt"];

/// A world with a reranker, which is waited for as long as a search, unless something else is set.
async fn world(path: &str, more: &str) -> (World, Upstream) {
    let reranker = Upstream::start().await;
    let address = format!("http://{}{path}", reranker.address);
    let patience = if more.contains("rerank_timeout_ms") { "" } else { "rerank_timeout_ms = 60000" };
    let world = World::start(&format!("rerank_upstream = {address:?}\n{patience}\n{more}")).await;
    world.upload("manual", &DOCUMENTS).await;
    (world, reranker)
}

async fn names(world: &World, more: &Value) -> (Vec<String>, Vec<f64>) {
    let mut body = json!({ "query": "valve" });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let reply = world.post("/v1/vector_stores/manual/search", &[], body.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let found = reply.json();
    let hits = found["data"].as_array().expect("hits");
    let name = |hit: &Value| hit["filename"].as_str().expect("a name").to_owned();
    (hits.iter().map(name).collect(), hits.iter().filter_map(|hit| hit["score"].as_f64()).collect())
}

#[tokio::test]
async fn passages_come_in_the_rerankers_order_by_each_api() {
    let results = r#"{"results":[{"index":2,"relevance_score":0.75},{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":0.25}]}"#;
    let data = r#"{"data":[{"index":0,"score":0.25},{"index":1,"score":0.5},{"index":2,"score":0.75}]}"#;
    let list = r#"[{"index":2,"score":0.75},{"index":1,"score":0.5},{"index":0,"score":0.25}]"#;
    for (path, target, answer, texts) in [
        ("/v1", "/v1/rerank", results, "documents"),
        ("/v1/rerank", "/v1/rerank", results, "documents"),
        ("/score", "/score", data, "text_2"),
        ("", "/rerank", list, "texts"),
    ] {
        let (world, reranker) = world(path, "rerank_model = \"a-model\"\nrerank_key = \"a-key\"").await;
        reranker.play(json_answer("200 OK", answer));
        let (found, scores) = names(&world, &json!({})).await;
        assert_eq!(
            (found, scores),
            (["c.txt", "b.txt", "a.txt"].map(str::to_owned).to_vec(), vec![0.75, 0.5, 0.25])
        );
        let asked = reranker.last();
        assert_eq!((asked.target.as_str(), asked.header("authorization")), (target, Some("Bearer a-key")));
        assert_eq!(asked.json()["model"], "a-model");
        assert!(
            asked.json()[texts][0].as_str().expect("a text").contains("The valve is what they close"),
            "{}",
            asked.text()
        );
        // A threshold is held against the reranker's scores.
        let threshold = json!({ "ranking_options": { "score_threshold": 0.4 } });
        assert_eq!(names(&world, &threshold).await.0, ["c.txt", "b.txt"]);
        // Who wants no reranker is not sent through it.
        let count = reranker.requests().len();
        let none = json!({ "ranking_options": { "ranker": "none" } });
        assert_eq!(
            (names(&world, &none).await.0, reranker.requests().len()),
            (WORDS.map(str::to_owned).to_vec(), count)
        );
    }
}

#[tokio::test]
async fn a_chat_is_given_the_best_passages_and_tells_what_it_took() {
    let (world, reranker) = world("/v1", "passages = 1").await;
    // More than goes in whole.
    let long = "Nothing of it is about that. ".repeat(2_000);
    world.upload("manual", &[("long.txt", &long)]).await;
    let answer = r#"{"results":[{"index":2,"relevance_score":0.9},{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":0.2}]}"#;
    reranker.play(json_answer("200 OK", answer));
    let headers = [("x-rag-collection", "manual")];
    let reply = world.post("/v1/chat/completions", &headers, question_body("valve?")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sources = reply.header("x-rag-sources").expect("sources");
    assert!(sources.contains("c.txt") && !sources.contains("a.txt"), "{sources}");
    let timing = reply.header("server-timing").expect("timings");
    assert!(timing.contains("rerank;dur="), "{timing}");
}

/// What `lastro doctor` says of a reranker at this address.
async fn examined(reranker: &Upstream) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    command.arg("doctor").arg("--rerank-upstream").arg(format!("http://{}", reranker.address));
    command.args(["--upstream", "http://127.0.0.1:9/v1"]).current_dir(folder.path()).kill_on_drop(true);
    let done = within(command.output()).await.expect("the command runs");
    let said = String::from_utf8(done.stdout).expect("text");
    said.lines().find(|line| line.contains("reranking:")).expect("a line").to_owned()
}

#[tokio::test]
async fn the_doctor_looks_at_the_reranker() {
    let reranker = Upstream::start().await;
    for (answer, says) in [
        (r#"[{"index":1,"score":0.9},{"index":0,"score":0.1}]"#, "ok"),
        (r#"[{"index":1,"score":0.1},{"index":0,"score":0.9}]"#, "warn"),
        (r#"{"error":"no model"}"#, "fail"),
    ] {
        reranker.play(json_answer("200 OK", answer));
        let said = examined(&reranker).await;
        assert!(said.starts_with(says), "{says}: {said}");
    }
}

#[tokio::test]
async fn passages_stay_in_their_order_where_the_reranker_says_nothing_of_use() {
    let refused = json_answer("400 Bad Request", r#"{"error":"no such model"}"#);
    let nonsense = json_answer("200 OK", r#"{"results":[{"index":7,"relevance_score":0.9}]}"#);
    for (what, pieces) in [
        ("refused", refused),
        ("nonsense", nonsense),
        ("breaks off", vec![Piece::Die]),
        ("late", vec![Piece::UntilClosed]),
    ] {
        let (world, reranker) = world("/v1", "rerank_timeout_ms = 200").await;
        reranker.play(pieces);
        assert_eq!(names(&world, &json!({})).await.0, WORDS, "{what}");
        // It is left alone for a while.
        assert_eq!(names(&world, &json!({})).await.0, WORDS, "{what}");
        assert_eq!(reranker.requests().len(), 1, "{what}");
        let metrics = world.get("/metrics").await.text();
        assert!(metrics.contains("lastro_rerank_failures_total 1"), "{what}: {metrics}");
    }
}
