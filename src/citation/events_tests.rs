use serde_json::{Value, json};

use super::*;
use crate::citation::recorded::body;
use crate::openai::SentTools;
use crate::prompt::Passage;

const VLLM: &[u8] = include_bytes!("../../tests/fixtures/recordings/vllm/41_responses_stream.response");
const LLAMA: &[u8] = include_bytes!("../../tests/fixtures/recordings/llama.cpp/41_responses_stream.response");
const WHOLE: &[u8] = include_bytes!("../../tests/fixtures/recordings/vllm/40_responses.response");

const SEARCH: [&str; 5] = [
    "response.output_item.added",
    "response.file_search_call.in_progress",
    "response.file_search_call.searching",
    "response.file_search_call.completed",
    "response.output_item.done",
];
const CITED: &str = "response.output_text.annotation.added";

/// A search that found two passages of `ação.pdf` and one of `b`.
fn call() -> SearchCall {
    let passage = |name: &str| Passage {
        document: name.into(),
        document_id: format!("file-{}", name.len()),
        score: Some(1.5),
        text: "t".into(),
        ..Passage::default()
    };
    let tools = SentTools { tools: r#"[{"type" : "file_search"}]"#.into(), tool_choice: None };
    let passages = vec![passage("ação.pdf"), passage("ação.pdf"), passage("b")];
    SearchCall::new("fs_1".into(), "What?", &passages.into(), true, Some(tools))
}

fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut events = Events::new(call());
    let mut out: Vec<u8> = pieces.into_iter().flat_map(|p| events.piece(Bytes::copy_from_slice(p))).collect();
    out.extend(events.end());
    String::from_utf8(out).expect("UTF-8")
}

/// The events of a stream, each named as its type says.
fn events(stream: &str) -> Vec<Value> {
    let frames = stream.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let (name, data) = frame.split_once('\n').expect("a name and data");
            let value: Value =
                serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            assert_eq!(name.strip_prefix("event: "), value["type"].as_str());
            value
        })
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

fn citation(index: u64, name: &str) -> Value {
    json!({"type": "file_citation", "index": index, "file_id": format!("file-{}", name.len()), "filename": name})
}

fn item(status: &str) -> Value {
    let mut item =
        json!({"id": "fs_1", "type": "file_search_call", "status": status, "queries": [], "results": null});
    if status == "completed" {
        let found = |name: &str| json!({"file_id": format!("file-{}", name.len()), "filename": name, "score": 1.0, "attributes": {}, "text": "t"});
        item["queries"] = json!(["What?"]);
        item["results"] = json!([found("ação.pdf"), found("ação.pdf"), found("b")]);
    }
    item
}

