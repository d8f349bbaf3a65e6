//! Every route, with no key, with a wrong one, with one for something else and with the right one.

use std::collections::BTreeSet;

use lastro::api;
use serde_json::json;

use super::super::world::{Request, World};

/// Routes of ours that turn out to be upstream's, for which the scope of the relay is needed too.
const UPSTREAMS_AFTER_ALL: [&str; 1] = ["/v1/embeddings"];

/// Requests that no row of the table is for, and that go upstream.
const RELAYED: [(&str, &str); 6] = [
    ("PATCH", "/v1/audio/speech"),
    ("GET", "/v1/chat/completions"),
    ("POST", "/v1/models"),
    ("PUT", "/v1/embeddings"),
    ("OPTIONS", "/v1/x"),
    ("DELETE", "/v1/models/x"),
];

/// What stands in a path for what varies. Deletions must find nothing: each is made several times.
fn filled(method: &str, path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    let last = segments.len() - 1;
    for (at, segment) in segments.iter_mut().enumerate() {
        *segment = match *segment {
            "{collection}" if method == "DELETE" && at == last => "nosuch",
            "{collection}" => "manual",
            named if named.starts_with('{') => "nosuch",
            plain => plain,
        };
    }
    segments.join("/")
}

/// A request for every route, below a collection too, and the scopes that it needs.
fn requests() -> Vec<(String, String, Vec<&'static str>)> {
    let mut requests = Vec::new();
    for api::Endpoint { method, path, scope } in api::routes() {
        let mut needs: Vec<&str> = scope.iter().map(|scope| scope.name()).collect();
        needs.extend(UPSTREAMS_AFTER_ALL.contains(&path).then_some("relay"));
        requests.push((method.to_string(), filled(method.as_str(), path), needs));
    }
    requests.extend(RELAYED.map(|(method, target)| (method.to_owned(), target.to_owned(), vec!["relay"])));
    let below = requests.iter().filter(|(_, target, _)| target.starts_with("/v1/"));
    let below =
        below.map(|(method, target, needs)| (method.clone(), format!("/c/manual{target}"), needs.clone()));
    let below: Vec<_> = below.collect();
    requests.extend(below);
    requests
}

#[tokio::test]
async fn every_route_is_closed_to_all_but_its_keys() {
    let world = World::with_manual("").await;
    let key = async |name: &str, scopes: &[&str]| {
        world.key(json!({ "name": name, "scopes": scopes, "all_collections": true })).await.1
    };
    let scopes = ["chat", "relay", "ingest", "metrics"];
    let enough: BTreeSet<Vec<&str>> = requests().into_iter().map(|(.., needs)| needs).collect();
    let mut with = Vec::new();
    for scopes in enough.into_iter().filter(|scopes| !scopes.is_empty()) {
        with.push((scopes.clone(), key(&scopes.join(" and "), &scopes).await));
    }
    let of_scopes = |needs: &[&str]| {
        let found = with.iter().find(|(scopes, _)| scopes == needs);
        found.map(|(_, key)| key.clone()).expect("a key")
    };
    let admin = of_scopes(&["admin"]);
    let mut without = vec![("admin", key("all but admin", &scopes).await)];
    for scope in scopes {
        let others: Vec<&str> = scopes.into_iter().filter(|other| *other != scope).collect();
        without.push((scope, key(&format!("all but {scope}"), &others).await));
    }
    for (method, target, needs) in &requests() {
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
        let enough = &of_scopes(needs);
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
