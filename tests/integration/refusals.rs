//! What is refused and how: OpenAI's error shape, what to do about it, and a server that goes on.

use super::world::upstream::{json_answer, vllm_models};
use super::world::{Piece, Request, World, eventually, question_body};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn bad_bodies_are_refused_where_a_collection_was_chosen_and_relayed_where_not() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let user = r#"{"role":"user","content":"q"}"#;
    let cases = [
        (String::new(), "invalid_json"),
        ("words".to_owned(), "invalid_json"),
        ("[1]".to_owned(), "invalid_json"),
        (format!(r#"{{"messages":[{user}]"#), "invalid_json"),
        ("{}".to_owned(), "missing_field"),
        (r#"{"model":"m"}"#.to_owned(), "missing_field"),
        (r#"{"messages":"q"}"#.to_owned(), "invalid_messages"),
        (r#"{"messages":[7]}"#.to_owned(), "invalid_messages"),
        (format!(r#"{{"messages":[{user}],"messages":[{user}]}}"#), "duplicate_field"),
        (format!(r#"{{"model":"m","model":"m","messages":[{user}]}}"#), "duplicate_field"),
        (format!(r#"{{"tools":[],"tools":[],"messages":[{user}]}}"#), "duplicate_field"),
        (format!(r#"{{"model":7,"messages":[{user}]}}"#), "invalid_type"),
    ];
    for (body, code) in &cases {
        for target in ["/c/manual/v1/chat/completions", "/c/manual/v1/rag/preview"] {
            let reply = world.post(target, &[], body.as_str()).await;
            reply.error(400, code);
        }
    }
    assert!(world.upstream.requests().is_empty(), "refused bodies went upstream");
    for (body, _) in &cases {
        assert_eq!(world.post(CHAT, &[], body.as_str()).await.status, 200, "{body}");
        assert_eq!(world.upstream.last().text(), *body);
    }
}

#[tokio::test]
async fn strangers_are_refused_before_anything_else() {
    let world = World::start("").await;
    let port = world.address.port();
    let host = format!("127.0.0.1:{port}");
    let (local, page) = (format!("localhost:{port}"), format!("http://{host}"));
    let (evil, longer) = (format!("evil.example:{port}"), format!("127.0.0.1.evil.example:{port}"));
    let other_port = format!("http://127.0.0.1:{}", port ^ 1);
    for (headers, code) in [
        (&[("Host", local.as_str())][..], None),
        (&[("Host", &host), ("Origin", &page)], None),
        (&[("Host", "evil.example")], Some("foreign_host")),
        (&[("Host", &evil)], Some("foreign_host")),
        (&[("Host", &longer)], Some("foreign_host")),
        (&[("Host", "192.168.1.5")], Some("foreign_host")),
        (&[("Origin", "http://evil.example")], Some("foreign_origin")),
        (&[("Origin", "null")], Some("foreign_origin")),
        (&[("Origin", &other_port)], Some("foreign_origin")),
        (&[("Origin", "")], Some("foreign_origin")),
    ] {
        for (method, target) in
            [("POST", CHAT), ("GET", "/v1/vector_stores"), ("GET", "/health"), ("GET", "/nothing")]
        {
            let before = world.upstream.requests().len();
            let reply = world.ask(Request::new(method, target).headers(headers).body("{}")).await;
            match code {
                Some(code) => {
                    reply.error(403, code);
                    assert_eq!(world.upstream.requests().len(), before);
                }
                None => assert_ne!(reply.status, 403, "{headers:?}: {}", reply.text()),
            }
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
}

#[tokio::test]
async fn routes_and_methods_that_do_not_exist_are_said() {
    let world = World::start("").await;
    for (method, target, status, code) in [
        ("GET", "/", 404, "unknown_url"),
        ("POST", "/chat/completions", 404, "unknown_url"),
        ("GET", "/v2/models", 404, "unknown_url"),
        ("GET", "/v1/vector_stores/x/nothing", 404, "unknown_url"),
        ("GET", "/v1/vector_stores/nowhere", 404, "collection_not_found"),
        ("PUT", "/v1/vector_stores", 405, "method_not_allowed"),
        ("GET", "/v1/rag/preview", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ] {
        let reply = world.ask(Request::new(method, target)).await;
        reply.error(status, code);
    }
    assert!(world.upstream.requests().is_empty());
}

#[tokio::test]
async fn collections_are_made_and_searched_with_checked_bodies() {
    let world = World::start("").await;
    let made = world.post("/v1/vector_stores", &[], "{\"name\":\"manual\"}").await;
    assert_eq!((made.status, &made.json()["name"]), (200, &"manual".into()));
    assert!(world.search("manual", "anything").await.is_empty());
    let search = "/v1/vector_stores/manual/search";
    for (target, body, status, code) in [
        ("/v1/vector_stores", "{\"name\":\"a\\nb\"}", 400, "invalid_value"),
        ("/v1/vector_stores", "{\"name\":\"x\",\"expires_after\":{}}", 400, "missing_required_parameter"),
        ("/v1/vector_stores", "[]", 400, "invalid_type"),
        ("/v1/vector_stores", "words", 400, "invalid_body"),
        (search, "{\"query\":\" \"}", 400, "invalid_value"),
        (search, "{\"query\":\"x\",\"max_num_results\":0}", 400, "invalid_value"),
        (search, "{\"query\":\"x\",\"max_num_results\":51}", 400, "invalid_value"),
        (search, "{\"query\":[]}", 400, "invalid_value"),
        (search, "{\"query\":\"x\",\"filters\":{}}", 400, "missing_required_parameter"),
        ("/v1/vector_stores/nowhere/search", "{\"query\":\"x\"}", 404, "collection_not_found"),
    ] {
        world.post(target, &[], body).await.error(status, code);
    }
}

#[tokio::test]
async fn queries_that_look_like_a_language_are_words() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    for query in [
        "valve AND (",
        "title:valve",
        "\"valve",
        "valve~9^",
        "-valve +",
        "[a TO valve]",
        "valve\u{0}",
        "' OR 1=1; --valve",
    ] {
        assert_eq!(world.search("manual", query).await.len(), 1, "{query}");
    }
    let long = format!("valve {}", "word ".repeat(20_000));
    assert_eq!(world.search("manual", &long).await.len(), 1);
}

#[tokio::test]
async fn without_an_llm_server_all_but_answers_works() {
    // A port that nobody listens on: bound for a moment and given back.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let world = World::start(&format!("upstream = \"http://127.0.0.1:{port}/v1\"")).await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    assert_eq!(world.search("manual", "valve").await, ["The valve is closed at noon."]);
    let health = world.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &"ok".into()));
    let ready = world.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["upstream"]["status"]), (200, &"failed".into()));
    assert_eq!(ready.json()["embedding"]["status"], "none");
    for reply in [
        world.post(CHAT, &[], question_body("q")).await,
        world.chat("manual", "When is the valve closed?", &[]).await,
        world.post(CHAT, &[], question_body("q").replace("test-model", "test-model@manual")).await,
        world.get("/v1/models").await,
        world.get("/v1/batches").await,
    ] {
        let message = reply.error(502, "upstream_unreachable");
        assert!(message.contains("--upstream") && !message.contains("127.0.0.1"), "{message}");
        assert!(!message.contains(&port.to_string()), "{message}");
    }
}

#[tokio::test]
async fn upstreams_own_errors_are_passed_on() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    for (status, body) in [
        ("400 Bad Request", "{\"error\":{\"message\":\"too long\",\"code\":400}}"),
        ("401 Unauthorized", "{\"error\":\"Unauthorized\"}"),
        ("404 Not Found", "{\"detail\":\"Not Found\"}"),
        ("429 Too Many Requests", ""),
        ("500 Internal Server Error", "<html>oops</html>"),
        ("503 Service Unavailable", "{}"),
    ] {
        world.upstream.play(json_answer(status, body));
        for reply in [world.post(CHAT, &[], "{}").await, world.chat("manual", "The valve?", &[]).await] {
            assert!(status.starts_with(&reply.status.to_string()), "{status}: {}", reply.status);
            assert_eq!(reply.text(), body);
        }
    }
    // No answer at all is ours to say.
    for pieces in [vec![Piece::Die], vec![Piece::Bytes(b"SSH-2.0-server\r\n".to_vec()), Piece::Die]] {
        world.upstream.play(pieces);
        world.chat("manual", "The valve?", &[]).await.error(502, "upstream_broken");
    }
    let ready = world.get("/ready").await.json();
    assert_eq!((&ready["ready"], &ready["upstream"]["models"][0]), (&true.into(), &"test-model".into()));
}

/// A collection that the client chose must not be left out silently; a default one may be, and that is said.
#[tokio::test]
async fn retrieval_that_breaks_is_said() {
    let world = World::start("default_collection = \"manual\"").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the store opens");
    database.execute_batch("ALTER TABLE chunks RENAME TO lost").expect("the store is broken");
    let plain = question_body("When is the valve closed?");
    let reply = world.post(CHAT, &[], plain.as_str()).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("error")));
    assert_eq!(world.upstream.last().text(), plain);
    let before = world.upstream.requests().len();
    let message = world.chat("manual", "When is the valve closed?", &[]).await.error(503, "rag_unavailable");
    assert!(message.contains("X-RAG: off") && !message.contains("SQL"), "{message}");
    assert_eq!(world.upstream.requests().len(), before);
    let off = world.chat("manual", "When is the valve closed?", &[("X-RAG", "off")]).await;
    assert_eq!((off.status, off.header("x-rag-status")), (200, Some("off")));
    database.execute_batch("ALTER TABLE lost RENAME TO chunks").expect("the store is mended");
    let reply = world.chat("manual", "When is the valve closed?", &[]).await;
    assert_eq!(reply.header("x-rag-status"), Some("hit"));
}

#[tokio::test]
async fn ready_notices_an_llm_server_that_died() {
    let world = World::start("").await;
    let status = async || world.get("/ready").await.json()["upstream"]["status"].clone();
    assert_eq!(status().await, "ready");
    world.upstream.play_models(vec![Piece::Die]);
    eventually(|| async { (status().await == "failed").then_some(()) }).await;
    world.upstream.models(&vllm_models(8192));
    assert_eq!(status().await, "ready");
}
