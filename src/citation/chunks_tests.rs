use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::citation::recorded::body;
use crate::prompt::Passage;

const RECORDED: [&[u8]; 6] = [
    include_bytes!("../../tests/fixtures/recordings/vllm/04_chat_stream.response"),
    include_bytes!("../../tests/fixtures/recordings/vllm/05_chat_stream_usage.response"),
    include_bytes!("../../tests/fixtures/recordings/vllm/08_chat_stream_n2.response"),
    include_bytes!("../../tests/fixtures/recordings/vllm/09_chat_tools_auto_stream.response"),
    include_bytes!("../../tests/fixtures/recordings/llama.cpp/04_chat_stream.response"),
    include_bytes!("../../tests/fixtures/recordings/llama.cpp/10_chat_tools_named_stream.response"),
];

fn two() -> Sources {
    let passage =
        |name: &str| Passage { document: name.into(), document_id: name.into(), ..Passage::default() };
    Sources::new("http://h", &vec![passage("ação.pdf"), passage("b")].into())
}

fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut chunks = Chunks::new(two());
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(chunks.piece(Bytes::copy_from_slice(piece)));
    }
    out.extend(chunks.end());
    String::from_utf8(out).expect("UTF-8")
}

/// The frames that were inserted, and the rest.
fn inserted(out: &str) -> (Vec<Value>, String) {
    let (mut ours, mut theirs) = (Vec::new(), String::new());
    for frame in out.split_inclusive("\n\n") {
        match frame.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
            Some(chunk) if chunk["choices"][0]["delta"]["annotations"].is_array() => ours.push(chunk),
            _ => theirs.push_str(frame),
        }
    }
    (ours, theirs)
}

/// The places of the citations of a chunk: start, end, title.
fn places(chunk: &Value) -> Vec<(u64, u64, &str)> {
    let list = chunk["choices"][0]["delta"]["annotations"].as_array().expect("a list").iter();
    let place = |citation: &'_ Value| (citation["start_index"].as_u64(), citation["end_index"].as_u64());
    list.map(|annotation| {
        assert_eq!(annotation["type"], "url_citation");
        let citation = &annotation["url_citation"];
        let (start, end) = place(citation);
        (start.expect("a start"), end.expect("an end"), citation["title"].as_str().expect("a title"))
    })
    .collect()
}

fn chunk(index: u64, delta: Value, finish: Option<&str>) -> String {
    let choice = json!({"index": index, "delta": delta, "finish_reason": finish});
    format!("data: {}\n\n", json!({"id": "c", "created": 7, "choices": [choice]}))
}

fn says(index: u64, content: &str) -> String {
    chunk(index, json!({"content": content}), None)
}

#[test]
fn recorded_answers_are_annotated_once_a_choice_wherever_they_are_cut() {
    for (recorded, choices) in RECORDED.iter().zip([1, 1, 2, 1, 1, 1]) {
        let body = body(recorded);
        let text = std::str::from_utf8(&body).expect("UTF-8");
        let whole = run([body.as_slice()]);
        let (ours, theirs) = inserted(&whole);
        assert_eq!(theirs, text);
        assert_eq!(ours.len(), choices, "{whole}");
        for (index, chunk) in (0..).zip(&ours) {
            let first: Value = serde_json::from_str(text[6..].lines().next().expect("a line")).expect("JSON");
            for key in ["id", "object", "model"] {
                assert_eq!(chunk[key], first[key]);
            }
            assert_eq!(chunk["choices"][0]["index"], index);
            assert_eq!(chunk["choices"][0]["finish_reason"], Value::Null);
            assert_eq!(chunk["choices"].as_array().map(Vec::len), Some(1));
        }
        for at in 0..body.len() {
            assert_eq!(run([&body[..at], &body[at..]]), whole, "at {at}");
        }
        assert_eq!(run(body.chunks(1)), whole);
    }
}

#[test]
fn the_annotations_stand_right_before_the_finish() {
    let whole = run([body(RECORDED[2]).as_slice()]);
    let frames: Vec<&str> = whole.split_inclusive("\n\n").collect();
    for (at, frame) in frames.iter().enumerate().filter(|(_, frame)| frame.contains("annotations")) {
        let index = &inserted(frame).0[0]["choices"][0]["index"];
        let next = frames[at + 1];
        assert!(
            next.contains("\"finish_reason\":\"") && next.contains(&format!("\"index\":{index}")),
            "{next}"
        );
    }
}

