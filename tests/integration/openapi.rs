//! `src/api/openapi.json` describes exactly the routes of `src/api/mod.rs`, each once and with the scope that it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::world::{Piece, World, eventually, question_body};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a file of this crate")
}

fn description() -> Value {
    serde_json::from_str(&read("src/api/openapi.json")).expect("JSON")
}

/// What stands between the bracket at the beginning of a text and the one that closes it.
fn bracketed(text: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..at];
        }
    }
    panic!("no closing bracket: {text}");
}

/// Path, method and `module::handler` of every route, without those that take everything else to the LLM server.
fn routes() -> BTreeMap<(String, String), String> {
    let source = read("src/api/mod.rs");
    let source: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut routes = BTreeMap::new();
    for (at, found) in source.match_indices(".route(") {
        let route = bracketed(&source[at + found.len() - 1..]);
        let (_, rest) = route.split_once('"').expect("a path");
        let (path, handlers) = rest.split_once('"').expect("the path's end");
        if path.contains("{*rest}") {
            assert!(handlers.contains("any(relay::"), "{path} takes everything: it belongs to the relay");
            continue;
        }
        // One parameter, whatever it holds.
        let path = &path.replace("{*", "{");
        for method in METHODS {
            let call = format!("{method}(");
            let begins = handlers.match_indices(&call).filter(|(at, _)| {
                !handlers[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            for (at, _) in begins {
                let handler = bracketed(&handlers[at + method.len()..]).to_owned();
                let twice = routes.insert((path.to_owned(), method.to_owned()), handler);
                assert_eq!(twice, None, "{method} {path} is there twice");
            }
        }
    }
    assert!(routes.len() > 20, "routes are read from the source: {routes:?}");
    routes
}

/// Every operation that is described.
fn operations(description: &Value) -> BTreeMap<(String, String), &Value> {
    let paths = description["paths"].as_object().expect("paths");
    let of_path = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| ((path.clone(), method.clone()), operation))
    });
    of_path.collect()
}

#[test]
fn it_lists_the_routes_and_nothing_else() {
    let (routes, description) = (routes(), description());
    let described: BTreeSet<_> = operations(&description).into_keys().collect();
    let served: BTreeSet<_> = routes.into_keys().collect();
    let missing: Vec<_> = served.difference(&described).collect();
    let invented: Vec<_> = described.difference(&served).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}\ninvented: {invented:?}");
}

#[test]
fn it_names_the_scope_that_each_handler_takes() {
    let (routes, description) = (routes(), description());
    let operations = operations(&description);
    for ((path, method), handler) in routes {
        let Some(operation) = operations.get(&(path.clone(), method.clone())) else {
            continue; // the test above says so
        };
        let (module, function) = handler.split_once("::").expect("module::handler");
        let source = read(&format!("src/api/{module}.rs"));
        let (_, rest) = source.split_once(&format!("fn {function}(")).expect("the handler");
        let parameters = &rest[..rest.find(") ->").expect("an answer")];
        let needed =
            parameters.split_once("Caller<").and_then(|(_, rest)| rest.split_once('>')).map(|(s, _)| s);
        match needed {
            Some(scope) => assert_eq!(operation["x-scope"], scope.to_lowercase(), "{method} {path}"),
            None => assert_eq!(operation["security"], Value::Array(Vec::new()), "{method} {path} is open"),
        }
    }
}

#[test]
fn parameters_are_those_of_the_path_and_operations_have_names_of_their_own() {
    let description = description();
    let mut names = BTreeSet::new();
    for ((path, method), operation) in operations(&description) {
        let listed = operation["parameters"].as_array().cloned().unwrap_or_default();
        let resolved = listed.iter().map(|parameter| match parameter["$ref"].as_str() {
            Some(reference) => description.pointer(&reference[1..]).expect("what is referred to"),
            None => parameter,
        });
        let in_path: BTreeSet<_> =
            resolved.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().expect("a name")).collect();
        let braced: BTreeSet<_> =
            path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
        assert_eq!(in_path, braced, "{method} {path}");
        let name = operation["operationId"].as_str().expect("an operationId");
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        assert!(operation["responses"]["200"].is_object(), "{method} {path}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let description = description();
    let mut found = BTreeSet::new();
    references(&description, &mut found);
    let components = description["components"].as_object().expect("components");
    let parts = components.iter().filter(|(kind, _)| *kind != "securitySchemes");
    let there: BTreeSet<_> = parts
        .flat_map(|(kind, parts)| {
            let names = parts.as_object().expect("parts by name").keys();
            names.map(move |name| format!("#/components/{kind}/{name}"))
        })
        .collect();
    assert_eq!(found, there);
}

/// What of an answer its schema does not name. An object whose properties are not listed may have any.
fn undescribed(description: &Value, schema: &Value, answer: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = description.pointer(&reference[1..]).expect("what is referred to");
        return undescribed(description, schema, answer, at, found);
    }
    match (answer, schema["properties"].as_object()) {
        (Value::Object(fields), Some(properties)) => {
            for (name, value) in fields {
                let at = format!("{at}.{name}");
                match properties.get(name) {
                    Some(schema) => undescribed(description, schema, value, &at, found),
                    None => found.push(at),
                }
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(
                required.filter(|name| !fields.contains_key(*name)).map(|name| format!("no {at}.{name}")),
            );
        }
        (Value::Array(values), _) => {
            values.iter().for_each(|value| undescribed(description, &schema["items"], value, at, found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn what_is_told_of_searches_and_of_the_server_is_described_whole() {
    let (world, description) = (World::with_manual("").await, description());
    let question = || question_body("When is the valve closed?");
    let preview = world.post("/c/manual/v1/rag/preview", &[], question()).await.json();
    let chat = world.post("/c/manual/v1/chat/completions", &[], question()).await;
    let id = chat.header("x-rag-trace-id").expect("a trace").to_owned();
    let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
    let ready = world.ready().await;
    world.upstream.play_models(vec![Piece::Die]);
    let failed = eventually(|| async {
        let said = world.get("/ready").await.json();
        (said["upstream"]["status"] == "failed").then_some(said)
    });
    let failed = failed.await;
    assert!(failed["upstream"]["message"].is_string() && ready["upstream"]["address"].is_string());
    for (name, answer) in
        [("Preview", preview), ("Trace", trace), ("Readiness", ready), ("Readiness", failed)]
    {
        let (mut found, schema) = (Vec::new(), json!({ "$ref": format!("#/components/schemas/{name}") }));
        undescribed(&description, &schema, &answer, name, &mut found);
        assert!(found.is_empty(), "{found:?}: {answer}");
    }
}

#[test]
fn it_is_of_this_version() {
    let description = description();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(description["info"]["license"]["identifier"], env!("CARGO_PKG_LICENSE"));
}