fn number(events: &[Value]) {
    let numbers: Vec<_> =
        events.iter().map(|event| event["sequence_number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_recorded_response_has_the_search_and_the_citations_in_it() {
    let recorded = body(VLLM);
    let theirs = events(std::str::from_utf8(&recorded).expect("UTF-8"));
    let out = run([recorded.as_slice()]);
    let ours = events(&out);
    number(&ours);
    let mut expected = kinds(&theirs);
    expected.splice(2..2, SEARCH);
    let done = expected.iter().position(|kind| *kind == "response.output_text.done").expect("an end");
    expected.splice(done..done, [CITED, CITED]);
    assert_eq!(kinds(&ours), expected);

    assert_eq!((&ours[2]["item"], &ours[6]["item"]), (&item("in_progress"), &item("completed")));
    assert!(ours[2..7].iter().all(|event| event["output_index"] == 0));
    assert!(ours[3..6].iter().all(|event| event["item_id"] == "fs_1"));
    assert!(ours[7..ours.len() - 1].iter().all(|event| event["output_index"] == 1));
    // Upstream's text has no marks: it rests on both files.
    let cited = json!([citation(34, "ação.pdf"), citation(34, "b")]);
    for (n, event) in (0..2).zip(&ours[done..]) {
        assert_eq!((&event["annotation"], &event["annotation_index"]), (&cited[n], &json!(n)));
        assert_eq!((&event["item_id"], &event["content_index"]), (&ours[7]["item"]["id"], &json!(0)));
    }
    let last = ours.len() - 1;
    assert_eq!(ours[last - 2]["part"]["annotations"], cited);
    assert_eq!(ours[last - 1]["item"]["content"][0]["annotations"], cited);
    let response = &ours[last]["response"];
    assert_eq!(response["output"], json!([item("completed"), ours[last - 1]["item"]]));
    for event in [&ours[0], &ours[1], &ours[last]] {
        assert_eq!(event["response"]["tools"], json!([{"type": "file_search"}]));
        assert_eq!(event["response"]["tool_choice"], "auto");
    }
    assert_eq!(ours[0]["response"]["output"], json!([]));
    // All else is as it was.
    assert_eq!(response["usage"], theirs[theirs.len() - 1]["response"]["usage"]);
    assert!(out.contains("\"temperature\":0.0,"));

    for at in 0..recorded.len() {
        assert!(run([&recorded[..at], &recorded[at..]]) == out, "at {at}");
    }
    assert!(run(recorded.chunks(1)) == out);
}

#[test]
fn servers_that_number_nothing_are_numbered() {
    let ours = events(&run([body(LLAMA).as_slice()]));
    number(&ours);
    assert_eq!(kinds(&ours)[2..7], SEARCH);
    let last = ours.len() - 1;
    assert!(ours[7..last].iter().all(|event| event["output_index"] == 1), "{ours:?}");
    assert_eq!(ours[last]["response"]["output"][0], item("completed"));
    assert_eq!(ours[last]["response"]["output"][1]["content"][0]["annotations"][1], citation(34, "b"));
}

#[test]
fn an_answer_that_is_not_streamed_has_the_same_shape() {
    let recorded = String::from_utf8(body(WHOLE)).expect("UTF-8");
    let answer = |text: &str| call().in_response(Object::parse(text)?);
    let ours: Value = serde_json::from_str(&answer(&recorded).expect("a response")).expect("JSON");
    let mut expected: Value = serde_json::from_str(&recorded).expect("JSON");
    let output = expected["output"].as_array_mut().expect("a list");
    output[0]["content"][0]["annotations"] = json!([citation(34, "ação.pdf"), citation(34, "b")]);
    output.insert(0, item("completed"));
    expected["tools"] = json!([{"type": "file_search"}]);
    expected["tool_choice"] = json!("auto");
    assert_eq!(ours, expected);
    for none in ["", "[]", "{\"error\":{}}", "{\"output\":{}}"] {
        assert_eq!(answer(none), None, "{none}");
    }
    // One that goes on in the background has nothing yet.
    let queued = answer("{\"status\":\"queued\",\"output\":[]}").expect("a response");
    assert_eq!(serde_json::from_str::<Value>(&queued).expect("JSON")["output"], json!([]));
}

#[test]
fn results_come_best_first_and_marks_keep_their_numbers() {
    let passage = |name: &str, score: Option<f32>, attributes: &str| Passage {
        document: name.into(),
        document_id: name.into(),
        text: name.into(),
        attributes: attributes.into(),
        score,
        ..Passage::default()
    };
    let passages = vec![
        passage("b", None, ""),
        passage("a", Some(0.25), r#"{"year":2024}"#),
        passage("b", Some(0.75), r#"{"x":true}"#),
        passage("c", None, "damaged"),
    ];
    let call = SearchCall::new("fs_1".into(), "What?", &passages.into(), true, None);
    let item: Value = serde_json::from_str(&call.item(true)).expect("JSON");
    let found = |name: &str, attributes: Value| json!({"file_id": name, "filename": name, "text": name, "attributes": attributes});
    let scored = |name: &str, attributes: Value, score: f32| {
        let mut found = found(name, attributes);
        found["score"] = score.into();
        found
    };
    let expected = json!([
        scored("b", json!({}), 0.75),
        scored("b", json!({"x": true}), 0.75),
        scored("a", json!({"year": 2024}), 0.25),
        found("c", json!({})),
    ]);
    assert_eq!(item["results"], expected);
    let cited: Value = serde_json::from_str(&call.annotations("[2]")[0]).expect("JSON");
    assert_eq!(cited["file_id"], "a");
}

#[test]
fn marks_name_files_where_they_stand() {
    let read = |text: &str| -> Vec<Value> {
        let list = call().annotations(text);
        list.iter().map(|annotation| serde_json::from_str(annotation).expect("JSON")).collect()
    };
    assert_eq!(read("é [1, 2] e [3][9]."), [citation(2, "ação.pdf"), citation(11, "b")]);
    assert_eq!(read("[3, 1]"), [citation(0, "b"), citation(0, "ação.pdf")]);
    assert_eq!(read("Olá [9]"), [citation(7, "ação.pdf"), citation(7, "b")]);
    assert_eq!(read(""), [] as [Value; 0]);
}

fn frame(kind: &str, mut fields: Value) -> String {
    fields["type"] = kind.into();
    format!("event: {kind}\ndata: {fields}\n\n")
}

#[test]
fn upstreams_own_annotations_and_numbers_go_on() {
    let theirs = json!({"type": "url_citation", "url": "u"});
    let place = |fields: Value| {
        let mut place = json!({"item_id": "m", "output_index": 3, "content_index": 2});
        place.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        place
    };
    let part = json!({"type": "output_text", "text": "a [3]", "annotations": [theirs]});
    let stream = [
        frame("response.created", json!({"response": {"output": []}, "sequence_number": 5})),
        ": ping\n\n".to_owned(),
        frame(CITED, place(json!({"annotation": theirs, "annotation_index": 0, "sequence_number": 6}))),
        // Without an event of the text's end.
        frame("response.content_part.done", place(json!({"part": part, "sequence_number": 9}))),
        frame("response.reasoning_text.delta", json!({"output_index": 0, "sequence_number": 10})),
        frame(
            "response.failed",
            json!({"response": {"status": "failed", "output": []}, "sequence_number": 11}),
        ),
    ]
    .concat();
    let out = run([stream.as_bytes()]);
    assert!(out.contains("\n\n: ping\n\n"));
    let ours = events(&out.replace(": ping\n\n", ""));
    // The search is told before the first event of the answer.
    assert_eq!(kinds(&ours)[1..6], SEARCH);
    let numbers: Vec<_> =
        ours.iter().map(|event| event["sequence_number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17]);
    let added = &ours[7];
    assert_eq!((&added["annotation_index"], &added["annotation"]), (&json!(1), &citation(2, "b")));
    assert_eq!((&added["output_index"], &added["content_index"]), (&json!(4), &json!(2)));
    assert_eq!(ours[8]["part"]["annotations"], json!([theirs, citation(2, "b")]));
    assert_eq!((&ours[6]["output_index"], &ours[9]["output_index"]), (&json!(4), &json!(1)));
    assert_eq!(ours[10]["response"]["output"], json!([item("completed")]));
}

#[test]
fn what_is_no_event_of_a_response_passes_as_it_is() {
    for stream in [
        "",
        "data: [DONE]\n\n",
        "data: {\"a\":\r\n\r\n",
        ": comment\r\r",
        "data: {\"choices\":[]}\n\n",
        "event: response.created\ndata: {\"type\":\"response.cre",
    ] {
        assert_eq!(run([stream.as_bytes()]), stream);
    }
    // An error comes through, and nothing is made of it.
    let error = "event: error\ndata: {\"type\":\"error\",\"message\":\"x\",\"sequence_number\":3}\n\n";
    assert_eq!(run([error.as_bytes()]), error);
    let mut events = Events::new(call());
    assert_eq!(events.piece(Bytes::from_static(b"data: {\"type\"")), "");
    assert_eq!(events.broken(), "data: {\"type\"");
}
