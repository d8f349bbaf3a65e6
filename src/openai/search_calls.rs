//! Searches of ours in a conversation that comes back.
//!
//! A grounded answer of the Responses API begins with a `file_search_call` that the LLM server knows nothing of. Clients
//! send what they were answered as the input of their next request, and LLM servers refuse such an item.

use std::ops::Range;

use memchr::memmem;
use serde_json::value::RawValue;

use crate::json::{Entries, cuts, elements, is_text, span, without};

const CALL: &str = "file_search_call";
const REFERENCE: &str = "item_reference";
const PREFIX: &str = "fs_";
/// Bytes of randomness in an id: as hexadecimal digits, twice as many. OpenAI's ids begin alike and are longer.
pub const SEARCH_ID_BYTES: usize = 12;

/// Which searches are taken out of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchCalls {
    /// Those whose id is one of ours, or that have none; and references to ours.
    Ours,
    /// All, whoever made them, and references to ours.
    All,
}

/// The id of a search, of random digits.
pub fn search_id(digits: &str) -> String {
    format!("{PREFIX}{digits}")
}

/// A body of the Responses API without these searches in its `input`, and all else byte for byte. `None` where there is
/// nothing to take out.
pub fn without_search_calls(body: &[u8], which: SearchCalls) -> Option<Vec<u8>> {
    if !may_hold_one(body) {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let top: Entries<'_> = serde_json::from_str(text).ok()?;
    // Where a key repeats, servers differ in which they go by.
    let mut all: Vec<Range<usize>> = Vec::new();
    for input in top.all("input") {
        let Some(items) = elements(input) else { continue };
        let goes: Vec<bool> = items.iter().map(|item| is_one(item, which)).collect();
        let ends: Vec<usize> = items.iter().map(|item| span(text, item).end).collect();
        all.extend(cuts(text, span(text, input).start + 1, &ends, |n| goes[n]));
    }
    (!all.is_empty()).then(|| without(text, 0..text.len(), &all).into_bytes())
}

/// Most bodies hold none, which is told without parsing. An escape may stand for a letter of a name or id.
fn may_hold_one(body: &[u8]) -> bool {
    [CALL, PREFIX, "\\u00"].iter().any(|part| memmem::find(body, part.as_bytes()).is_some())
}

fn is_one(item: &RawValue, which: SearchCalls) -> bool {
    let Ok(entries) = serde_json::from_str::<Entries<'_>>(item.get()) else { return false };
    let ids: Vec<Option<String>> =
        entries.all("id").map(|id| serde_json::from_str(id.get()).unwrap_or_default()).collect();
    let ours = ids.iter().flatten().any(|id| is_ours(id));
    let nameless = ids.iter().all(Option::is_none);
    if entries.all("type").any(|kind| is_text(kind, CALL)) {
        return which == SearchCalls::All || ours || nameless;
    }
    // A reference may leave its type out.
    let refers = entries.all("type").all(|kind| is_text(kind, REFERENCE) || kind.get() == "null");
    refers && ours && entries.0.iter().all(|(key, _)| key == "id" || key == "type")
}

fn is_ours(id: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == 2 * SEARCH_ID_BYTES && digits.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"{"id":"fs_0123456789abcdef01234567","type":"file_search_call","status":"completed","queries":["q"],"results":[{"text":"]}, \"x"}]}"#;
    const THEIRS: &str = r#"{"type":"file_search_call","id":"fs_0123456789abcdef0123456789abcdef0123456789abcdef","queries":[]}"#;

    fn cut(body: &str, which: SearchCalls) -> Option<String> {
        without_search_calls(body.as_bytes(), which).map(|left| String::from_utf8(left).expect("UTF-8"))
    }

    fn ours(body: &str) -> Option<String> {
        cut(body, SearchCalls::Ours)
    }

    #[test]
    fn our_searches_go_wherever_they_stand_and_all_else_stays() {
        let q = r#"{"role" : "user","content":"fs_ \u00e9 file_search_call"}"#;
        for (input, left) in [
            (format!("[{OURS}]"), "[]".to_owned()),
            (format!("[ {OURS} , {OURS} ]"), "[ ]".to_owned()),
            (format!("[ {q},{OURS} , {q} ]"), format!("[ {q} , {q} ]")),
            (format!("[{OURS},\n {q}]"), format!("[\n {q}]")),
            (format!("[{q} ,\n{OURS}]"), format!("[{q} ]")),
            (format!("[{q},{OURS},{OURS},{q},{OURS}]"), format!("[{q},{q}]")),
        ] {
            let body = |input: &str| {
                format!(" {{\"x\":0.10,\"input\" : {input} ,\"tools\":[{OURS}],\"n\":1,\"n\":2}}\n")
            };
            // What is left may have other blanks at its ends, and no other byte.
            let found = ours(&body(&input)).expect("a cut");
            let plain = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(plain(&found), plain(&body(&left)), "{input}");
            assert!(serde_json::from_str::<serde_json::Value>(&found).is_ok(), "{found}");
            assert!(
                found.starts_with(" {\"x\":0.10,\"input\" : [") && found.ends_with(",\"n\":1,\"n\":2}\n")
            );
            assert_eq!(ours(&found), None);
        }
    }

    #[test]
    fn they_are_known_by_type_and_id_however_these_are_spelled() {
        let id = "fs_0123456789abcdef01234567";
        for item in [
            r#"{"type":"file_search_call"}"#.to_owned(),
            r#"{"type":"file_search_call","id":null,"results":null}"#.to_owned(),
            format!(r#"{{"\u0074ype":"file_s\u0065arch_call","\u0069d":"{id}"}}"#),
            r#"{"type":"file_search_call","id":"\u0066s_0123456789abcdef01234567"}"#.to_owned(),
            format!(r#"{{"type":"message","type":"file_search_call","id":"x","id":"{id}"}}"#),
            format!(r#"{{"type":"item_reference","id":"{id}"}}"#),
            format!(r#"{{"id":"{id}"}}"#),
            format!(r#"{{"id":"{id}","type":null}}"#),
        ] {
            let body = format!(r#"{{"input":[1,{item}]}}"#);
            assert_eq!(ours(&body).as_deref(), Some(r#"{"input":[1]}"#), "{item}");
        }
        // In each of several inputs.
        let twice = format!(r#"{{"input":[{OURS}],"\u0069nput":[1,{OURS},"a"]}}"#);
        assert_eq!(ours(&twice).as_deref(), Some(r#"{"input":[],"\u0069nput":[1,"a"]}"#));
    }

    #[test]
    fn what_is_not_ours_stays_unless_all_are_meant() {
        let body = format!(r#"{{"input":[{THEIRS},{OURS},{THEIRS}]}}"#);
        assert_eq!(ours(&body), Some(format!(r#"{{"input":[{THEIRS},{THEIRS}]}}"#)));
        assert_eq!(cut(&body, SearchCalls::All).as_deref(), Some(r#"{"input":[]}"#));
        let id = "fs_0123456789abcdef01234567";
        for other in [
            "".to_owned(),
            "{".to_owned(),
            format!("[{OURS}]"),
            format!(r#"{{"input":{OURS}}}"#),
            format!(r#"{{"output":[{OURS}]}}"#),
            r#"{"input":"fs_ file_search_call"}"#.to_owned(),
            r#"{"input":["file_search_call",["fs_"],null]}"#.to_owned(),
            format!(r#"{{"input":[{{"type":"function_call","id":"{id}"}}]}}"#),
            format!(r#"{{"input":[{{"role":"user","id":"{id}","content":"a"}}]}}"#),
            r#"{"input":[{"type":"item_reference","id":"fs_1"},{"id":"msg_0123456789abcdef01234567"}]}"#
                .to_owned(),
            format!(r#"{{"input":[{OURS}]"#),
        ] {
            for which in [SearchCalls::Ours, SearchCalls::All] {
                assert_eq!(cut(&other, which), None, "{other}");
            }
        }
        assert_eq!(
            without_search_calls(b"{\"input\":[{\"type\":\"file_search_call\"},\"\xff\"]}", SearchCalls::All),
            None
        );
    }
}
