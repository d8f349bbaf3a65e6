//! Chats that cannot be grounded: relayed as they came where nobody asked for it in so many words, and told otherwise.

use serde_json::json;

use super::world::{Reply, Request, World};

const CHAT: &str = "/v1/chat/completions";
const BELOW: &str = "/c/manual/v1/chat/completions";
const TOOL: &str = r#"{"type":"file_search","vector_store_ids":["manual"]}"#;
const USER: &str = r#"{"role":"user","content":"When is the valve closed?"}"#;

/// A chat of a model `m`.
fn chat(messages: &str, more: &str) -> String {
    format!(r#"{{"model":"m", "messages" :[{messages}]{more}}}"#)
}

/// Chats in which nobody asks anything.
fn without_a_question() -> Vec<String> {
    let messages = [
        "",
        r#"{"role":"system","content":"s"}"#,
        r#"{"role":"system","content":"s"},{"role":"assistant","content":"a"}"#,
        r#"{"role":"user","content":null}"#,
        r#"{"role":"user"}"#,
    ];
    messages.iter().map(|messages| chat(messages, "")).collect()
}

/// Bodies that cannot be read here, of which LLM servers take some, and why.
fn unreadable() -> Vec<(Vec<u8>, &'static str)> {
    let text = |body: String, code| (body.into_bytes(), code);
    vec![
        text(chat(r#"{"role":"user","content":["When","is it closed?"]}"#, ""), "invalid_messages"),
        text(chat(r#"{"role":"user","content":"\ud83d?"}"#, ""), "invalid_messages"),
        text(chat("7", ""), "invalid_messages"),
        text(format!("\u{feff}{}", chat(USER, "")), "invalid_json"),
        text(chat(USER, r#","temperature":NaN"#), "invalid_json"),
        text(chat(USER, "").trim_end_matches('}').to_owned(), "invalid_json"),
        ([chat(USER, r#","user":""#).as_bytes(), b"\xff\"}"].concat(), "invalid_json"),
        text(chat(USER, r#","messages":[]"#), "duplicate_field"),
        text(chat(USER, r#","model":"m""#), "duplicate_field"),
        text(chat(USER, r#","tools":[],"tools":[]"#), "duplicate_field"),
        text(r#"{"model":"m"}"#.to_owned(), "missing_field"),
    ]
}

fn show(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

fn told(reply: &Reply) -> (u16, Option<&str>) {
    (reply.status, reply.header("x-rag-status"))
}

#[tokio::test]
async fn by_default_they_go_as_they_came_and_that_is_told() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    let (_, key) =
        world.key(json!({ "name": "a", "collections": ["manual"], "default_collection": "manual" })).await;
    let empty = without_a_question().into_iter().map(|body| (body.into_bytes(), "empty"));
    let broken = unreadable().into_iter().map(|(body, _)| (body, "error"));
    for (body, status) in empty.chain(broken) {
        for (headers, key, status) in [
            (&[][..], &world.local_key, status),
            (&[], &key, status),
            (&[("X-RAG", "off")], &world.local_key, "off"),
        ] {
            let request = Request::new("POST", CHAT).headers(headers).key(key).json(body.clone());
            let reply = world.ask(request).await;
            assert_eq!(told(&reply), (200, Some(status)), "{} {headers:?}", show(&body));
            assert_eq!(reply.header("x-rag-collection"), Some("manual"));
            assert_eq!(reply.header("x-rag-hits"), Some("0"));
            assert_eq!(world.upstream.last().body, body, "{} {headers:?}", show(&body));
        }
    }
    // Without a choice of either kind nothing is said.
    let (_, stranger) = world.key(json!({ "name": "b" })).await;
    for (body, _) in unreadable() {
        let reply = world.ask(Request::new("POST", CHAT).key(&stranger).json(body.clone())).await;
        assert_eq!(told(&reply), (200, None), "{}", show(&body));
        assert_eq!(world.upstream.last().body, body);
    }
}

/// A body in which the collection is chosen by its model's name, and by its tool.
fn choosing(body: &[u8]) -> [Vec<u8>; 2] {
    let replaced = |what: &[u8], by: &str| {
        let at = body.windows(what.len()).position(|part| part == what).expect("it is there");
        [&body[..at], by.as_bytes(), &body[at + what.len()..]].concat()
    };
    let (model, tool) = (r#"{"model":"m@manual""#, format!(r#"{{"tools":[{TOOL}],"model":"m""#));
    [replaced(br#"{"model":"m""#, model), replaced(br#"{"model":"m""#, &tool)]
}

#[tokio::test]
async fn an_explicit_choice_is_told_whatever_the_body() {
    let world = World::with_manual("").await;
    let header = [("X-RAG-Collection", "manual")];
    for body in without_a_question() {
        let [model, tool] = choosing(body.as_bytes());
        let plain = body.clone().into_bytes();
        for (target, headers, sent) in
            [(BELOW, &[][..], plain.clone()), (CHAT, &header, plain), (CHAT, &[], model), (CHAT, &[], tool)]
        {
            let reply = world.post(target, headers, sent.clone()).await;
            assert_eq!(told(&reply), (200, Some("empty")), "{} {target}", show(&sent));
            assert_eq!(world.upstream.last().text(), body, "{} {target}", show(&sent));
            let off = [headers, &[("X-RAG", "off")]].concat();
            let reply = world.post(target, &off, sent.clone()).await;
            assert_eq!(told(&reply), (200, Some("off")), "{} {target}", show(&sent));
            assert_eq!(world.upstream.last().text(), body, "{} {target}", show(&sent));
        }
    }
    for (body, code) in unreadable() {
        let [model, tool] = choosing(&body);
        for (target, headers, sent) in
            [(BELOW, &[][..], body.clone()), (CHAT, &header, body), (CHAT, &[], model), (CHAT, &[], tool)]
        {
            world.upstream.forget();
            let reply = world.post(target, headers, sent.clone()).await;
            assert_eq!(reply.status, 400, "{} {target}: {}", show(&sent), reply.text());
            reply.error(400, code);
            assert!(world.upstream.requests().is_empty(), "{} {target}", show(&sent));
            // Switched off, nobody asks for it any more.
            let off = [headers, &[("X-RAG", "off")]].concat();
            let reply = world.post(target, &off, sent.clone()).await;
            assert_eq!(told(&reply), (200, Some("off")), "{} {target}", show(&sent));
            assert_eq!(world.upstream.last().body, sent);
        }
    }
}

#[tokio::test]
async fn choices_in_a_body_that_cannot_be_read_are_followed_like_others() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    world.upload("lamp", &[("lamp.txt", "The lamp is lit at dusk.")]).await;
    let broken = chat(USER, r#","messages":[]"#).into_bytes();
    let [model, tool] = choosing(&broken);
    let other = [("X-RAG-Collection", "lamp")];
    for body in [model, tool] {
        world.post(CHAT, &other, body.clone()).await.error(400, "conflicting_collections");
        let nowhere = show(&body).replace("manual", "nowhere").replace("\"m@", "\"test-model@");
        world.post(CHAT, &[], nowhere).await.error(404, "collection_not_found");
    }
    // A tool of ours that cannot be followed is refused, also where it need not be.
    let bad = chat(USER, r#","messages":[],"tools":[{"type":"file_search"}]"#);
    for headers in [&[][..], &[("X-RAG", "off")]] {
        let reply = world.post(CHAT, headers, bad.clone()).await;
        reply.error(400, "missing_required_parameter");
        assert_eq!(reply.json()["error"]["param"], "tools[0].vector_store_ids");
    }
    assert!(world.upstream.requests().is_empty(), "refused requests went upstream");
}

#[tokio::test]
async fn a_model_that_is_null_is_upstreams_own() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    let body = chat(USER, "").replace("\"m\"", "null");
    let reply = world.post(CHAT, &[], body.clone()).await;
    assert_eq!(told(&reply), (200, Some("hit")));
    let sent = world.upstream.last();
    assert!(sent.json()["model"].is_null() && sent.text().contains("closed at noon"), "{}", sent.text());
    let reply = world.post(CHAT, &[("X-RAG", "off")], body.clone()).await;
    assert_eq!(told(&reply), (200, Some("off")));
    assert_eq!(world.upstream.last().text(), body);
}

#[tokio::test]
async fn a_preview_shows_what_would_be_relayed() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    for (body, status) in
        [(chat("", ""), "empty"), (chat(USER, r#","model":"m""#), "error"), (chat(USER, ""), "hit")]
    {
        let preview = world.post("/v1/rag/preview", &[], body.clone()).await;
        assert_eq!((preview.status, &preview.json()["status"]), (200, &json!(status)), "{body}");
        assert!(status == "hit" || preview.text().contains(&body), "{body}: {}", preview.text());
    }
    let broken = chat(USER, r#","temperature":NaN"#);
    world.post("/v1/rag/preview", &[], broken).await.error(400, "invalid_json");
    assert!(world.upstream.requests().is_empty(), "a preview asked the model");
}
