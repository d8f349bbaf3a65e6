use super::*;

fn parse(text: &str) -> Result<ChatRequest, ChatRequestError> {
    ChatRequest::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn edited(text: &str, edits: &Edits<'_>) -> String {
    let request = parse(text).expect(text);
    String::from_utf8(request.edited(edits).to_vec()).expect("UTF-8")
}

#[test]
fn only_the_spans_change() {
    let body = " {\"x\": 0.10, \"n\":123456789012345678901234567890,\n\"messages\" :[ {\"role\":\"system\",\"content\":\"s\"},{\"content\" : \"Ol\\u00e1?\" ,\"role\":\"user\",\"a\":1,\"a\":2}], \"model\":\"m@c\",\"x\":1} ";
    assert_eq!(edited(body, &Edits::default()), body);
    let edits = Edits { model: Some("m"), before_question: Some("P \"1\"\n") };
    let expected = body.replace("\"m@c\"", "\"m\"").replace("\"Ol", "\"P \\\"1\\\"\\nOl");
    assert_eq!(edited(body, &edits), expected);
    assert_eq!(parse(body).expect("a request").question(), "Olá?");
}

#[test]
fn a_text_part_is_prepended_to_parts() {
    let body = r#"{"messages":[{"role":"user","content":[ {"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"what?"}]}]}"#;
    let out = edited(body, &Edits { before_question: Some("P"), ..Edits::default() });
    assert_eq!(out, body.replace("[ {", r#"[{"type":"text","text":"P"}, {"#));
    assert_eq!(parse(body).expect("a request").question(), "what?");
    let empty = r#"{"messages":[{"role":"user","content":[]}]}"#;
    let out = edited(empty, &Edits { before_question: Some("P"), ..Edits::default() });
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    assert!(!parse(empty).expect("a request").can_be_grounded());
}

#[test]
fn the_last_user_message_is_the_question_whatever_follows_it() {
    let body = r#"{"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"result"}]}"#;
    assert_eq!(parse(body).expect("a request").question(), "two");
}

#[test]
fn what_cannot_be_grounded_is_said() {
    for (body, error) in [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{\"messages\":[]", "not a JSON object"),
        ("{}", "'messages' is missing"),
        ("{\"messages\":{}}", "'messages' must be"),
        ("{\"messages\":[7]}", "'messages' must be"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":[\"q\"]}]}", "'messages' must be"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\"}]}", "'messages' must be"),
        ("{\"messages\":[{\"role\":\"user\"}],\"messages\":[]}", "'messages' appears more than once"),
        ("{\"mess\\u0061ges\":[],\"messages\":[{\"role\":\"user\"}]}", "'messages' appears more than once"),
        ("{\"model\":\"a\",\"messages\":[{\"role\":\"user\"}],\"model\":\"b\"}", "'model' appears"),
        ("{\"model\":1,\"messages\":[{\"role\":\"user\"}]}", "'model' has the wrong type"),
    ] {
        let found = parse(body).expect_err(body).to_string();
        assert!(found.contains(error), "{body}: {found}");
    }
}

#[test]
fn a_chat_without_a_question_is_read_and_cannot_be_grounded() {
    for messages in ["[]", r#"[{"role":"system","content":"s"}]"#, r#"[{"role":"user","content":null}]"#] {
        let body = format!(r#"{{"model":null,"messages":{messages}}}"#);
        let request = parse(&body).expect(&body);
        assert!(!request.can_be_grounded() && request.earlier_turns().is_empty(), "{body}");
        assert_eq!((request.question(), request.model()), ("", None));
        let edits = Edits { model: Some("m"), before_question: Some("P") };
        assert_eq!(request.edited(&edits), body.as_bytes());
    }
}

#[test]
fn deep_and_odd_values_are_left_to_upstream() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let body = format!(
        "{{\"deep\":{deep},\"max_tokens\":null,\"max_completion_tokens\":7,\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}]}}"
    );
    let request = parse(&body).expect("a request");
    assert_eq!((request.reserve(), request.stream()), (Some(7), true));
    assert_eq!(request.edited(&Edits::default()), body.as_bytes());
}

const TOOL: &str = r#"{"vector_store_ids":["manual"],"type":"file_search"}"#;
const OTHER: &str = r#"{"type":"function","function":{"name":"file_search","parameters":{"type":"object"}}}"#;

#[test]
fn the_file_search_tool_is_cut_out_and_all_else_stays() {
    let messages = r#""messages":[{"role":"user","content":"q"}]"#;
    for (body, expected) in [
        // Alone: the member goes, wherever it stands, and what needs tools goes with it.
        (format!(r#"{{"tools":[{TOOL}],{messages}}}"#), format!("{{{messages}}}")),
        (format!(r#"{{ {messages} , "tools" : [ {TOOL} ] }}"#), format!("{{ {messages} }}")),
        (format!(r#"{{"a":1, "tools":[{TOOL}] ,{messages}}}"#), format!(r#"{{"a":1,{messages}}}"#)),
        (
            format!(r#" {{"tool_choice":"auto","tools":[{TOOL}],{messages},"parallel_tool_calls":true}} "#),
            format!(" {{{messages}}} "),
        ),
        (
            format!(
                r#"{{"tools":[{TOOL}],"tool_choice":{{"type":"file_search"}} , "parallel_tool_calls":null,"n":1,{messages}}}"#
            ),
            format!(r#"{{"n":1,{messages}}}"#),
        ),
        // Among others: they stay byte for byte.
        (
            format!(r#"{{"tools":[{TOOL}, {OTHER} ],"tool_choice":"auto",{messages}}}"#),
            format!(r#"{{"tools":[ {OTHER} ],"tool_choice":"auto",{messages}}}"#),
        ),
        (
            format!("{{\"tools\":[ {OTHER} , {TOOL}\n],\"parallel_tool_calls\":false,{messages}}}"),
            format!("{{\"tools\":[ {OTHER} ],\"parallel_tool_calls\":false,{messages}}}"),
        ),
        (
            format!(r#"{{"tools":[{OTHER},{TOOL},{OTHER}],{messages}}}"#),
            format!(r#"{{"tools":[{OTHER},{OTHER}],{messages}}}"#),
        ),
        // A choice of it goes; a choice of a function that is only called so stays.
        (
            format!(r#"{{"tools":[{TOOL},{OTHER}],{messages},"tool_choice":{{"type":"file_search"}}}}"#),
            format!(r#"{{"tools":[{OTHER}],{messages}}}"#),
        ),
        (
            format!(
                r#"{{"tools":[{TOOL},{OTHER}],"tool_choice":{{"type":"function","function":{{"name":"file_search"}}}},{messages}}}"#
            ),
            format!(
                r#"{{"tools":[{OTHER}],"tool_choice":{{"type":"function","function":{{"name":"file_search"}}}},{messages}}}"#
            ),
        ),
        (
            format!(
                r#"{{"tools":[{TOOL},{OTHER}],"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{{"type":"file_search"}},{OTHER}]}}}},{messages}}}"#
            ),
            format!(
                r#"{{"tools":[{OTHER}],"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{OTHER}]}}}},{messages}}}"#
            ),
        ),
        (
            format!(
                r#"{{"tool_choice":{{"type":"allowed_tools","mode":"auto","tools":[{{"type":"file_search"}}]}},"tools":[{TOOL},{OTHER}],{messages}}}"#
            ),
            format!(r#"{{"tools":[{OTHER}],{messages}}}"#),
        ),
        // Written in escapes.
        (
            format!(r#"{{{messages},"too\u006cs":[{}]}}"#, TOOL.replace("file_", "\\u0066ile\\u005F")),
            format!("{{{messages}}}"),
        ),
    ] {
        assert_eq!(edited(&body, &Edits::default()), expected, "{body}");
        let request = parse(&body).expect(&body);
        assert_eq!(request.file_search().expect(&body).vector_store_ids, ["manual"]);
        let again = parse(&expected).expect(&expected);
        assert!(again.file_search().is_none());
        assert_eq!(request.prompt_parts().1, again.prompt_parts().1, "{body}");
    }
}

#[test]
fn a_tool_that_cannot_be_followed_is_named() {
    for (tools, param) in [
        (format!("[{TOOL},{OTHER},{TOOL}]"), "tools[2]"),
        (r#"[{"type":"file_search"}]"#.to_owned(), "tools[0].vector_store_ids"),
        (
            r#"[{"type":"file_search","vector_store_ids":["a"],"type":"function"}]"#.to_owned(),
            "tools[0].type",
        ),
        (
            format!(
                r#"[{OTHER},{{"type":"file_search","vector_store_ids":["a"],"filters":{{"type":"and","filters":[7]}}}}]"#
            ),
            "tools[1].filters.filters[0]",
        ),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"q"}}],"tools":{tools}}}"#);
        match parse(&body).expect_err(&body) {
            ChatRequestError::FileSearch(error) => assert_eq!(error.param, param, "{body}"),
            other => panic!("{body}: {other}"),
        }
    }
}

#[test]
fn earlier_turns_are_what_was_said_before_the_question() {
    let body = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"one"},{"type":"image_url"},{"type":"text","text":"two"}]},
        {"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"r"},{"role":"assistant","content":"ol\u00e1"},
        {"role":"user","content":7},{"role":"user","content":"q"},{"role":"assistant","content":"after"}]}"#;
    let turns = parse(body).expect("a request").earlier_turns();
    let expected = [(Role::User, "one\ntwo"), (Role::Assistant, "olá")];
    assert_eq!(turns, expected.map(|(role, text)| Turn { role, text: text.to_owned() }));
}

proptest::proptest! {
    /// Whatever else stands in a body, and in whatever order: without the tool it is what it would be had it not been there.
    #[test]
    fn a_chat_without_the_tool_is_the_same_chat(
        members in proptest::collection::vec((0usize..6, " ?\n?"), 0..6),
        place in 0usize..7,
        tools in proptest::collection::vec(0usize..3, 0..4),
    ) {
        let space = |n: usize| &"  \n"[..n % 3];
        let others: Vec<String> = members.iter().enumerate().map(|(n, (kind, gap))| {
            let value = ["1", "\"},{\"", "[1, 2]", "{\"tools\":[{\"type\":\"file_search\"}]}", "null", "\"\\\"file_search\\\\\""][*kind];
            format!("{gap}\"k{n}\" :{gap}{value}")
        }).collect();
        let kept: Vec<String> = tools.iter().enumerate().map(|(n, s)| format!("{}{{\"type\":\"function\",\"n\":{n}}}{}", space(*s), space(n))).collect();
        let build = |with: bool| {
            let mut list: Vec<&str> = kept.iter().map(String::as_str).collect();
            if with {
                list.insert(place % (kept.len() + 1), TOOL);
            }
            let mut all = others.clone();
            all.insert(place % (others.len() + 1), "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]".to_owned());
            if !list.is_empty() {
                all.insert((place + 1) % (all.len() + 1), format!("\"tools\":[{}]", list.join(",")));
            }
            if with && kept.is_empty() {
                all.insert(place % (all.len() + 1), "\"tool_choice\":\"required\"".to_owned());
            }
            format!("{{{}}}", all.join(","))
        };
        let (with, without) = (build(true), build(false));
        proptest::prop_assert_eq!(edited(&with, &Edits::default()), without);
    }
}
