//! The log: a line for each request, and no text of documents, questions or keys in it.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::world::client::Response;
use super::world::{Request, World, eventually, question_body, within};

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

/// Asks on one connection, again and again.
async fn ask_often(world: &World, request: &Request, times: usize) -> Response {
    let mut response = request.send(world.address).await;
    for _ in 1..times {
        response.rest().await.1.expect("an answer");
        response.again(request, world.address).await;
        assert_eq!(response.status, 404);
    }
    response.rest().await.1.expect("an answer");
    response
}

/// A hung log shipper, a stopped terminal: the log stands still, and nothing else does.
#[tokio::test]
async fn a_log_that_nobody_reads_holds_nobody_up() {
    let (world, mut program) = World::unread_program("").await;
    ask_often(&world, &Request::new("GET", "/nothing"), 3000).await;
    // More than is kept for a reader that comes back.
    let long = Request::new("GET", &format!("/nothing/{}", "x".repeat(8000)));
    ask_often(&world, &long, 1500).await;
    assert_eq!(world.get("/health").await.status, 200);
    let lost = lost_lines(&world).await;
    assert!(lost > 0, "all of it was kept");
    // The reader is back: it gets what was kept, is told of the rest once, and then all of what comes.
    let mut lines = BufReader::new(program.log()).lines();
    let mut told = Vec::new();
    let mut requests = 0;
    let last = Request::new("GET", "/nothing/after");
    loop {
        let line = match tokio::time::timeout(std::time::Duration::from_millis(50), lines.next_line()).await {
            Ok(line) => line.expect("the log").expect("a line"),
            Err(_) => {
                world.ask(last.clone()).await;
                continue;
            }
        };
        requests += usize::from(line.contains("/nothing"));
        if line.contains("lines of the log were lost") {
            told.push(line);
        } else if line.contains("/nothing/after") {
            break;
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(&format!("lost={lost}")) || told[0].contains(&lost.to_string()),
        "{told:?}, {lost}"
    );
    assert!(requests > 1000, "{requests}");
    program.terminate().await;
    while within(lines.next_line()).await.expect("the log").is_some() {}
    assert!(program.ended().await.success());
}

/// As `/metrics` has it.
async fn lost_lines(world: &World) -> u64 {
    let text = world.get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix("lastro_log_lines_lost_total "));
    value.expect("it is counted").parse().expect("a number")
}

#[tokio::test]
async fn a_server_whose_log_nobody_reads_can_be_stopped() {
    let (world, program) = World::unread_program("").await;
    ask_often(&world, &Request::new("GET", &format!("/nothing/{}", "x".repeat(8000))), 100).await;
    program.terminate().await;
    assert!(program.ended().await.success());
}

/// What ends a start is told, and what ends a server's life too.
#[tokio::test]
async fn what_is_said_last_is_written() {
    let (world, mut program) = World::unread_program("").await;
    let second = tokio::process::Command::new(env!("CARGO_BIN_EXE_lastro"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(world.data())
        .current_dir(world.collections())
        .output();
    let second = within(second).await.expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).expect("text");
    assert!(said.starts_with("lastro: ") && said.contains("in use"), "{said}");
    program.terminate().await;
    let mut lines = BufReader::new(program.log()).lines();
    let mut last = String::new();
    while let Some(line) = within(lines.next_line()).await.expect("the log") {
        last = line;
    }
    assert!(last.contains("stopping"), "{last}");
    assert!(program.ended().await.success());
}
