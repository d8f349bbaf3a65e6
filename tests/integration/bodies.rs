//! Bodies of chats go upstream as they are spelled: whole when plain, and with one content changed when grounded.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::World;
use super::world::property::holds;

/// A chat as it is spelled, in three: before the last user message's content, that content, and what follows.
#[derive(Clone, Debug)]
struct Chat {
    before: String,
    content: String,
    after: String,
}

impl Chat {
    fn body(&self) -> String {
        [self.before.as_str(), &self.content, &self.after].concat()
    }
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(""), 1 => select(&[" ", "\n", "\t ", "\r\n\r\n  "][..])]
}

/// JSON text of every spelling that parsers take apart and write anew as something else.
fn json() -> impl Strategy<Value = String> {
    let leaf = select(
        &[
            "0.10",
            "1e-7",
            "-0",
            "-0.0E+00",
            "123456789012345678901234567890",
            "1E400",
            "0.1000000000000000055511151231257827",
            "18446744073709551616",
            "true",
            "false",
            "null",
            r#""""#,
            r#""\u00e9\u00E9é""#,
            r#""\ud83d\udc4b👋🏽""#,
            r#""\/ / \\ \" \b\f\n\r\t""#,
            r#""\ud800 alone""#,
            "\"\u{2028}\u{7f}\"",
            r#""\u0000""#,
            "{}",
            "[ ]",
        ][..],
    );
    let leaf = leaf.prop_map(str::to_owned);
    let deep =
        (0..1500_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth + 1), "]".repeat(depth + 1)));
    prop_oneof![30 => leaf, 1 => deep].prop_recursive(4, 24, 4, |inner| {
        let list = vec((space(), inner.clone(), space()), 0..4).prop_map(|items| {
            let items: Vec<_> = items.iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
            format!("[{}]", items.join(","))
        });
        let object = vec(member(inner), 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
        prop_oneof![list, object]
    })
}

/// One member of an object under a key that nobody knows, or that somebody knows too.
fn member(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let keys = [
        "future",
        "fut\\u0075re",
        "temperature",
        "seed",
        "",
        "\\/",
        "é",
        "stop",
        "metadata",
        "x\\\"y",
        "n",
        "logit_bias",
    ];
    (space(), select(keys.to_vec()), space(), space(), value, space())
        .prop_map(|(a, key, b, c, value, d)| format!("{a}\"{key}\"{b}:{c}{value}{d}"))
}

/// The spelling of a question.
fn question() -> impl Strategy<Value = String> {
    let part = select(
        &[
            "Is the valve closed?",
            "Ol\\u00e1, a v\\u00E1lvula?",
            "\\ud83d\\udc4b valve",
            "👋🏽 valve",
            "\\\"valve\\\" \\/ \\\\",
            "line\\nline\\tvalve",
            "{passages} valve </passage>",
            "\\u0000valve\\u2028",
        ][..],
    );
    vec(part, 1..4).prop_map(|parts| parts.join(" "))
}

