//! How much is read and counted for one question: what goes in, and nothing that will not.

use rusqlite::OptionalExtension;
use serde_json::json;

use super::world::upstream::vllm_models;
use super::world::{Reply, World, eventually, long_document};

/// One token for four bytes.
fn truthful(body: &[u8]) -> String {
    format!("{{\"count\":{}}}", body.len() / 4)
}

/// Asks about section 5 with so many tokens for the answer.
async fn ask(world: &World, max_tokens: u64) -> Reply {
    ask_with(world, max_tokens, &[]).await
}

async fn ask_with(world: &World, max_tokens: u64, headers: &[(&str, &str)]) -> Reply {
    let question = "Which code do the rules for topic5 give?";
    let body = json!({ "model": "test-model", "max_tokens": max_tokens, "messages": [{ "role": "user", "content": question }] });
    world.upstream.forget();
    let reply = world.post("/c/manual/v1/chat/completions", headers, body.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database")
}

/// A world with a document of so many sections, and beside it one that has no word of the question. Reading that fails.
async fn world(window: u64, sections: usize) -> World {
    let mut world = World::prepared("").await;
    world.upstream.models(&vllm_models(window));
    world.upstream.tokenize(truthful);
    world.run().await;
    let files = [("station.md", &*long_document(sections)), ("zebras.txt", "Zebras graze near ponds.")];
    world.upload("manual", &files).await;
    break_zebras(&world);
    world
}

fn break_zebras(world: &World) {
    let broken = "UPDATE chunks SET headings = 'broken' WHERE text LIKE 'Zebras%'";
    assert_eq!(database(world).execute(broken, []).expect("a chunk is broken"), 1);
}

fn mend_zebras(world: &World) {
    database(world)
        .execute("UPDATE chunks SET headings = '[]' WHERE headings = 'broken'", [])
        .expect("mended");
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_neither_read_nor_counted() {
    // Of 7,692 tokens, 90 sections take a little more by the estimate, 120 by any count, 2,000 many times as much.
    for sections in [90, 120, 2_000] {
        let world = world(8_192, sections).await;
        let reply = ask(&world, 500).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{sections}");
        assert!(world.upstream.last().text().contains("CODE-5."));
        assert_eq!(world.upstream.asked("/tokenize"), 0, "{sections}");
    }
}

#[tokio::test]
async fn a_document_that_fits_is_read_and_not_counted() {
    let world = world(8_192, 30).await;
    // It is read: that it is broken shows.
    let body = super::world::question_body("Which code do the rules for topic5 give?");
    let reply = world.post("/c/manual/v1/chat/completions", &[], body).await;
    assert_eq!(reply.status, 503);
    database(&world)
        .execute("UPDATE chunks SET headings = '[]' WHERE headings = 'broken'", [])
        .expect("mended");
    assert_eq!(ask(&world, 500).await.header("x-rag-status"), Some("hit"));
    assert!(world.upstream.last().text().contains("CODE-29."));
    assert_eq!(world.upstream.asked("/tokenize"), 0);
}

#[tokio::test]
async fn near_the_limit_one_count_of_what_goes_in_is_asked_for() {
    for (window, sections) in [(752, 40), (1_000, 40), (1_400, 40), (1_400, 900)] {
        let world = world(window, sections).await;
        // More than there is room for.
        let reply = ask_with(&world, 500, &[("X-RAG-K", "8")]).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{window}");
        let sent = world.upstream.last();
        assert!(sent.body.len() / 4 <= window as usize - 500, "{window}: {} bytes", sent.body.len());
        let asked = world.upstream.everything();
        let counted: Vec<_> = asked.iter().filter(|request| request.target == "/tokenize").collect();
        assert_eq!(counted.len(), 1, "{window}");
        // A few bytes more are the fields of the count.
        assert!(counted[0].body.len() <= sent.body.len() + 64, "{window}: {} bytes", counted[0].body.len());
    }
    // A question that leaves no room is counted by itself.
    let world = world(1_000, 40).await;
    assert_eq!(ask(&world, 990).await.header("x-rag-status"), Some("no_room"));
    assert!(world.upstream.asked("/tokenize") <= 1);
}

#[tokio::test]
async fn documents_that_were_never_measured_are_measured_once() {
    let world = world(8_192, 90).await;
    mend_zebras(&world);
    database(&world).execute("UPDATE documents SET prompt_tokens = NULL", []).expect("as in an old folder");
    assert_eq!(ask(&world, 500).await.header("x-rag-status"), Some("lexical"));
    let measured = || {
        let sum = "SELECT sum(prompt_tokens) FROM documents HAVING count(prompt_tokens) > 0";
        database(&world).query_row(sum, [], |row| row.get::<_, i64>(0)).optional().expect("the database")
    };
    let tokens = eventually(|| async { measured() }).await;
    assert!((7_700..14_000).contains(&tokens), "{tokens}");
    // From then on it is left alone.
    break_zebras(&world);
    assert_eq!(ask(&world, 500).await.header("x-rag-status"), Some("lexical"));
}
