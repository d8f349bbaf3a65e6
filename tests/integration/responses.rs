//! `/v1/responses`: grounded by `file_search`, and untouched without it.

use serde_json::{Value, json};

use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Broken, Piece, Reply, Request, World, eventually};

const TARGET: &str = "/v1/responses";
const TOOL: &str = r#"{"type":"file_search","vector_store_ids":["manual"]}"#;
const OTHER: &str = r#"{"type":"function","name":"f","parameters":{}}"#;
const SEARCH: [&str; 5] = [
    "response.output_item.added",
    "response.file_search_call.in_progress",
    "response.file_search_call.searching",
    "response.file_search_call.completed",
    "response.output_item.done",
];

fn message(text: &str, status: &str) -> Value {
    let part = json!({"type": "output_text", "text": text, "annotations": [], "logprobs": null});
    let content = if status == "completed" { vec![part] } else { Vec::new() };
    json!({"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content})
}

fn response(output: &[Value], status: &str) -> Value {
    json!({"id": "resp_1", "object": "response", "status": status, "model": "test-model", "output": output,
           "tools": [], "tool_choice": "none", "temperature": 0.5})
}

/// What upstream answers: `Não [1].`, whole.
fn answer() -> String {
    response(&[message("Não [1].", "completed")], "completed").to_string()
}

/// The same in events.
fn frames() -> Vec<String> {
    let part = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let text = "Não [1].";
    let whole = message(text, "completed");
    let told = [
        ("created", json!({"response": response(&[], "in_progress")})),
        ("in_progress", json!({"response": response(&[], "in_progress")})),
        ("output_item.added", json!({"item": message(text, "in_progress"), "output_index": 0})),
        ("content_part.added", json!({"part": {"type": "output_text", "text": "", "annotations": []}})),
        ("output_text.delta", json!({"delta": "Não [1"})),
        ("output_text.delta", json!({"delta": "]."})),
        ("output_text.done", json!({"text": text})),
        ("content_part.done", json!({"part": whole["content"][0]})),
        ("output_item.done", json!({"item": whole, "output_index": 0})),
        ("completed", json!({"response": response(&[whole], "completed")})),
    ];
    let frame = |(number, (kind, mut fields)): (usize, (&str, Value))| {
        let of_text = kind.starts_with("content_part") || kind.starts_with("output_text");
        let event = fields.as_object_mut().expect("an object");
        event.extend(part.as_object().expect("an object").clone().into_iter().filter(|_| of_text));
        event.insert("type".into(), format!("response.{kind}").into());
        event.insert("sequence_number".into(), number.into());
        format!("event: response.{kind}\ndata: {fields}\n\n")
    };
    told.into_iter().enumerate().map(frame).collect()
}

fn streamed() -> Vec<Piece> {
    vec![Piece::Bytes([EVENTS, &chunk(frames().concat().as_bytes()), LAST_CHUNK].concat())]
}

fn events(body: &str) -> Vec<Value> {
    let data = body.split("\n\n").filter_map(|frame| frame.split_once("data: "));
    data.map(|(_, data)| serde_json::from_str(data).expect("JSON")).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

fn body(input: &str, more: &str) -> String {
    format!(r#"{{"model":"test-model", "input":{input},"x":0.10{more}}}"#)
}

fn with_tool(more: &str) -> String {
    body("\"Is the valve closed?\"", &format!(",\"tools\":[{TOOL}]{more}"))
}

/// The id of the document in `manual`.
async fn document(world: &World) -> String {
    let list = world.get("/v1/vector_stores/manual/documents").await.json();
    list["data"][0]["id"].as_str().expect("an id").to_owned()
}

async fn world() -> World {
    let world = World::with_manual("").await;
    world.upstream.play(json_answer("200 OK", &answer()));
    world
}

/// Holds a grounded answer against its shape, and gives the call.
fn check(reply: &Reply, file: &str) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-rag-hits"), Some("1"));
    let response = reply.json();
    let [call, message] = response["output"].as_array().expect("a list").as_slice() else {
        panic!("not two elements: {response}");
    };
    let citation = json!({"type": "file_citation", "index": 4, "file_id": file, "filename": "valve.txt"});
    assert_eq!(message["content"][0]["annotations"], json!([citation]));
    assert_eq!((&call["type"], &call["status"]), (&json!("file_search_call"), &json!("completed")));
    assert!(call["id"].as_str().is_some_and(|id| id.starts_with("fs_")), "{call}");
    assert_eq!(call["queries"], json!(["Is the valve closed?"]));
    call.clone()
}

#[tokio::test]
async fn without_file_search_it_is_relayed_byte_for_byte() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    let request = format!(" {} ", body("[ \"odd\" ]", &format!(r#", "tools":[{OTHER}],"tools":[]"#)));
    for answer in [json_answer("200 OK", &answer()), json_answer("400 Bad Request", "{\"error\":7}")] {
        world.upstream.play(answer.clone());
        let reply = world.post(TARGET, &[], request.clone()).await;
        let Piece::Bytes(sent) = &answer[0] else { panic!("bytes") };
        assert!(sent.ends_with(&reply.body) && reply.header("x-rag-status").is_none());
        assert_eq!(world.upstream.last().text(), request);
        assert_eq!(world.upstream.last().target, TARGET);
    }
    world.upstream.play(streamed());
    assert_eq!(world.post(TARGET, &[], request).await.text(), frames().concat());
    // What is not a creation is not ours.
    world.upstream.play(json_answer("404 Not Found", "{}"));
    for target in ["/v1/responses/resp_1", "/v1/responses"] {
        assert_eq!(world.get(target).await.status, 404);
        assert_eq!(world.upstream.last().target, target);
    }
}

#[tokio::test]
async fn file_search_grounds_the_question_and_shows_in_the_answer() {
    let world = world().await;
    let file = document(&world).await;
    let reply = world.post(TARGET, &[], with_tool(",\"tool_choice\":{\"type\":\"file_search\"}")).await;
    let call = check(&reply, &file);
    assert_eq!(call["results"], Value::Null);
    let tool: Value = serde_json::from_str(TOOL).expect("JSON");
    assert_eq!(reply.json()["tools"], json!([tool]));
    assert_eq!(reply.json()["tool_choice"], json!({"type": "file_search"}));
    assert_eq!(reply.json()["temperature"], 0.5);
    // The request is the client's, without the tool and with passages before the question.
    let sent = world.upstream.last();
    assert_eq!((sent.target.as_str(), sent.header("accept-encoding")), (TARGET, None));
    let text = sent.text();
    let (before, rest) = text.split_once("\"input\":\"").expect("an input");
    assert_eq!(before, "{\"model\":\"test-model\", ");
    assert!(rest.ends_with("Is the valve closed?\",\"x\":0.10}"), "{text}");
    assert!(rest.contains("closed at noon") && !text.contains("file_search"), "{text}");
    let trace = reply.header("x-rag-trace-id").expect("a trace");
    assert_eq!(
        world.get(&format!("/v1/rag/traces/{trace}")).await.json()["passages"][0]["document"],
        "valve.txt"
    );
}

#[tokio::test]
async fn results_are_shown_to_who_asks_for_them() {
    let world = world().await;
    let file = document(&world).await;
    let include = r#","include":["file_search_call.results", "reasoning.encrypted_content"]"#;
    let call = check(&world.post(TARGET, &[], with_tool(include)).await, &file);
    let mut found = call["results"][0].clone();
    let score = found.as_object_mut().and_then(|found| found.remove("score"));
    assert!(
        score.and_then(|score| score.as_f64()).is_some_and(|score| score > 0.0 && score <= 1.0),
        "{call}"
    );
    let expected = json!({"file_id": file, "filename": "valve.txt", "text": "The valve is closed at noon.", "attributes": {}});
    assert_eq!((&found, call["results"].as_array().map(Vec::len)), (&expected, Some(1)));
    assert_eq!(world.upstream.last().json()["include"], json!(["reasoning.encrypted_content"]));
    let tool = TOOL.replace('}', ",\"max_num_results\":1}");
    let one = with_tool(r#","include":["file_search_call.results"]"#).replace(TOOL, &tool);
    let call = check(&world.post(TARGET, &[], one).await, &file);
    assert!(call["results"][0]["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)), "{call}");
    assert_eq!(world.upstream.last().json().get("include"), None);
}

#[tokio::test]
async fn what_goes_in_whole_is_shown_best_first_with_attributes() {
    let world = world().await;
    let files = [
        ("pump.txt", "The pump hums at night."),
        ("tap.txt", "The tap of the valve drips on Mondays, the valve itself does not."),
    ];
    for document in world.upload("yard", &files).await {
        let target = format!("/v1/vector_stores/yard/files/{}", document["id"].as_str().expect("an id"));
        let body = json!({"attributes": {"of": document["filename"], "year": 2024, "open": true}});
        assert_eq!(world.post(&target, &[], body.to_string()).await.status, 200);
    }
    let yard = TOOL.replace("manual", "yard");
    let ask = async |tool: &str| {
        let body = with_tool(r#","include":["file_search_call.results"]"#).replace(TOOL, tool);
        let reply = world
            .post(TARGET, &[], body.replace("Is the valve closed?", "Does the tap of the valve drip?"))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let response = ask(&yard).await;
    let call = &response["output"][0];
    let names = |results: &Value| -> Vec<Value> {
        results.as_array().expect("results").iter().map(|found| found["filename"].clone()).collect()
    };
    assert_eq!(names(&call["results"]), ["tap.txt", "pump.txt"], "{call}");
    let scores: Vec<f64> = call["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|f| f["score"].as_f64().expect("a score"))
        .collect();
    assert!(scores[0] > scores[1] && scores[0] <= 1.0 && scores[1] >= 0.0, "{scores:?}");
    for found in call["results"].as_array().expect("results") {
        assert_eq!(found["attributes"], json!({"of": found["filename"], "year": 2024, "open": true}));
    }
    // In the prompt they are in their order, which the marks go by.
    let prompt = world.upstream.last().text();
    assert!(
        prompt.find("pump hums").expect("a text") < prompt.find("tap of the valve drips").expect("a text")
    );
    assert_eq!(response["output"][1]["content"][0]["annotations"][0]["filename"], "pump.txt", "{response}");
    // Searched for, they have the same shape.
    let call = &ask(&yard.replace('}', ",\"max_num_results\":1}")).await["output"][0];
    assert_eq!(
        (names(&call["results"]), &call["results"][0]["attributes"]["of"]),
        (vec![json!("tap.txt")], &json!("tap.txt"))
    );
}

#[tokio::test]
async fn a_stream_has_the_search_before_the_answer_and_numbers_that_rise() {
    let world = world().await;
    let file = document(&world).await;
    world.upstream.play(streamed());
    let reply = world.post(TARGET, &[], with_tool(",\"stream\":true")).await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let told = events(&reply.text());
    let theirs = events(&frames().concat());
    let mut expected = kinds(&theirs);
    expected.splice(2..2, SEARCH);
    expected.insert(11, "response.output_text.annotation.added");
    assert_eq!(kinds(&told), expected);
    let numbers: Vec<_> = told.iter().map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..told.len() as u64).map(Some).collect::<Vec<_>>());
    let citation = json!({"type": "file_citation", "index": 4, "file_id": file, "filename": "valve.txt"});
    assert_eq!(told[11]["annotation"], citation);
    assert!(told[7..15].iter().all(|event| event["output_index"] == 1));
    let last = &told[told.len() - 1]["response"];
    assert_eq!(last["output"], json!([told[6]["item"], told[14]["item"]]));
    assert_eq!(last["output"][1]["content"][0]["annotations"], json!([citation]));
    for event in [&told[0], &told[1], &told[told.len() - 1]] {
        assert_eq!(event["response"]["tools"][0]["type"], "file_search");
    }
}

#[tokio::test]
async fn every_event_passes_before_the_next_is_sent_and_a_break_stays_a_break() {
    let world = world().await;
    let frames = frames();
    let mut pieces = vec![Piece::Bytes(EVENTS.to_vec())];
    for frame in &frames[..6] {
        pieces.extend([Piece::Bytes(chunk(frame.as_bytes())), Piece::Gate]);
    }
    pieces.extend([Piece::Bytes(chunk(b"data: {\"cut")), Piece::Gate, Piece::Die]);
    world.upstream.play(pieces);
    let request = Request::new("POST", TARGET).json(with_tool(",\"stream\":true"));
    let mut response = request.send(world.address).await;
    let mut seen = String::new();
    for (passed, frame) in (1..).zip(&frames[..6]) {
        let kind = frame.lines().next().expect("a name");
        let count = frames[..passed].iter().filter(|frame| frame.starts_with(kind)).count();
        // The search has an element of its own that is added.
        let ours = usize::from(kind.ends_with("output_item.added"));
        while seen.matches(kind).count() < count + ours || !seen.ends_with("\n\n") {
            let part = response.next().await.expect("an unbroken body").expect("more of it");
            seen.push_str(std::str::from_utf8(&part).expect("whole events"));
        }
        world.upstream.release();
    }
    world.upstream.release();
    let (rest, end) = response.rest().await;
    assert_eq!((rest.as_slice(), end), (&b"data: {\"cut"[..], Err(Broken)));
    // Who leaves cancels.
    world
        .upstream
        .play(vec![Piece::Bytes([EVENTS, &chunk(frames[0].as_bytes())].concat()), Piece::UntilClosed]);
    let mut response = request.send(world.address).await;
    response.next().await.expect("a frame").expect("a frame");
    drop(response);
    eventually(|| async { (world.upstream.closed() == 1).then_some(()) }).await;
}

#[tokio::test]
async fn path_header_and_model_choose_too() {
    let world = world().await;
    let file = document(&world).await;
    let plain = body(
        "[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Is the valve closed?\"}]}]",
        "",
    );
    let named = plain.replace("test-model", "test-model@manual");
    let header = [("X-RAG-Collection", "manual")];
    for (target, headers, request) in
        [("/c/manual/v1/responses", &[][..], &plain), (TARGET, &header, &plain), (TARGET, &[], &named)]
    {
        let reply = world.post(target, headers, request.clone()).await;
        check(&reply, &file);
        // The client sent no tools, so upstream's echo of them stays.
        assert_eq!((&reply.json()["tools"], &reply.json()["tool_choice"]), (&json!([]), &json!("none")));
        let sent = world.upstream.last().json();
        assert_eq!(sent["model"], "test-model");
        let parts = sent["input"][0]["content"].as_array().expect("parts");
        assert_eq!((parts.len(), &parts[0]["type"]), (2, &json!("input_text")));
    }
}

#[tokio::test]
async fn other_tools_stay_and_what_is_off_is_only_cut_out() {
    let world = world().await;
    let both = with_tool("").replace(TOOL, &format!("{TOOL}, {OTHER}"));
    assert_eq!(world.post(TARGET, &[], both.clone()).await.json()["tools"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        world.upstream.last().json()["tools"],
        json!([{"type": "function", "name": "f", "parameters": {}}])
    );
    let off = world.post(TARGET, &[("X-RAG", "off")], both).await;
    assert_eq!((off.text(), off.header("x-rag-status")), (answer(), Some("off")));
    assert!(!world.upstream.last().text().contains("file_search"));
    // After a call of a tool there is no question to search for.
    let result = "[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"7\"}]";
    let going_on = body(result, &format!(",\"previous_response_id\":\"resp_0\",\"tools\":[{TOOL}]"));
    let reply = world.post(TARGET, &[], going_on).await;
    assert_eq!((reply.text(), reply.header("x-rag-status")), (answer(), Some("empty")));
    assert_eq!(world.upstream.last().text(), body(result, ",\"previous_response_id\":\"resp_0\""));
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_by_name() {
    let world = world().await;
    let refused = [
        (with_tool(",\"input\":\"x\""), 400, "input"),
        (with_tool(",\"tools\":[]"), 400, "tools"),
        (with_tool(",\"model\":\"m\""), 400, "model"),
        (body("7", &format!(",\"tools\":[{TOOL}]")), 400, "input"),
        (with_tool("").replace("\"manual\"", ""), 400, "tools[0].vector_store_ids"),
        (with_tool("").replace(TOOL, &format!("{OTHER},{TOOL},{TOOL}")), 400, "tools[2]"),
        (
            with_tool("").replace(TOOL, &TOOL.replace('}', ",\"max_num_results\":99}")),
            400,
            "tools[0].max_num_results",
        ),
    ];
    for (request, status, param) in refused {
        let reply = world.post(TARGET, &[], request.clone()).await;
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (status, &json!(param)), "{request}");
    }
    let unknown = world.post(TARGET, &[], with_tool("").replace("manual", "nothing")).await;
    assert_eq!(unknown.status, 404);
    let two = world.post(TARGET, &[("X-RAG-Collection", "nothing")], with_tool("")).await;
    assert!(two.status == 404 || two.status == 400, "{}", two.text());
    assert!(world.upstream.requests().is_empty());
    // Upstream's refusals are upstream's.
    world.upstream.play(json_answer("400 Bad Request", &answer()));
    let reply = world.post(TARGET, &[], with_tool("")).await;
    assert_eq!((reply.status, reply.text()), (400, answer()));
}
