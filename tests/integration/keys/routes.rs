//! Every route, with no key, with a wrong one, with one for something else and with the right one.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::world::{Request, World};

/// What a route needs.
type Needs = &'static [&'static str];

const NOTHING: Needs = &[];
const CHAT: Needs = &["chat"];
const RELAY: Needs = &["relay"];
/// What is ours and turns out to be upstream's.
const CHAT_AND_RELAY: Needs = &["chat", "relay"];
const INGEST: Needs = &["ingest"];
const METRICS: Needs = &["metrics"];
const ADMIN: Needs = &["admin"];

/// Method and path as `src/api/mod.rs` has them, a request for it, and what it needs. A route that is not here fails
/// the test: whoever adds one says who may use it.
const ROUTES: &[(&str, &str, &str, Needs)] = &[
    ("POST", "/v1/chat/completions", "/v1/chat/completions", CHAT),
    ("POST", "/c/{collection}/v1/chat/completions", "/c/manual/v1/chat/completions", CHAT),
    ("POST", "/v1/responses", "/v1/responses", CHAT),
    ("POST", "/c/{collection}/v1/responses", "/c/manual/v1/responses", CHAT),
    ("POST", "/v1/rag/preview", "/v1/rag/preview", CHAT),
    ("POST", "/c/{collection}/v1/rag/preview", "/c/manual/v1/rag/preview", CHAT),
    ("GET", "/v1/rag/traces/{id}", "/v1/rag/traces/trace_0", CHAT),
    ("POST", "/v1/embeddings", "/v1/embeddings", CHAT_AND_RELAY),
    ("POST", "/c/{collection}/v1/embeddings", "/c/manual/v1/embeddings", CHAT_AND_RELAY),
    ("GET", "/openapi.json", "/openapi.json", CHAT),
    ("GET", "/metrics", "/metrics", METRICS),
    ("GET", "/v1/models", "/v1/models", CHAT),
    ("GET", "/v1/models/{*model}", "/v1/models/x", CHAT_AND_RELAY),
    ("GET", "/v1/files", "/v1/files", CHAT),
    ("POST", "/v1/files", "/v1/files", INGEST),
    ("GET", "/v1/files/{file}", "/v1/files/file-x", CHAT),
    ("DELETE", "/v1/files/{file}", "/v1/files/file-x", INGEST),
    ("GET", "/v1/files/{file}/content", "/v1/files/file-x/content", CHAT),
    ("GET", "/v1/vector_stores", "/v1/vector_stores", CHAT),
    ("POST", "/v1/vector_stores", "/v1/vector_stores", INGEST),
    ("GET", "/v1/vector_stores/{collection}", "/v1/vector_stores/manual", CHAT),
    ("POST", "/v1/vector_stores/{collection}", "/v1/vector_stores/manual", INGEST),
    ("DELETE", "/v1/vector_stores/{collection}", "/v1/vector_stores/nosuch", INGEST),
    ("POST", "/v1/vector_stores/{collection}/search", "/v1/vector_stores/manual/search", CHAT),
    ("GET", "/v1/vector_stores/{collection}/files", "/v1/vector_stores/manual/files", CHAT),
    ("POST", "/v1/vector_stores/{collection}/files", "/v1/vector_stores/manual/files", INGEST),
    ("GET", "/v1/vector_stores/{collection}/files/{file}", "/v1/vector_stores/manual/files/file-x", CHAT),
    ("POST", "/v1/vector_stores/{collection}/files/{file}", "/v1/vector_stores/manual/files/file-x", INGEST),
    (
        "DELETE",
        "/v1/vector_stores/{collection}/files/{file}",
        "/v1/vector_stores/manual/files/file-x",
        INGEST,
    ),
    (
        "GET",
        "/v1/vector_stores/{collection}/files/{file}/content",
        "/v1/vector_stores/manual/files/file-x/content",
        CHAT,
    ),
    ("POST", "/v1/vector_stores/{collection}/file_batches", "/v1/vector_stores/manual/file_batches", INGEST),
    (
        "GET",
        "/v1/vector_stores/{collection}/file_batches/{batch}",
        "/v1/vector_stores/manual/file_batches/vsfb_x",
        CHAT,
    ),
    (
        "POST",
        "/v1/vector_stores/{collection}/file_batches/{batch}/cancel",
        "/v1/vector_stores/manual/file_batches/vsfb_x/cancel",
        INGEST,
    ),
    (
        "GET",
        "/v1/vector_stores/{collection}/file_batches/{batch}/files",
        "/v1/vector_stores/manual/file_batches/vsfb_x/files",
        CHAT,
    ),
    ("GET", "/v1/vector_stores/{collection}/documents", "/v1/vector_stores/manual/documents", CHAT),
    ("POST", "/v1/vector_stores/{collection}/documents", "/v1/vector_stores/manual/documents", INGEST),
    (
        "GET",
        "/v1/vector_stores/{collection}/documents/{document}",
        "/v1/vector_stores/manual/documents/x",
        CHAT,
    ),
    (
        "DELETE",
        "/v1/vector_stores/{collection}/documents/{document}",
        "/v1/vector_stores/manual/documents/x",
        INGEST,
    ),
    (
        "POST",
        "/v1/vector_stores/{collection}/documents/{document}/retry",
        "/v1/vector_stores/manual/documents/x/retry",
        INGEST,
    ),
    ("GET", "/admin/keys", "/admin/keys", ADMIN),
    ("POST", "/admin/keys", "/admin/keys", ADMIN),
    ("DELETE", "/admin/keys/{key}", "/admin/keys/nosuch", ADMIN),
    ("POST", "/admin/keys/{key}/grants", "/admin/keys/nosuch/grants", ADMIN),
    ("ANY", "/v1/{*rest}", "/v1/audio/speech", RELAY),
    ("ANY", "/c/{collection}/v1/{*rest}", "/c/manual/v1/audio/speech", RELAY),
    ("GET", "/health", "/health", NOTHING),
    ("GET", "/ready", "/ready", NOTHING),
];