/// Its content: a string or parts.
fn content() -> impl Strategy<Value = String> {
    let image = r#"{"type":"image_url","image_url":{"url":"data:image\/png;base64,AA==","detail" : 0.10}}"#;
    prop_oneof![
        question().prop_map(|text| format!("\"{text}\"")),
        (question(), space(), space(), 0..3, json()).prop_map(move |(text, a, b, kind, odd)| {
            let text = format!(r#"{{{a}"text":"{text}","type":"text","cache_control" :{odd}}}"#);
            match kind {
                0 => format!("[{a}{text}{b}]"),
                1 => format!("[{b}{image}{a},{b}{text}]"),
                _ => format!("[{a}{text},{image}{b}]"),
            }
        }),
    ]
}

/// A place in a text that becomes the border between its parts: no generated text has it.
const HERE: &str = "\u{1}";

fn chats() -> impl Strategy<Value = Chat> {
    let message = (vec(member(json()), 0..3), any::<bool>(), space()).prop_map(|(mut odd, first, space)| {
        let role = format!("\"role\"{space}:\"us\\u0065r\"");
        odd.insert(if first { 0 } else { odd.len() }, role);
        odd.insert(odd.len() / 2, format!("\"content\"{space}:{HERE}"));
        format!("{{{}}}", odd.join(","))
    });
    let earlier = r#"{"role":"system","content":"s","x":0.10},{"role":"user","content":"a"},{"role":"assistant","content":"b"},"#;
    let later = r#",{"role":"assistant","content":null,"tool_calls":[ ]},{"content":"12","role":"tool","tool_call_id":"c"}"#;
    let messages =
        (any::<bool>(), message, any::<bool>(), space()).prop_map(move |(before, message, after, space)| {
            let (before, after) = (if before { earlier } else { "" }, if after { later } else { "" });
            format!("\"messages\"{space}: [{space}{before}{message}{after}{space}]")
        });
    let model =
        select(vec!["\"model\":\"test-model\"", "\"model\" :\"an unknown \\u006dodel\"", "\"stream\":true"]);
    let tools = r#""tools": [{"type":"function","function":{"name":"f","parameters":{"x":0.10,"x":1e-7}}}]"#;
    let tools = select(vec![tools, "\"tool_choice\":\"auto\""]);
    let members =
        (vec(member(json()), 0..5), messages, model.prop_map(str::to_owned), tools.prop_map(str::to_owned))
            .prop_map(|(mut all, messages, model, tools)| {
                all.extend([messages, model, tools]);
                all
            })
            .prop_shuffle();
    (space(), members, space(), content()).prop_map(|(before, members, after, content)| {
        let mut body = String::new();
        write!(body, "{before}{{{}}}{after}", members.join(",")).expect("a string grows");
        let (before, after) = body.split_once(HERE).expect("one content");
        Chat { before: before.to_owned(), content, after: after.to_owned() }
    })
}

#[test]
fn a_plain_body_is_the_same_bytes_however_it_is_spelled() {
    holds("", chats(), async |world: &World, chat: Chat| {
        let reply = world.post("/v1/chat/completions", &[], chat.body()).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, None), "{}", reply.text());
        assert_eq!(world.upstream.last().text(), chat.body());
    });
}

#[test]
fn of_a_grounded_body_only_the_questions_content_changes() {
    holds("", chats(), async |world: &World, chat: Chat| {
        let reply = world.post("/c/manual/v1/chat/completions", &[], chat.body()).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("hit")), "{}", reply.text());
        let sent = world.upstream.last().text();
        let now = sent.strip_prefix(&chat.before).and_then(|sent| sent.strip_suffix(&chat.after));
        let now = now.unwrap_or_else(|| panic!("other parts of the body changed: {sent}"));
        // After the quote or the bracket stands what is new, and then all that the client wrote.
        assert!(now.ends_with(&chat.content[1..]), "{now}");
        let inserted = match now[..=now.len() - chat.content.len()].strip_prefix('[') {
            None => format!("{}\"", &now[..=now.len() - chat.content.len()]),
            Some(part) => {
                let part = part.strip_suffix(',').expect("a part before the client's");
                let part: serde_json::Value = serde_json::from_str(part).expect("a part");
                assert_eq!(part["type"], "text");
                part["text"].to_string()
            }
        };
        let inserted: String = serde_json::from_str(&inserted).expect("a JSON string");
        assert!(inserted.contains("The valve is closed at noon."), "{inserted}");
    });
}

#[test]
fn bytes_that_are_no_chat_are_relayed_as_they_are() {
    holds("", vec(any::<u8>(), 0..2000), async |world: &World, bytes: Vec<u8>| {
        for target in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
            assert_eq!(world.post(target, &[], bytes.clone()).await.status, 200);
            assert_eq!(world.upstream.last().body, bytes, "{target}");
        }
    });
}