#[test]
fn marks_are_counted_over_chunks_and_choices() {
    let stream = [
        chunk(0, json!({"role": "assistant", "content": ""}), None),
        chunk(1, json!({"role": "assistant", "content": null}), None),
        says(0, "Não €[1"),
        says(1, "👋🏽"),
        chunk(0, json!({"reasoning_content": "[2] "}), None),
        says(0, "]."),
        says(1, " [7][1-2"),
        // The chunk of a finish may say the last words.
        chunk(1, json!({"content": "]"}), Some("length")),
        says(0, " Sim"),
        chunk(0, json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let (ours, theirs) = inserted(&run([stream.as_bytes()]));
    assert_eq!(theirs, stream);
    assert_eq!(places(&ours[0]), [(6, 11, "ação.pdf"), (6, 11, "b")]);
    assert_eq!(places(&ours[1]), [(5, 8, "ação.pdf")]);
    assert_eq!((&ours[0]["choices"][0]["index"], &ours[1]["choices"][0]["index"]), (&json!(1), &json!(0)));
    assert_eq!((&ours[0]["id"], &ours[0]["created"], ours[0].get("model")), (&json!("c"), &json!(7), None));
}

#[test]
fn an_answer_without_a_mark_rests_on_all_sources() {
    let stream = [says(0, "Olá [9] [0] ["), chunk(0, json!({}), Some("stop"))].concat();
    let (ours, _) = inserted(&run([stream.as_bytes()]));
    assert_eq!(places(&ours[0]), [(13, 13, "ação.pdf"), (13, 13, "b")]);
}

#[test]
fn two_choices_that_finish_in_one_chunk_get_a_chunk_each() {
    let choice = |index: u64| json!({"index": index, "delta": {"content": "[1]"}, "finish_reason": "stop"});
    let stream = format!("data: {}\r\n\r\n", json!({"choices": [choice(0), choice(3)]}));
    let out = run([stream.as_bytes()]);
    let (ours, _) = inserted(&out);
    let indexes: Vec<_> = ours.iter().map(|chunk| chunk["choices"][0]["index"].clone()).collect();
    assert_eq!(indexes, [0, 3]);
    assert!(out.ends_with(&stream));
}

#[test]
fn where_nothing_finishes_or_nothing_is_said_nothing_is_inserted() {
    let finish = chunk(0, json!({}), Some("stop"));
    let tool = chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": "[1]"}}]}), None);
    let usage = "data: {\"choices\":[],\"usage\":{}}\n\n";
    let error = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n";
    let end = "data: [DONE]\n\n";
    let said = says(0, "Yes [1].");
    for stream in [
        String::new(),
        said.clone(),
        [&said, error].concat(),
        [&said, usage, end].concat(),
        [&said, end, &finish].concat(),
        [&tool, &chunk(0, json!({}), Some("tool_calls")), end].concat(),
        [&said, &chunk(0, json!({}), Some("")), end].concat(),
        // An end that is not there: its frame is not whole.
        [&said, finish.trim_end()].concat(),
        // Events of other names are not the chat's.
        [&said, "event: x\n", &finish].concat(),
        // What could not be read may have been a part of the answer.
        [&said, "data: {\"choices\":[{\"index\":\"0\"}]}\n\n", &finish].concat(),
        [&said, "data: {\"choices\"\n\n", &finish].concat(),
        format!("{said}data: {}\n\n{finish}", "x".repeat(1 << 20)),
    ] {
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(1_000).collect();
        let short: String = stream.chars().take(300).collect();
        assert!(run(pieces) == stream, "{short}");
    }
}

#[test]
fn an_error_or_a_comment_in_the_middle_passes() {
    let (said, finish) = (says(0, "Yes [1]."), chunk(0, json!({}), Some("stop")));
    for middle in ["data: {\"error\":{\"message\":\"x\"}}\n\n", ": ping\n\n", "data: {\"choices\":null}\n\n"]
    {
        let stream = [&said, middle, &finish, &finish, "data: [DONE]\n\n"].concat();
        let (ours, theirs) = inserted(&run([stream.as_bytes()]));
        assert_eq!((ours.len(), theirs), (1, stream));
    }
}

#[test]
fn values_over_several_lines_stay_in_one_frame() {
    let stream = "data: {\"id\":\ndata: [1,\ndata: \"\u{e9}\"],\"choices\":[{\"delta\":{\"content\":\"[1]\"},\"finish_reason\":\"stop\"}]}\n\n";
    let out = run([stream.as_bytes()]);
    let (ours, theirs) = inserted(&out);
    assert_eq!((&ours[0]["id"], theirs.as_str()), (&json!([1, "é"]), stream));
}

#[test]
fn a_stream_that_breaks_off_loses_no_byte() {
    let body = body(RECORDED[0]);
    for end in 0..body.len() {
        let mut chunks = Chunks::new(two());
        let mut out = chunks.piece(Bytes::copy_from_slice(&body[..end])).to_vec();
        out.extend(chunks.broken());
        assert_eq!(
            inserted(&String::from_utf8_lossy(&out)).1,
            String::from_utf8_lossy(&body[..end]),
            "{end}"
        );
    }
}

proptest! {
    /// Whatever is said, and however it comes.
    #[test]
    fn marks_resolve_wherever_deltas_are_cut(
        words in proptest::collection::vec(proptest::sample::select(&["[1]", "[2]", "[9]", "é", "👋🏽", " [", "1", "]", ", "][..]), 0..12),
        cut in 1..5_usize,
        size in 1..60_usize,
    ) {
        let content: Vec<char> = words.concat().chars().collect();
        let deltas: String = content.chunks(cut).map(|part| says(0, &part.iter().collect::<String>())).collect();
        let stream = format!("{deltas}{}", chunk(0, json!({}), Some("stop")));
        let (ours, theirs) = inserted(&run(stream.as_bytes().chunks(size)));
        prop_assert_eq!(theirs, stream);
        prop_assert_eq!(ours.len(), usize::from(!content.is_empty()));
        for (start, end, title) in ours.iter().flat_map(places) {
            let mark: String = content[start as usize..end as usize].iter().collect();
            if start < end {
                let n = if title == "b" { '2' } else { '1' };
                prop_assert!(mark.starts_with('[') && mark.ends_with(']') && mark.contains(n), "{}", mark);
            } else {
                prop_assert_eq!(end as usize, content.len());
            }
        }
    }
}