/// What no row of the table is for and goes upstream all the same.
const FALLBACKS: &[(&str, &str)] = &[
    ("GET", "/v1/chat/completions"),
    ("POST", "/v1/models"),
    ("PUT", "/c/manual/v1/x"),
    ("OPTIONS", "/v1/x"),
];

/// Methods and paths in the source of the route table.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../../src/api/mod.rs");
    let mut found = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("a path");
        for method in ["get", "post", "put", "patch", "delete", "head", "options", "any"] {
            let called = format!("{method}(");
            let is_named = |(at, _): (usize, &str)| {
                !route[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            };
            if route.match_indices(&called).any(is_named) {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_route_is_in_the_table() {
    let told: BTreeSet<_> = ROUTES.iter().map(|(m, path, ..)| (m.to_string(), path.to_string())).collect();
    assert_eq!(told, routes());
}

#[tokio::test]
async fn every_route_is_closed_to_all_but_its_keys() {
    let world = World::with_manual("").await;
    let key = async |name: &str, scopes: &[&str]| {
        world.key(json!({ "name": name, "scopes": scopes, "all_collections": true })).await.1
    };
    let scopes = ["chat", "relay", "ingest", "metrics"];
    let mut with = Vec::new();
    for scopes in [CHAT, RELAY, CHAT_AND_RELAY, INGEST, ADMIN, METRICS] {
        with.push((scopes, key(&scopes.join(" and "), scopes).await));
    }
    let admin = with[4].1.clone();
    let mut without = vec![("admin", key("all but admin", &scopes).await)];
    for scope in scopes {
        let others: Vec<&str> = scopes.into_iter().filter(|other| *other != scope).collect();
        without.push((scope, key(&format!("all but {scope}"), &others).await));
    }
    let rows = ROUTES.iter().map(|(method, _, target, needs)| (*method, *target, *needs));
    let rows = rows.chain(FALLBACKS.iter().map(|(method, target)| (*method, *target, RELAY)));
    for (method, target, needs) in rows {
        let method = if method == "ANY" { "PATCH" } else { method };
        let request = || Request::new(method, target).json("{}");
        let bare = world.ask(request()).await;
        if needs.is_empty() {
            assert_eq!(bare.status, 200, "{method} {target}");
            continue;
        }
        world.upstream.forget();
        let place = format!("{method} {target}");
        bare.error(401, "invalid_api_key");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"), "{place}");
        let mut answers = BTreeSet::new();
        for wrong in ["sk-lastro-0123456789abcdef-0", "sk-other", &admin[..admin.len() - 1]] {
            let reply = world.ask(request().key(wrong)).await;
            reply.error(401, "invalid_api_key");
            answers.insert(reply.text());
        }
        assert_eq!(answers.len(), 1, "{place}: {answers:?}");
        // Nothing else says who one is.
        for (name, value) in [
            ("Authorization", format!("Basic {admin}")),
            ("Authorization", admin.clone()),
            ("Cookie", format!("key={admin}")),
            ("Proxy-Authorization", format!("Bearer {admin}")),
        ] {
            world.ask(request().header(name, &value)).await.error(401, "invalid_api_key");
        }
        world.ask(request().key(&admin).key(&admin)).await.error(401, "invalid_api_key");
        for (scope, key) in without.iter().filter(|(scope, _)| needs.contains(scope)) {
            let message = world.ask(request().key(key)).await.error(403, "insufficient_scope");
            assert!(message.contains(&format!("'{scope}'")), "{place}: {message}");
        }
        assert!(world.upstream.heads().is_empty(), "{place}: refused requests went upstream");
        let enough = &with.iter().find(|(scopes, _)| *scopes == needs).expect("a key").1;
        for allowed in [enough, &admin] {
            let reply = world.ask(request().key(allowed)).await;
            assert!(![401, 403].contains(&reply.status), "{place}: {}", reply.text());
        }
        // As Anthropic's clients do, and Azure's.
        for name in ["X-Api-Key", "api-key"] {
            let reply = world.ask(request().header(name, &admin)).await;
            assert!(![401, 403].contains(&reply.status), "{place}: {}", reply.text());
            world
                .ask(request().header(name, enough).key(&format!("{admin}0")))
                .await
                .error(401, "invalid_api_key");
        }
        assert!(
            world.upstream.heads().iter().all(|sent| !format!("{sent:?}").contains("sk-lastro")),
            "{place}"
        );
    }
    // What is no route is no way to find out what is one.
    for target in
        ["/", "/nothing", "/admin", "/admin/keys/", "/c/manual", "/health/", "//health", "/ready?/../v1"]
    {
        let reply = world.get(target).await;
        assert!(reply.status == 401 || target.starts_with("/ready?"), "{target}: {}", reply.status);
        world.ask(Request::new("GET", target).key(&admin)).await;
    }
}
