//! Annotations in a chat's answer that is not streamed: `message.annotations` of each choice, all other bytes as they were.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::marks::Marks;
use super::source::Sources;
use crate::json::span;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

/// The answer with its annotations; `None` where it is none that we know.
pub(super) fn annotated(answer: &str, sources: &Sources) -> Option<String> {
    let completion: Completion<'_> = serde_json::from_str(answer).ok()?;
    let mut out = String::with_capacity(answer.len() + 256 * sources.len());
    let mut written = 0;
    for choice in &completion.choices {
        let start = span(answer, choice.message).start;
        if let Some((span, annotations)) = edit(choice.message.get(), sources) {
            out.push_str(&answer[written..start + span.start]);
            out.push_str(&annotations);
            written = start + span.end;
        }
    }
    out.push_str(&answer[written..]);
    Some(out)
}

/// What to write where in the JSON of a message.
fn edit(message: &str, sources: &Sources) -> Option<(Range<usize>, String)> {
    // Where a key repeats, the last counts, as JSON parsers have it.
    let entries: HashMap<String, &RawValue> = serde_json::from_str(message).ok()?;
    let content: String = serde_json::from_str(entries.get("content")?.get()).ok()?;
    if content.is_empty() {
        return None;
    }
    let mut marks = Marks::of(sources.len());
    marks.push(&content);
    let list = serde_json::to_string(&sources.annotations(&marks)).ok()?;
    let Some(theirs) = entries.get("annotations").copied() else {
        let end = message.rfind('}')?;
        return Some((end..end, format!(",\"annotations\":{list}")));
    };
    let Range { start, end } = span(message, theirs);
    let theirs = theirs.get();
    let inside = theirs.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inside {
        None if theirs == "null" => Some((start..end, list)),
        None => None,
        Some(inside) if inside.trim().is_empty() => Some((start..end, list)),
        // Theirs stay, and ours come after them.
        Some(_) => Some((end - 1..end - 1, format!(",{}", &list[1..list.len() - 1]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::citation::recorded::body;
    use crate::prompt::Passage;
    use serde_json::{Value, json};

    const VLLM: &[u8] = include_bytes!("../../tests/fixtures/recordings/vllm/12_chat_nostream.response");

    fn two() -> Sources {
        let passage =
            |name: &str| Passage { document: name.into(), document_id: name.into(), ..Passage::default() };
        Sources::new("http://h", &vec![passage("a"), passage("b")].into())
    }

    fn cited(n: usize, start: usize, end: usize) -> Value {
        let name = ["a", "b"][n - 1];
        let url = format!("http://h/v1/files/{name}/content");
        json!({"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "title": name, "url": url}})
    }

    fn run(body: &str) -> Option<String> {
        annotated(body, &two())
    }

    #[test]
    fn a_recorded_answer_changes_in_one_place() {
        let body = String::from_utf8(body(VLLM)).expect("UTF-8");
        let out = run(&body).expect("an answer");
        let list = json!([cited(1, 12, 12), cited(2, 12, 12)]).to_string();
        let parsed: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(parsed["choices"][0]["message"]["annotations"].to_string(), list);
        let before = out.find("\"annotations\":[").expect("a list");
        let after = out.find(",\"audio\"").expect("the next key");
        let untouched = format!("{}\"annotations\":null{}", &out[..before], &out[after..]);
        assert_eq!(untouched, body);
    }

    #[test]
    fn upstreams_own_annotations_stay() {
        for (theirs, kept) in [
            (r#","annotations":null"#, json!([])),
            (r#","annotations" : [ ]"#, json!([])),
            ("", json!([])),
            (r#","annotations":[{"type":"x"} ]"#, json!([{"type": "x"}])),
        ] {
            let body = format!(
                r#" {{"choices":[ {{"message": {{"content":"Não [2]."{theirs}}} }},{{"message":{{"content":null}}}},{{"message":{{"annotations":[],"content":"[1]"}}}}],"x":0.10}} "#
            );
            let out: Value = serde_json::from_str(&run(&body).expect("an answer")).expect("JSON");
            let mut expected = kept.as_array().expect("a list").clone();
            expected.push(cited(2, 4, 7));
            assert_eq!(out["choices"][0]["message"]["annotations"], Value::from(expected), "{theirs}");
            assert_eq!(out["choices"][1]["message"].get("annotations"), None);
            assert_eq!(out["choices"][2]["message"]["annotations"], json!([cited(1, 0, 3)]));
        }
    }

    #[test]
    fn what_is_no_answer_passes_as_it_is() {
        for body in [
            "",
            "{",
            "[]",
            "{\"error\":{\"message\":\"[1]\"}}",
            "{\"choices\":[]}",
            "{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
            "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\"}]}}]}",
            "{\"choices\":[{\"message\":{\"content\":\"[1]\",\"annotations\":\"theirs\"}}]}",
            "{\"choices\":[{\"message\":[]}]}",
            "{\"choices\":[{\"text\":\"[1]\"}]}",
            "\u{feff}{}",
        ] {
            assert_eq!(run(body).as_deref().unwrap_or(body), body);
        }
    }
}
