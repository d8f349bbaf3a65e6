//! Paths that ask a model and are not grounded: a collection that was chosen in so many words is never passed over.

use super::world::World;

const PATHS: [&str; 2] = ["/v1/completions", "/v1/messages"];
const BODY: &str = r#"{"model":"test-model","prompt":"Is the valve closed?","messages":[]}"#;

#[tokio::test]
async fn an_explicit_collection_is_refused_with_what_to_do() {
    let world = World::with_manual("").await;
    for path in PATHS {
        for (target, headers) in [
            (path.to_owned(), &[("X-RAG-Collection", "manual")][..]),
            (path.to_owned(), &[("X-RAG-Collection", "manual"), ("X-RAG", "on")]),
            (format!("{path}/"), &[("X-RAG-Collection", "manual")]),
            (path.replace("/v1/", "/v1//"), &[("X-RAG-Collection", "manual")]),
            (format!("/c/manual{path}"), &[]),
            (format!("/c/manual{path}/?x=1"), &[]),
            (format!("/c/manual{}", path.replace("/v1/", "/v1//")), &[]),
            (format!("/c/manual{}", path.replace('s', "%73")), &[]),
        ] {
            let message = world.post(&target, headers, BODY).await.error(400, "not_grounded");
            assert!(
                message.contains(path) && message.contains("/v1/chat/completions"),
                "{target}: {message}"
            );
        }
        // As in chats.
        for (headers, status, code) in [
            (&[("X-RAG-Collection", "nosuch")][..], 404, "collection_not_found"),
            (&[("X-RAG-Collection", "manual,nosuch")], 404, "collection_not_found"),
            (&[("X-RAG-Collection", "")], 400, "empty_collection_name"),
            (&[("X-RAG-Document", "valve.txt")], 400, "document_without_collection"),
            (&[("X-RAG", "maybe")], 400, "invalid_header"),
        ] {
            world.post(path, headers, BODY).await.error(status, code);
        }
        world.post(&format!("/c/nosuch{path}"), &[], BODY).await.error(404, "collection_not_found");
    }
    assert!(world.upstream.heads().is_empty());
}

#[tokio::test]
async fn who_asks_without_documents_is_passed_on() {
    let world = World::with_manual("default_collection = \"manual\"").await;
    for path in PATHS {
        for (target, headers, status) in [
            (path.to_owned(), &[][..], None),
            // A default is for chats.
            (path.to_owned(), &[("X-RAG", "off")], None),
            (path.to_owned(), &[("X-RAG", "off"), ("X-RAG-Collection", "manual")], Some("off")),
            (format!("/c/manual{path}"), &[("X-RAG", "off")], Some("off")),
        ] {
            let reply = world.post(&target, headers, BODY).await;
            assert_eq!((reply.status, reply.header("x-rag-status")), (200, status), "{target}");
            let sent = world.upstream.last();
            assert_eq!((sent.target.as_str(), sent.text().as_str()), (path, BODY), "{target}");
            assert_eq!((sent.header("x-rag"), sent.header("x-rag-collection")), (None, None));
        }
        // What is below it is another matter, and so are other methods.
        for (method, below) in [("GET", ""), ("POST", "/count_tokens")] {
            let request = super::world::Request::new(method, &format!("/c/manual{path}{below}"));
            assert_eq!(world.ask(request).await.status, 200, "{method} {below}");
            assert_eq!(world.upstream.last().target, format!("{path}{below}"));
        }
    }
}
