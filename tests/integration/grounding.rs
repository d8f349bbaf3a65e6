//! What goes into a grounded prompt: whole documents, the best passages, or an outline.

use serde_json::{Value, json};

use super::world::{World, long_document, question_body};

#[tokio::test]
async fn a_small_document_goes_in_whole_in_order_and_without_repeats() {
    let world = World::start("").await;
    // Several chunks that overlap: each sentence must be there once.
    let sentences: Vec<String> =
        (0..120).map(|n| format!("Sentence number {n} says that lamp {n} is lit at dusk.")).collect();
    world
        .upload("manual", &[("lamps.txt", &sentences.join(" ")), ("last.txt", "The end of the lamps.")])
        .await;
    let documents = world.get("/v1/vector_stores/manual/documents").await.json();
    assert!(documents["data"][0]["chunks"].as_u64() > Some(3), "{documents}");
    let reply = world.chat("manual", "What is unrelated to all of it?", &[]).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
    let sent = world.upstream.last().json();
    let prompt = sent["messages"][0]["content"].as_str().expect("a text");
    let mut from = 0;
    for sentence in &sentences {
        assert_eq!(prompt.matches(sentence.as_str()).count(), 1, "{sentence}: {prompt}");
        let at =
            prompt[from..].find(sentence.as_str()).unwrap_or_else(|| panic!("{sentence} is out of order"));
        from += at;
    }
    assert!(prompt[from..].contains("The end of the lamps."));
    assert!(prompt.ends_with("What is unrelated to all of it?"), "{prompt}");
}

#[tokio::test]
async fn of_a_larger_one_the_best_passages_go_in() {
    let world = World::start("window = 2000\npassages = 3").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    for n in [7, 33, 58] {
        let reply = world.chat("manual", &format!("Which code do the rules for topic{n} give?"), &[]).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{}", reply.text());
        // The other sections say nothing of it.
        assert_eq!(reply.header("x-rag-hits"), Some("1"));
        let prompt = world.upstream.last().text();
        assert!(prompt.contains(&format!("CODE-{n}.")), "{prompt}");
        assert!(prompt.matches("CODE-").count() < 4, "{prompt}");
        let question = format!("Which code do the rules for topic{n} give?");
        let reply = world.chat("manual", &question, &[("X-RAG-K", "3")]).await;
        // At most so many, of those that are about it.
        assert!(matches!(reply.header("x-rag-hits"), Some("1" | "2" | "3")));
        assert!(world.upstream.last().text().contains(&format!("CODE-{n}.")));
    }
}

/// That all of a collection is too much is remembered until it changes.
#[tokio::test]
async fn what_is_left_after_a_deletion_goes_in_whole() {
    let world = World::start("").await;
    let small = [("lamp.txt", "The lamp is lit at dusk."), ("book.txt", "The book is kept in the tower.")];
    world.upload("manual", &small).await;
    let is_whole = async || {
        let reply = world.chat("manual", "When is the lamp lit?", &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        world.upstream.last().text().contains("The book is kept")
    };
    assert!(is_whole().await);
    let large = world.upload("manual", &[("manual.md", &long_document(200))]).await;
    assert!(!is_whole().await && !is_whole().await);
    let large = large[0]["id"].as_str().expect("an id");
    let deleted = world.delete(&format!("/v1/vector_stores/manual/documents/{large}")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert!(is_whole().await && is_whole().await);
}

#[tokio::test]
async fn a_question_about_the_whole_gets_the_outline() {
    let world = World::start("window = 2000\npassages = 2").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    for question in ["Sobre o que é esse documento?", "what is this about", "Resuma."] {
        let reply = world.chat("manual", question, &[]).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{question}");
        let sent = world.upstream.last().json();
        let prompt = sent["messages"][0]["content"].as_str().expect("a text");
        let first = prompt.split("</passage>").next().unwrap_or_default();
        assert!(
            first.contains("The station manual") && first.contains("how the harbour station is kept"),
            "{prompt}"
        );
        assert!(first.contains("Section 2"), "{question}: {first}");
    }
}

fn chat(messages: Value) -> String {
    json!({ "model": "m", "messages": messages }).to_string()
}

#[tokio::test]
async fn passages_go_before_the_question_in_every_kind_of_conversation() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let question = "When is the valve closed?";
    let text = json!({ "role": "user", "content": question });
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let cases = [
        (json!([text]), 0),
        (json!([{ "role": "system", "content": "s" }, text]), 1),
        (
            json!([text, { "role": "assistant", "content": "At one." }, { "role": "user", "content": "When, for the valve?" }]),
            2,
        ),
        (json!([{ "role": "user", "content": [{ "type": "text", "text": question }] }]), 0),
        (json!([{ "role": "user", "content": [picture, { "type": "text", "text": question }] }]), 0),
        (
            json!([text, { "role": "assistant", "content": null, "tool_calls": [call] }, { "role": "tool", "tool_call_id": "c", "content": "12" }]),
            0,
        ),
        (json!([text, { "role": "assistant", "content": "It is" }]), 0),
    ];
    for (messages, place) in cases {
        let reply = world.post("/c/manual/v1/chat/completions", &[], chat(messages.clone())).await;
        assert_eq!(reply.header("x-rag-status"), Some("hit"), "{messages}");
        let sent = world.upstream.last().json();
        for (n, message) in messages.as_array().expect("messages").iter().enumerate() {
            let now = &sent["messages"][n];
            if n != place {
                assert_eq!(now, message);
            } else if let Some(parts) = message["content"].as_array() {
                assert_eq!(now["content"][0]["type"], "text");
                let inserted = now["content"][0]["text"].as_str().expect("a text");
                assert!(inserted.contains("The valve is closed at noon."), "{inserted}");
                assert_eq!(now["content"].as_array().expect("parts")[1..], parts[..]);
            } else {
                let content = now["content"].as_str().expect("a text");
                let question = message["content"].as_str().expect("a text");
                assert!(content.contains("The valve is closed at noon."), "{content}");
                assert!(content.ends_with(question), "{content}");
            }
        }
    }
}

#[tokio::test]
async fn tools_and_their_schemas_are_left_alone() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let tools = r#""tools": [ {"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","x":0.10}}} ],"tool_choice":"auto""#;
    let body = format!(
        r#"{{{tools},"model":"m","messages":[{{"role":"user","content":"When is the valve closed?"}}]}}"#
    );
    let reply = world.post("/c/manual/v1/chat/completions", &[], body).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
    let sent = world.upstream.last().text();
    assert!(sent.starts_with(&format!("{{{tools},\"model\"")), "{sent}");
}

