//! Every route, with no key, with a wrong one, with one for something else and with the right one.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::world::{Request, World};

/// What a route needs.
enum Needs {
    Nothing,
    Scope(&'static str),
}
use Needs::{Nothing, Scope};

const CHAT: Needs = Scope("chat");
const RELAY: Needs = Scope("relay");
const INGEST: Needs = Scope("ingest");
const ADMIN: Needs = Scope("admin");

/// Method and path as `src/api/mod.rs` has them, a request for it, and what it needs. A route that is not here fails
/// the test: whoever adds one says who may use it.
const ROUTES: &[(&str, &str, &str, Needs)] = &[
    ("POST", "/v1/chat/completions", "/v1/chat/completions", CHAT),
    ("POST", "/c/{collection}/v1/chat/completions", "/c/manual/v1/chat/completions", CHAT),
    ("POST", "/v1/rag/preview", "/v1/rag/preview", CHAT),
    ("POST", "/c/{collection}/v1/rag/preview", "/c/manual/v1/rag/preview", CHAT),
    ("GET", "/v1/rag/traces/{id}", "/v1/rag/traces/trace_0", CHAT),
    ("GET", "/v1/models", "/v1/models", CHAT),
    ("GET", "/v1/vector_stores", "/v1/vector_stores", CHAT),
    ("POST", "/v1/vector_stores", "/v1/vector_stores", INGEST),
    ("GET", "/v1/vector_stores/{collection}", "/v1/vector_stores/manual", CHAT),
    ("DELETE", "/v1/vector_stores/{collection}", "/v1/vector_stores/nosuch", INGEST),
    ("POST", "/v1/vector_stores/{collection}/search", "/v1/vector_stores/manual/search", CHAT),
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
    ("GET", "/admin/keys", "/admin/keys", ADMIN),
    ("POST", "/admin/keys", "/admin/keys", ADMIN),
    ("DELETE", "/admin/keys/{key}", "/admin/keys/nosuch", ADMIN),
    ("POST", "/admin/keys/{key}/grants", "/admin/keys/nosuch/grants", ADMIN),
    ("ANY", "/v1/{*rest}", "/v1/audio/speech", RELAY),
    ("ANY", "/c/{collection}/v1/{*rest}", "/c/manual/v1/audio/speech", RELAY),
    ("GET", "/health", "/health", Nothing),
    ("GET", "/ready", "/ready", Nothing),
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
    let scopes = ["chat", "relay", "ingest"];
    let mut with = Vec::new();
    let mut without = Vec::new();
    for scope in scopes {
        let others: Vec<&str> = scopes.into_iter().filter(|other| *other != scope).collect();
        with.push((scope, key(scope, &[scope]).await));
        without.push((scope, key(&format!("not {scope}"), &others).await));
    }
    with.push(("admin", key("admin", &["admin"]).await));
    without.push(("admin", key("not admin", &scopes).await));
    let admin = with[3].1.clone();
    let find = |keys: &[(&str, String)], scope: &str| {
        keys.iter().find(|(name, _)| *name == scope).expect("a key").1.clone()
    };
    let rows = ROUTES.iter().map(|(method, _, target, needs)| (*method, *target, needs));
    let rows = rows.chain(FALLBACKS.iter().map(|(method, target)| (*method, *target, &RELAY)));
    for (method, target, needs) in rows {
        let method = if method == "ANY" { "PATCH" } else { method };
        let request = || Request::new(method, target).json("{}");
        let bare = world.ask(request()).await;
        let Scope(scope) = needs else {
            assert_eq!(bare.status, 200, "{method} {target}");
            continue;
        };
        world.upstream.forget();
        let place = format!("{method} {target}");
        bare.error(401, "invalid_api_key");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"), "{place}");
        let mut answers = BTreeSet::new();
        for wrong in ["sk-lastro-0123456789abcdef-0", "sk-other", &admin[..admin.len() - 1], ""] {
            let reply = world.ask(request().key(wrong)).await;
            reply.error(401, "invalid_api_key");
            answers.insert(reply.text());
        }
        assert_eq!(answers.len(), 1, "{place}: {answers:?}");
        // One way alone to say who one is.
        for (name, value) in [
            ("Authorization", format!("Basic {admin}")),
            ("Authorization", admin.clone()),
            ("X-Api-Key", admin.clone()),
            ("Cookie", format!("key={admin}")),
            ("Proxy-Authorization", format!("Bearer {admin}")),
        ] {
            world.ask(request().header(name, &value)).await.error(401, "invalid_api_key");
        }
        world.ask(request().key(&admin).key(&admin)).await.error(401, "invalid_api_key");
        let message = world.ask(request().key(&find(&without, scope))).await.error(403, "insufficient_scope");
        assert!(message.contains(&format!("'{scope}'")), "{place}: {message}");
        assert!(world.upstream.heads().is_empty(), "{place}: refused requests went upstream");
        for allowed in [find(&with, scope), admin.clone()] {
            let reply = world.ask(request().key(&allowed)).await;
            assert!(![401, 403].contains(&reply.status), "{place}: {}", reply.text());
        }
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
