use super::super::Edits;
use super::*;

fn parse(text: &str) -> Result<ChatRequest, ChatRequestError> {
    ChatRequest::parse_response(Bytes::copy_from_slice(text.as_bytes()))
}

fn edited(text: &str, edits: &Edits<'_>) -> String {
    let request = parse(text).expect(text);
    String::from_utf8(request.edited(edits).to_vec()).expect("UTF-8")
}

#[test]
fn passages_go_before_the_question_wherever_the_input_has_it() {
    let edits = Edits { model: Some("m"), before_question: Some("P\"") };
    for (input, question, expected) in [
        (r#""Ol\u00e1?""#, "Olá?", r#""P\"Ol\u00e1?""#),
        (
            r#"[{"role":"user","content":"one"},{"content" : "two","role":"user"},{"type":"function_call","name":"f"}]"#,
            "two",
            r#"[{"role":"user","content":"one"},{"content" : "P\"two","role":"user"},{"type":"function_call","name":"f"}]"#,
        ),
        (
            r#"[{"type":"message","role":"user","content":[ {"type":"input_text","text":"what?"},{"type":"input_image"}]}]"#,
            "what?",
            r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"P\""}, {"type":"input_text","text":"what?"},{"type":"input_image"}]}]"#,
        ),
    ] {
        let body =
            |input: &str, model: &str| format!(r#"{{"x": 0.10,"input" : {input} ,"model":"{model}"}}"#);
        let sent = body(input, "m@c");
        assert_eq!(edited(&sent, &Edits::default()), sent);
        assert_eq!(edited(&sent, &edits), body(expected, "m"));
        let request = parse(&sent).expect(&sent);
        assert_eq!((request.question(), request.model()), (question, Some("m@c")));
        assert!(request.can_be_grounded() && request.response().is_some());
        assert!(request.api().parse(request.edited(&edits)).is_ok());
    }
}

#[test]
fn the_tool_goes_with_all_that_is_its_own() {
    const TOOL: &str = r#"{"type":"file_search","vector_store_ids":["manual"]}"#;
    const OTHER: &str = r#"{"type":"function","name":"f"}"#;
    const RESULTS: &str = r#""file_search_call.results""#;
    for (body, expected) in [
        (format!(r#"{{"input":"q","tools":[{TOOL}],"include":[{RESULTS}]}}"#), r#"{"input":"q"}"#.to_owned()),
        (
            format!(r#"{{"include":[{RESULTS}],"tools":[{TOOL}],"tool_choice":"auto","input":"q","n":1}}"#),
            r#"{"input":"q","n":1}"#.to_owned(),
        ),
        (
            format!(r#"{{"tools":[{OTHER},{TOOL}],"include":["a", {RESULTS} , "b"],"input":"q"}}"#),
            format!(r#"{{"tools":[{OTHER}],"include":["a" , "b"],"input":"q"}}"#),
        ),
    ] {
        let request = parse(&body).expect(&body);
        assert_eq!(request.file_search().expect("a tool").vector_store_ids, ["manual"]);
        let parts = request.response().expect("a response");
        assert!(parts.wants_results);
        assert!(parts.tools.as_ref().is_some_and(|sent| sent.tools.contains(TOOL)));
        assert_eq!(parts.tools.as_ref().expect("tools").tool_choice.is_some(), body.contains("tool_choice"));
        let left = edited(&body, &Edits::default());
        assert_eq!(serde_json::from_str::<Value>(&left).ok(), serde_json::from_str(&expected).ok(), "{left}");
        assert!(!left.contains("file_search"), "{left}");
    }
    // The results may be asked for where the collection is named elsewhere.
    let body = format!(r#"{{"input":"q","include":[{RESULTS}]}}"#);
    let request = parse(&body).expect(&body);
    assert!(request.response().expect("a response").wants_results && request.file_search().is_none());
    assert_eq!(edited(&body, &Edits::default()), r#"{"input":"q"}"#);
    for other in [
        r#"{"input":"q","include":["a"]}"#,
        r#"{"input":"q","include":null}"#,
        r#"{"include":[],"input":"q"}"#,
    ] {
        assert!(!parse(other).expect(other).response().expect("a response").wants_results);
        assert_eq!(edited(other, &Edits::default()), other);
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    for (body, error) in [
        ("", "not a JSON object"),
        ("{}", "'input' is missing"),
        (r#"{"input":"a","input":"b"}"#, "'input' appears more than once"),
        (r#"{"input":"a","tools":[],"tools":[]}"#, "'tools' appears more than once"),
        (r#"{"input":"a","model":1}"#, "'model' has the wrong type"),
        (r#"{"input":7}"#, "'input' must be"),
        (r#"{"input":[1]}"#, "'input' must be"),
        (r#"{"input":[{"role":"user","content":[1]}]}"#, "'input' must be"),
    ] {
        let found = parse(body).expect_err(body).to_string();
        assert!(found.contains(error), "{body}: {found}");
    }
    let wrong = r#"{"input":"q","tools":[{"type":"file_search","vector_store_ids":[]}]}"#;
    assert!(
        matches!(parse(wrong), Err(ChatRequestError::FileSearch(error)) if error.param == "tools[0].vector_store_ids")
    );
    for without in
        [r#"{"input":[]}"#, r#"{"input":[{"type":"function_call_output","output":"x"}]}"#, r#"{"input":" "}"#]
    {
        assert!(!parse(without).expect(without).can_be_grounded(), "{without}");
    }
}

#[test]
fn the_window_is_measured_by_a_chat_of_the_same_texts() {
    let body = r#"{"instructions":"Be brief.","max_output_tokens":99,"stream":true,"input":[
        {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
        {"role":"assistant","content":[{"type":"output_text","text":"c"}]},
        {"type":"function_call","name":"f"},
        {"role":"user","content":[{"type":"input_image","image_url":"u"},{"type":"input_text","text":"q"}]}]}"#;
    let request = parse(body).expect("a request");
    let messages: Value = serde_json::from_str(request.prompt_parts().0).expect("JSON");
    let image = json!([{"type": "input_image", "image_url": "u"}, {"type": "input_text", "text": "q"}]);
    let expected = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "type: \"function_call\"\nname: \"f\""},
        {"role": "user", "content": image},
    ]);
    assert_eq!(messages, expected);
    assert_eq!((request.reserve(), request.stream(), request.message_count()), (Some(99), true, 4));
    assert_eq!(request.earlier_turns().len(), 2);
    let simple = parse(r#"{"input":"q"}"#).expect("a request");
    assert_eq!(simple.prompt_parts(), (r#"[{"content":"q","role":"user"}]"#, None));
    assert!(simple.earlier_turns().is_empty());
}