#[tokio::test]
async fn a_conversation_without_a_question_is_not_grounded() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    for content in
        ["null", "\"\"", "\"  \"", "[]", "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]"]
    {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#);
        let reply = world.post("/c/manual/v1/chat/completions", &[], body.clone()).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("empty")), "{content}");
        assert_eq!(world.upstream.last().text(), body);
    }
}

#[tokio::test]
async fn traces_and_previews_tell_what_the_model_sees() {
    let world = World::start("window = 2000\npassages = 2").await;
    world.upload("manual", &[("station.md", &long_document(60))]).await;
    let body =
        question_body("Which code do the rules for topic9 give?").replace("test-model", "test-model@manual");
    let preview = world.post("/v1/rag/preview", &[], body.clone()).await.json();
    assert!(world.upstream.requests().is_empty(), "a preview asked the model");
    let by_path = world.post("/c/manual/v1/rag/preview", &[], body.clone()).await.json();
    assert_eq!(by_path["request"], preview["request"]);
    let reply = world.post("/v1/chat/completions", &[], body).await;
    assert_eq!(preview["request"], world.upstream.last().json());
    assert_eq!((&preview["object"], &preview["status"]), (&json!("rag.preview"), &json!("lexical")));

    let id = reply.header("x-rag-trace-id").expect("a trace").to_owned();
    let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
    assert_eq!(trace["question"], "Which code do the rules for topic9 give?");
    assert_eq!(trace["collections"], json!(["manual"]));
    assert_eq!(trace["passages"], preview["passages"]);
    let passages = trace["passages"].as_array().expect("passages");
    assert_eq!(reply.header("x-rag-hits"), Some(passages.len().to_string().as_str()));
    assert_eq!(passages[0]["n"], 1);
    assert!(passages[0]["text"].as_str().is_some_and(|text| text.contains("CODE-9.")), "{trace}");
    assert!(
        passages[0]["lexical"].is_number()
            && passages[0]["score"].is_number()
            && passages[0]["dense"].is_null()
    );
    let sources: Value = serde_json::from_str(reply.header("x-rag-sources").expect("sources")).expect("JSON");
    assert_eq!((&sources[0]["document"], &sources[0]["passages"][0]), (&json!("station.md"), &json!([1])));
    let timing = reply.header("server-timing").expect("timings");
    for stage in ["lexical;dur=", "weave;dur=", "upstream;dur="] {
        assert!(timing.contains(stage), "{timing}");
    }
    world.get("/v1/rag/traces/trace_unknown").await.error(404, "trace_not_found");
    world.post("/v1/rag/preview", &[], question_body("What?")).await.error(400, "no_collection");
}
