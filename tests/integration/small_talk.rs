//! Small talk is not searched for, and goes as it came.

use serde_json::{Value, json};

use super::world::{Reply, World, long_document};

async fn world() -> World {
    let world = World::start("window = 2000").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    world
}

async fn ask(world: &World, turns: &[&str]) -> (String, Reply) {
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages: Vec<Value> =
        turns.iter().zip(roles).map(|(text, role)| json!({ "role": role, "content": text })).collect();
    let body = json!({ "messages": messages, "temperature": 0.50 }).to_string().replace(":{", ": {");
    let reply = world.post("/c/manual/v1/chat/completions", &[], body.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    (body, reply)
}

#[tokio::test]
async fn it_is_relayed_untouched_and_told() {
    let world = world().await;
    for message in ["oi", "Bom dia, tudo bem?", "obrigado!", "👍", "quem é você?", "asdfgh", "Thanks a lot!"]
    {
        let (body, reply) = ask(&world, &[message]).await;
        assert_eq!(reply.header("x-rag-status"), Some("skipped"), "{message}");
        assert_eq!(reply.header("x-rag-hits"), Some("0"));
        assert_eq!(world.upstream.last().text(), body, "{message}");
        let id = reply.header("x-rag-trace-id").expect("a trace");
        let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
        assert_eq!(trace["reason"], "small_talk");
        assert_eq!((&trace["query"], &trace["passages"]), (&Value::Null, &json!([])), "{message}");
    }
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("lastro_retrievals_total{status=\"skipped\"} 7"), "{metrics}");
}

#[tokio::test]
async fn a_question_behind_a_greeting_is_searched() {
    let world = world().await;
    let (_, reply) = ask(&world, &["oi, which code do the rules for topic9 give?"]).await;
    assert_eq!(reply.header("x-rag-status"), Some("lexical"));
    assert!(world.upstream.last().text().contains("CODE-9."));
}

#[tokio::test]
async fn a_nod_to_what_the_assistant_asked_is_searched() {
    let world = world().await;
    let question = "Which code do the rules for topic9 give?";
    for (answer, message, status) in [
        ("CODE-9 [1]. Shall I look up the rules for topic12 too?", "ok", "lexical"),
        ("CODE-9 [1]. Shall I look up the rules for topic12 too?", "sim", "lexical"),
        ("CODE-9 [1].", "yes, please", "lexical"),
        ("CODE-9 [1].", "ok", "skipped"),
        ("CODE-9 [1]. Shall I look up the rules for topic12 too?", "no, thanks", "skipped"),
    ] {
        let (_, reply) = ask(&world, &[question, answer, message]).await;
        assert_eq!(reply.header("x-rag-status"), Some(status), "{answer} {message}");
    }
}

#[tokio::test]
async fn whole_documents_stay_out_of_it() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let (body, reply) = ask(&world, &["hello there"]).await;
    assert_eq!(reply.header("x-rag-status"), Some("skipped"));
    assert_eq!(world.upstream.last().text(), body);
    let (_, reply) = ask(&world, &["When is the valve closed?"]).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
}
