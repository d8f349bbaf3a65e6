//! `src/api/openapi.json` describes exactly the routes of the table, each once and with the scope that it needs.

use std::collections::{BTreeMap, BTreeSet};

use lastro::access::Scope;
use lastro::api;
use serde_json::{Value, json};

use super::world::{Piece, World, eventually, question_body};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a file of this crate")
}

fn description() -> Value {
    serde_json::from_str(&read("src/api/openapi.json")).expect("JSON")
}

/// Path and method of every route, with the scope that it needs; the rest of `/v1` is the LLM server's.
fn routes() -> BTreeMap<(String, String), Option<Scope>> {
    // One parameter, whatever it holds.
    let route = |route: api::Endpoint| {
        let place = (route.path.replace("{*", "{"), route.method.as_str().to_lowercase());
        (place, route.scope)
    };
    api::routes().map(route).collect()
}

/// Every operation that is described.
fn operations(description: &Value) -> BTreeMap<(String, String), &Value> {
    let paths = description["paths"].as_object().expect("paths");
    let of_path = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter().filter(|(key, _)| *key != "servers");
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
fn it_names_the_scope_that_each_route_needs() {
    let (routes, description) = (routes(), description());
    let operations = operations(&description);
    for ((path, method), scope) in routes {
        let Some(operation) = operations.get(&(path.clone(), method.clone())) else {
            continue; // the test above says so
        };
        match scope {
            Some(scope) => assert_eq!(operation["x-scope"], scope.name(), "{method} {path}"),
            None => assert_eq!(operation["security"], Value::Array(Vec::new()), "{method} {path} is open"),
        }
    }
}

#[test]
fn what_begins_with_v1_is_there_below_a_collection() {
    let description = description();
    let addresses = |servers: &Value| -> Vec<String> {
        let servers = servers.as_array().into_iter().flatten();
        servers.map(|server| server["url"].as_str().expect("an address").to_owned()).collect()
    };
    assert_eq!(addresses(&description["servers"]), ["/", "/c/{collection}"]);
    for (path, item) in description["paths"].as_object().expect("paths") {
        let only: &[&str] = if path.starts_with("/v1/") { &[] } else { &["/"] };
        assert_eq!(addresses(&item["servers"]), only, "{path}");
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
