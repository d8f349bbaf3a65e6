//! The log: a line for each request, and no text of documents, questions or keys in it.

use serde_json::Value;

use super::world::{Request, World, eventually, question_body};

const DOCUMENT: &str = "The zanzibar lamp is lit at dusk.";
const QUESTION: &str = "When is the quixotic lamp lit?";

/// The requests that were logged, once there are so many.
async fn lines(log: &std::path::Path, count: usize) -> Vec<Value> {
    eventually(|| async {
        let text = std::fs::read_to_string(log).expect("a log");
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = lines.filter(|line| line["target"] == "lastro::request").collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn each_request_has_a_line_without_its_text() {
    let (world, program, log) = World::logged_program("log_json = true").await;
    world.upload("manual", &[("lamp.txt", DOCUMENT)]).await;
    let traced = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let reply = world.chat("manual", QUESTION, &traced).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
    let secret = "Bearer sk-somebody-elses";
    let chat = Request::new("POST", "/v1/chat/completions").json(question_body(QUESTION));
    world.ask(chat.header("Authorization", secret)).await;
    world.get("/health").await;
    world.get("/nosuch").await.error(404, "unknown_url");

    let lines = lines(&log, 4).await;
    let routes: Vec<_> = lines.iter().map(|line| line["route"].as_str().expect("a route")).collect();
    assert_eq!(routes, ["documents", "chat", "chat", "other"]);
    let line = &lines[1];
    for (field, wanted) in [
        ("status", Value::from(200)),
        ("method", "POST".into()),
        ("path", "/v1/chat/completions".into()),
        ("end", "whole".into()),
        ("rag", "hit".into()),
        ("collections", "manual".into()),
        ("passages", 1.into()),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c".into()),
        ("id", reply.header("x-request-id").expect("an id").into()),
        ("question", Value::Null),
    ] {
        assert_eq!(line[field], wanted, "{field}: {line}");
    }
    assert!(line["ms"].as_f64() >= line["upstream_ms"].as_f64(), "{line}");
    program.terminate().await;
    assert!(program.ended().await.success());
    let text = std::fs::read_to_string(&log).expect("a log");
    for secret in ["zanzibar", "quixotic", "somebody-elses"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn questions_are_logged_where_that_was_asked_for() {
    let options = "log_json = true\nlog_questions = true\nwindow = 600";
    let (world, _program, log) = World::logged_program(options).await;
    let document = format!("{DOCUMENT} ").repeat(60);
    world.upload("manual", &[("lamp.txt", &document)]).await;
    world.chat("manual", QUESTION, &[]).await;
    let lines = lines(&log, 2).await;
    assert_eq!(lines[1]["question"], QUESTION, "{}", lines[1]);
    let text = std::fs::read_to_string(&log).expect("a log");
    assert!(!text.contains("zanzibar"), "documents are never logged");
}

#[tokio::test]
async fn requests_are_not_logged_where_that_is_switched_off() {
    let (world, program, log) = World::logged_program("log_json = true\nlog_requests = false").await;
    world.post("/v1/chat/completions", &[], question_body(QUESTION)).await;
    program.terminate().await;
    assert!(program.ended().await.success());
    assert!(!std::fs::read_to_string(&log).expect("a log").contains("lastro::request"));
}
