//! Follow-up questions: what is searched for, and that it is found by words alone. The conversations are those of
//! `tests/e2e/test_followups.py`, which measures them with a model.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::world::{Reply, World};

#[derive(Deserialize)]
struct Conversation {
    id: String,
    kind: String,
    collection: String,
    /// User and assistant by turns, the question last.
    turns: Vec<String>,
    document: String,
    snippet: String,
}

impl Conversation {
    fn body(&self) -> String {
        let roles = ["user", "assistant"].into_iter().cycle();
        let messages =
            self.turns.iter().zip(roles).map(|(text, role)| json!({"role": role, "content": text}));
        json!({ "model": "test-model", "messages": messages.collect::<Vec<_>>() }).to_string()
    }

    fn question(&self) -> &str {
        self.turns.last().expect("a question")
    }

    fn is_found(&self, preview: &Value) -> bool {
        preview["passages"].as_array().expect("passages").iter().any(|passage| {
            passage["document"] == *self.document
                && passage["text"].as_str().expect("a text").contains(&self.snippet)
        })
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/followups")
}

fn conversations() -> Vec<Conversation> {
    let lines = fs::read_to_string(folder().join("conversations.jsonl")).expect("the fixture is there");
    lines.lines().map(|line| serde_json::from_str(line).expect("a conversation")).collect()
}

/// A server with a collection of documents for each language.
async fn world() -> World {
    let world = World::start("").await;
    for language in ["en", "pt", "es"] {
        let mut files: Vec<_> = fs::read_dir(folder().join(language))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path))
            .map(|(name, path)| (name, fs::read_to_string(path).expect("a document")))
            .collect();
        files.sort();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        world.upload(language, &files).await;
    }
    world
}

async fn preview(world: &World, collection: &str, body: String) -> Value {
    let headers = [("X-RAG-Collection", collection), ("X-RAG-K", "3")];
    let reply: Reply = world.post("/v1/rag/preview", &headers, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn follow_ups_find_what_they_mean_and_other_questions_are_left_alone() {
    let world = world().await;
    let (mut follow_ups, mut found, mut found_alone) = (0, 0, 0);
    for conversation in conversations() {
        let shown = preview(&world, &conversation.collection, conversation.body()).await;
        let query = shown["query"].as_str().expect("a query");
        let messages = shown["request"]["messages"].as_array().expect("messages");
        assert_eq!(messages.len(), conversation.turns.len(), "{}", conversation.id);
        let prompt = messages.last().expect("a message")["content"].as_str().expect("a text");
        assert!(prompt.ends_with(conversation.question()), "{}: {prompt}", conversation.id);
        if conversation.kind == "standalone" {
            assert_eq!(query, conversation.question(), "{}", conversation.id);
            continue;
        }
        let alone = Conversation { turns: vec![conversation.question().to_owned()], ..conversation };
        let shown_alone = preview(&world, &alone.collection, alone.body()).await;
        // "Sim, por favor" to nobody asks nothing.
        let expected = if shown_alone["status"] == "skipped" { Value::Null } else { alone.question().into() };
        assert_eq!(shown_alone["query"], expected);
        follow_ups += 1;
        found += usize::from(alone.is_found(&shown));
        found_alone += usize::from(alone.is_found(&shown_alone));
    }
    println!("of {follow_ups} follow-ups {found} found, by their own words {found_alone}");
    assert!(found * 100 >= follow_ups * FOUND, "{found} of {follow_ups}");
    assert!(found_alone * 100 <= follow_ups * FOUND_ALONE, "{found_alone} of {follow_ups}: too easy");
}

/// Percent of the follow-ups that are found among three passages, by words alone.
const FOUND: usize = 90;
/// And those of which the question alone finds them: with more, the set would say nothing.
const FOUND_ALONE: usize = 75;

#[tokio::test]
async fn what_was_searched_for_is_remembered() {
    let world = world().await;
    let conversation = conversations().into_iter().find(|c| c.id == "ellipsis-1").expect("a conversation");
    let headers = [("X-RAG-Collection", "en"), ("X-RAG-K", "3")];
    let reply = world.post("/v1/chat/completions", &headers, conversation.body()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.header("x-rag-trace-id").expect("a trace");
    let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
    assert_eq!(trace["question"], "How much does it cost?");
    let query = trace["query"].as_str().expect("a query");
    assert!(query.starts_with("How much does it cost?") && query.contains("B1"), "{query}");
    // Upstream gets the messages as they were, but for the passages in the last.
    let sent = world.upstream.last().json();
    for (n, text) in conversation.turns[..2].iter().enumerate() {
        assert_eq!(sent["messages"][n]["content"], **text);
    }
}

#[tokio::test]
async fn what_goes_in_whole_is_not_searched_for() {
    let world = World::with_manual("").await;
    let reply = world.post(
        "/v1/rag/preview",
        &[("X-RAG-Collection", "manual")],
        super::world::question_body("When?"),
    );
    let shown = reply.await.json();
    assert_eq!((&shown["status"], &shown["query"]), (&"hit".into(), &Value::Null));
}

#[tokio::test]
async fn the_whole_of_what_was_spoken_of_is_outlined_alone() {
    let world = world().await;
    let outlined = async |turns: &[&str]| -> Vec<String> {
        let roles = ["user", "assistant"].into_iter().cycle();
        let messages: Vec<Value> =
            turns.iter().zip(roles).map(|(text, role)| json!({"role": role, "content": text})).collect();
        let shown = preview(&world, "en", json!({ "messages": messages }).to_string()).await;
        let passages = shown["passages"].as_array().expect("passages").iter();
        let outlines = passages.filter(|passage| passage["headings"] == json!(["Outline"]));
        outlines.map(|passage| passage["document"].as_str().expect("a name").to_owned()).collect()
    };
    let before = ["How long does the quick programme of the D40 take?", "35 minutes."];
    assert_eq!(outlined(&[before[0], before[1], "Summarize it."]).await, ["dishwasher-d40.md"]);
    assert_eq!(
        outlined(&[before[0], before[1], "And what is that document about?"]).await,
        ["dishwasher-d40.md"]
    );
    assert!(outlined(&["Summarize the documents."]).await.len() > 1);
}
