//! What a body says of collections: its model's name, and its `file_search` tool.
//!
//! Both are found also where the rest of the body cannot be read, so that a choice is never overlooked: LLM servers
//! accept bodies that are not JSON, such as one with a byte order mark or with `NaN`.

use serde_json::value::RawValue;

use super::ChatRequest;
use crate::openai::FileSearch;
use crate::openai::request::RequestError;
use crate::openai::tools::is_file_search;

const TOOL: &[u8] = b"file_search";

/// What a body says of collections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// The name of the model.
    pub model: Option<String>,
    pub file_search: Option<FileSearch>,
}

impl Choices {
    /// Whether a body could name a collection: it contains `@` or `file_search`, plain or with JSON's escapes.
    pub fn may_be_in(body: &[u8]) -> bool {
        let escapes_one = |at: usize| {
            let hex = body.get(at + 4..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
            let letter = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            letter.is_some_and(|letter| letter == b'@' || TOOL.contains(&letter))
        };
        memchr::memchr(b'@', body).is_some()
            || memchr::memmem::find(body, TOOL).is_some()
            || memchr::memmem::find_iter(body, b"\\u00").any(escapes_one)
    }

    /// The choices of a request that was read.
    pub fn of(request: &ChatRequest) -> Self {
        Self { model: request.model().map(str::to_owned), file_search: request.file_search().cloned() }
    }

    /// The choices of a body that cannot be read. Where a key repeats, any of them counts: servers differ in which they
    /// go by.
    pub fn in_unreadable(body: &[u8]) -> Result<Self, RequestError> {
        let mut choices = Self::default();
        for Member { key, value } in members(body) {
            match key.as_str() {
                "model" if choices.model.is_none() => {
                    let name = serde_json::from_slice::<String>(value).ok();
                    choices.model = name.filter(|name| name.contains('@'));
                }
                "tools" if choices.file_search.is_none() => {
                    let tools: Vec<&RawValue> = match serde_json::from_slice(value) {
                        Ok(tools) => tools,
                        // Whether it is asked for cannot be told: better refused than passed over.
                        Err(_) if is_list_with_tool(value) => {
                            let message = "'tools' names file_search and cannot be read: it is not JSON";
                            return Err(RequestError::value("tools", message));
                        }
                        Err(_) => Vec::new(),
                    };
                    let mut tools = (0..).zip(tools);
                    if let Some((n, tool)) = tools.find(|(_, tool)| is_file_search(tool)) {
                        let read = FileSearch::parse(tool);
                        choices.file_search = Some(read.map_err(|e| e.within(&format!("tools[{n}]")))?);
                    }
                }
                _ => {}
            }
        }
        Ok(choices)
    }
}

/// Whether a list that cannot be read speaks of our tool.
fn is_list_with_tool(value: &[u8]) -> bool {
    value.trim_ascii_start().starts_with(b"[") && memchr::memmem::find(value, TOOL).is_some()
}

/// A member of a JSON object.
struct Member<'a> {
    key: String,
    value: &'a [u8],
}

/// The members of the first object of a text, told by brackets, quotes, colons and commas alone.
fn members(text: &[u8]) -> Vec<Member<'_>> {
    let mut found = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    // The key of the member in hand, and where its value begins.
    let mut key: Option<String> = None;
    let mut value = None;
    let mut end = |key: &mut Option<String>, value: &mut Option<usize>, at: usize| {
        if let (Some(key), Some(from)) = (key.take(), value.take()) {
            found.push(Member { key, value: &text[from..at] });
        }
    };
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let after = after_string(text, at);
                if depth == 1 && value.is_none() {
                    key = serde_json::from_slice(&text[at..after]).ok();
                }
                at = after;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                if depth == 1 {
                    end(&mut key, &mut value, at);
                    break;
                }
                depth = depth.saturating_sub(1);
            }
            b':' if depth == 1 && value.is_none() => value = Some(at + 1),
            b',' if depth == 1 => end(&mut key, &mut value, at),
            _ => {}
        }
        at += 1;
    }
    // A text that breaks off may do so after a whole value.
    end(&mut key, &mut value, text.len());
    found
}

/// The place after a string that begins here; the text's end where the string has none.
fn after_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(body: &str) -> (Option<String>, Option<Vec<String>>) {
        let found = Choices::in_unreadable(body.as_bytes()).expect(body);
        (found.model, found.file_search.map(|tool| tool.vector_store_ids))
    }

    #[test]
    fn choices_are_seen_in_bodies_that_cannot_be_read() {
        let tool = r#"{"type":"file_search","vector_store_ids":["c"]}"#;
        for (body, model, collections) in [
            (r#"{"model":"m@c","messages":[],"messages":[]}"#.to_owned(), Some("m@c"), None),
            ("\u{feff}{\"temperature\":NaN, \"model\" : \"m\\u0040c\" }".to_owned(), Some("m@c"), None),
            (r#"{"messages":[{"content":"\ud83d \" \\"}],"model":"m@c""#.to_owned(), Some("m@c"), None),
            (r#"{"model":"m","mod\u0065l":"n@c","model":"o@d"}"#.to_owned(), Some("n@c"), None),
            (format!(r#"{{"tools":[],"tools":[{{}},{tool}],"x":Infinity}}"#), None, Some("c")),
            // What is no member of the body says nothing, nor does a name that is cut off.
            (r#"{"messages":[{"model":"m@c"}],"x":NaN}"#.to_owned(), None, None),
            (r#"[{"model":"m@c"}"#.to_owned(), None, None),
            (r#"{"x":1} {"model":"m@c"}"#.to_owned(), None, None),
            (r#"{"model":"m@c"#.to_owned(), None, None),
            (format!(r#"{{"tools":{tool},"messages":[{tool}]"#), None, None),
            ("}]:,\"".to_owned(), None, None),
        ] {
            let expected = (model.map(str::to_owned), collections.map(|c: &str| vec![c.to_owned()]));
            assert_eq!(choices(&body), expected, "{body}");
        }
        let broken = br#"{"tools":[{},{"type":"file_search"}],"x":NaN}"#;
        let error = Choices::in_unreadable(broken).expect_err("it names no collection");
        assert_eq!(error.param, "tools[1].vector_store_ids");
        for broken in [
            r#"{"tools":[{"type":"file_search","vector_store_ids":["c"],"max_num_results":NaN}]}"#,
            r#"{"tools":[{"type":"file_search","vector_store_ids":["c"#,
        ] {
            let error =
                Choices::in_unreadable(broken.as_bytes()).expect_err("it cannot be told what it asks for");
            assert_eq!(error.param, "tools");
        }
    }

    #[test]
    fn a_body_without_a_choice_is_told_without_reading_it() {
        for (body, may) in [
            (r#"{"model":"m","messages":[{"role":"user","content":"caf\u00e9"}]}"#, false),
            (r#"{"model":"m@c"}"#, true),
            (r#"{"model":"m\u0040c"}"#, true),
            (r#"{"tools":[{"type":"file_search"}]}"#, true),
            (r#"{"tools":[{"type":"\u0066ile\u005Fsearch"}]}"#, true),
        ] {
            assert_eq!(Choices::may_be_in(body.as_bytes()), may, "{body}");
        }
    }
}
