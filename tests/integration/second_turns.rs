//! A conversation over `/v1/responses` goes on as OpenAI's clients do it: what was answered is a part of the next input.

use serde_json::{Value, json};

use super::world::upstream::json_answer;
use super::world::{Piece, World};

const TARGET: &str = "/v1/responses";
const TOOL: &str = r#"{"type":"file_search","vector_store_ids":["manual"]}"#;
const FUNCTION: &str = r#"{"type":"function","name":"f","parameters":{}}"#;
const USER: &str = r#"{"role":"user","content":"Is the valve closed?"}"#;
const CALL: &str = r#"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#;
const OUTPUT: &str = r#"{"type":"function_call_output","call_id":"c1","output":"]}, file_search_call"}"#;
/// A search that another server made.
const FOREIGN: &str = r#"{"type":"file_search_call","id":"fs_00112233445566778899aabbccddeeff0011223344556677","queries":["q"]}"#;

fn answer() -> Vec<Piece> {
    let text = json!({"type": "output_text", "text": "Yes [1].", "annotations": []});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [text]});
    json_answer(
        "200 OK",
        &json!({"object": "response", "status": "completed", "output": [message]}).to_string(),
    )
}

async fn world() -> World {
    let world = World::with_manual("").await;
    world.upstream.play(answer());
    world
}

/// What the LLM server got.
async fn sent(world: &World, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let reply = world.post(target, headers, body).await;
    assert_eq!(reply.status, 200, "{body}: {}", reply.text());
    world.upstream.last().text()
}

/// An answer's search, with what was found.
async fn search(world: &World) -> String {
    let body = format!(
        r#"{{"model":"m","tools":[{TOOL}],"include":["file_search_call.results"],"input":[{USER}]}}"#
    );
    let reply = world.post(TARGET, &[], body).await;
    let search = &reply.json()["output"][0];
    assert_eq!(search["type"], "file_search_call", "{}", reply.text());
    assert!(search["results"][0]["text"].is_string());
    search.to_string()
}

#[tokio::test]
async fn what_was_answered_may_come_back_whatever_else_is_asked() {
    let world = world().await;
    let search = search(&world).await;
    let bare = search.replace(r#""id":"#, r#""former_id":"#);
    let reference = {
        let id = serde_json::from_str::<Value>(&search).expect("JSON")["id"].clone();
        format!(r#"{{"type":"item_reference","id":{id}}}"#)
    };
    for ours in [&search, &bare, &reference] {
        for (input, left) in [
            (format!("[{USER},{ours},{USER}]"), format!("[{USER},{USER}]")),
            (format!("[ {ours} , {USER}, {CALL},{OUTPUT} ]"), format!("[ {USER}, {CALL},{OUTPUT} ]")),
            (format!("[{USER},{ours},{CALL},{ours},{OUTPUT}]"), format!("[{USER},{CALL},{OUTPUT}]")),
            (format!("[{CALL},{OUTPUT},{ours}]"), format!("[{CALL},{OUTPUT}]")),
            (format!("[{ours}]"), "[]".to_owned()),
        ] {
            for more in ["", r#","tools":[{"type":"function","name":"f"}],"tool_choice":"auto""#] {
                let body = |input: &str| {
                    format!(r#" {{"model" : "m","x":1.0,"input": {input} ,"a":1,"a":2{more}}} "#)
                };
                // Nothing is chosen: a relay of all other bytes.
                assert_eq!(sent(&world, TARGET, &[], &body(&input)).await, body(&left));
            }
            // With a collection: the same bytes, and passages where there is a question.
            for (target, headers, tools) in [
                (TARGET, &[][..], format!(r#","tools":[{TOOL}]"#)),
                (TARGET, &[], format!(r#","tools":[{FUNCTION},{TOOL}]"#)),
                (TARGET, &[("x-rag", "off")], format!(r#","tools":[{TOOL},{FUNCTION}]"#)),
                (TARGET, &[("x-rag-collection", "manual")], String::new()),
                ("/c/manual/v1/responses", &[], String::new()),
            ] {
                let body = format!(r#"{{"model":"m","input":{input}{tools}}}"#);
                let got = sent(&world, target, headers, &body).await;
                assert!(!got.contains(r#""file_search"#) && !got.contains("fs_"), "{body}: {got}");
                let got: Value = serde_json::from_str(&got).expect("JSON");
                let left: Value = serde_json::from_str(&left).expect("JSON");
                let kinds = |input: &Value| -> Vec<Value> {
                    input.as_array().expect("a list").iter().map(|item| item["type"].clone()).collect()
                };
                assert_eq!(kinds(&got["input"]), kinds(&left), "{body}");
                let grounded = got["input"].to_string().contains("closed at noon");
                assert_eq!(
                    grounded,
                    headers.iter().all(|(name, _)| *name != "x-rag") && input.contains("role")
                );
            }
        }
    }
}

#[tokio::test]
async fn keys_and_names_may_be_spelled_with_escapes_and_stand_twice() {
    let world = world().await;
    let search = search(&world).await;
    let escaped =
        search.replace("file_search_call", "file_s\\u0065arch_call").replace("\"type\"", "\"\\u0074ype\"");
    let body = |input: &str, again: &str| {
        format!(r#"{{"\u0069nput":[{input}],"model":"m","input":[{again}],"input":"file_search_call"}}"#)
    };
    let got =
        sent(&world, TARGET, &[], &body(&format!("{escaped},{USER}"), &format!("{USER},{escaped}"))).await;
    assert_eq!(got, body(USER, USER));
}

#[tokio::test]
async fn a_search_of_another_server_is_relayed_and_goes_where_we_search() {
    let world = world().await;
    let body = format!(r#"{{"model":"m","input":[{USER},{FOREIGN},{USER}]}}"#);
    assert_eq!(sent(&world, TARGET, &[], &body).await, body);
    let got = sent(&world, TARGET, &[("x-rag-collection", "manual")], &body).await;
    assert!(!got.contains("file_search_call") && got.contains("closed at noon"), "{got}");
}

#[tokio::test]
async fn three_turns_with_all_that_was_answered() {
    let world = world().await;
    let mut input = vec![serde_json::from_str::<Value>(USER).expect("JSON")];
    for turn in 1..4 {
        let tool: Value = serde_json::from_str(TOOL).expect("JSON");
        let body = json!({"model": "m", "tools": [tool], "input": input});
        let reply = world.post(TARGET, &[], body.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let got = world.upstream.last().json();
        let kinds: Vec<&str> = got["input"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|i| i["role"].as_str().expect("a role"))
            .collect();
        assert_eq!(kinds, ["user", "assistant"].into_iter().cycle().take(2 * turn - 1).collect::<Vec<_>>());
        input.extend(reply.json()["output"].as_array().expect("a list").iter().cloned());
        input.push(json!({"role": "user", "content": "And since when is the valve closed?"}));
    }
}
