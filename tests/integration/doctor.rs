//! `lastro doctor` in worlds where something is wrong: the line, what to do, and the exit status. And `lastro healthcheck`.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::world::model::write_model;
use super::world::upstream::{EVENTS, LAST_CHUNK, chunk, json_answer};
use super::world::{Piece, World, within};

/// `lastro` with the world's upstream and data folder, and these arguments before them.
async fn lastro(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(world.collections()).kill_on_drop(true);
    within(command.output()).await.expect("the command runs")
}

/// What the doctor says, and whether all is well.
pub async fn doctor(world: &World, more: &[&str]) -> (bool, String) {
    let (upstream, data) = (format!("http://{}/v1", world.upstream.address), world.data());
    let data = data.to_str().expect("a path").to_owned();
    let mut arguments = vec!["doctor"];
    for (option, value) in [("--upstream", upstream.as_str()), ("--data", data.as_str())] {
        if !more.contains(&option) {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(more);
    let done = lastro(world, &arguments).await;
    let text = String::from_utf8(done.stdout).expect("text");
    assert!(matches!(done.status.code(), Some(0 | 1)), "{text}{}", String::from_utf8_lossy(&done.stderr));
    (done.status.success(), text)
}

/// The line of a check and the advice below it.
fn line<'a>(text: &'a str, begins: &str) -> (&'a str, &'a str) {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(begins));
    let line = lines.next().unwrap_or_else(|| panic!("no '{begins}' in\n{text}"));
    (line, lines.next().and_then(|next| next.trim_start().strip_prefix("-> ")).unwrap_or_default())
}

/// A failure of a check: the exit status is 1, and line and advice say these words.
fn assert_fails((well, text): &(bool, String), check: &str, says: &str, advises: &str) {
    assert!(!well, "{text}");
    let (line, advice) = line(text, &format!("fail  {check}: "));
    assert!(line.contains(says), "{line}");
    assert!(advice.contains(advises), "{line}\n{advice}");
}

#[tokio::test]
async fn a_good_world_is_well() {
    let world = World::prepared("").await;
    let model = world.collections().join("tiny");
    write_model(&model);
    let model = model.to_str().expect("a path");
    let (well, text) = doctor(&world, &["--embedding-model", model, "--device", "cpu"]).await;
    assert!(well, "{text}");
    for check in ["configuration", "window", "tokens", "data folder", "disk", "store", "reading", "clock"] {
        line(&text, &format!("ok    {check}: "));
    }
    assert!(line(&text, "ok    upstream: ").0.contains("test-model"), "{text}");
    assert!(line(&text, "ok    embedding model: ").0.contains("16 dimensions"), "{text}");
    assert!(!world.data().exists(), "looking makes no data folder");
    assert!(world.upstream.requests().is_empty(), "no token was asked for");
    // Every warning says what to do, in JSON too.
    let (_, json) = doctor(&world, &["--json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["ok"], true);
    let checks = json["checks"].as_array().expect("a list");
    assert!(checks.iter().any(|check| check["check"] == "embedding model" && check["status"] == "warn"));
    for check in checks {
        assert_eq!(check["status"] == "ok", check["advice"].is_null(), "{check}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let world = World::prepared("").await;
    let found = doctor(&world, &["--upstream", "http://127.0.0.1:8000"]).await;
    assert_fails(&found, "configuration", "/v1", "lastro settings");
    std::fs::write(world.collections().join("lastro.toml"), "pasages = 3").expect("settings");
    let found = doctor(&world, &[]).await;
    assert_fails(&found, "configuration", "pasages", "correct it");
    std::fs::write(world.collections().join("lastro.toml"), "passages = 3").expect("settings");
    let (well, text) = doctor(&world, &[]).await;
    assert!(well && line(&text, "ok    configuration: ").0.contains("lastro.toml"), "{text}");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_or_wants_a_key() {
    let world = World::prepared("").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dead = format!("http://{}/v1", listener.local_addr().expect("an address"));
    drop(listener);
    let found = doctor(&world, &["--upstream", &dead]).await;
    assert_fails(&found, "upstream", &dead, "start the LLM server");

    world.upstream.play_at("/v1/models", json_answer("401 Unauthorized", "{}"));
    assert_fails(&doctor(&world, &[]).await, "upstream", "asks for a key", "LASTRO_UPSTREAM_KEY");
    let found = doctor(&world, &["--upstream-key", "sk-very-secret"]).await;
    assert_fails(&found, "upstream", "refuses the key", "LASTRO_UPSTREAM_KEY");
    assert!(!found.1.contains("sk-very-secret"), "{}", found.1);

    world.upstream.play_at("/v1/models", json_answer("404 Not Found", "{}"));
    assert_fails(&doctor(&world, &[]).await, "upstream", "404", "end in /v1");
}

#[tokio::test]
async fn windows_that_are_unknown_small_or_wrong() {
    let world = World::prepared("").await;
    let told =
        |window: &str| format!(r#"{{"object":"list","data":[{{"id":"m","object":"model"{window}}}]}}"#);
    world.upstream.models(&told(""));
    let (well, text) = doctor(&world, &[]).await;
    let (says, advice) = line(&text, "warn  window: ");
    assert!(well && says.contains("4096") && advice.contains("--window"), "{text}");
    world.upstream.models(&told(r#","max_model_len":1024"#));
    assert!(line(&doctor(&world, &[]).await.1, "warn  window: ").1.contains("--max-model-len"));
    let found = doctor(&world, &["--window", "8192"]).await;
    assert_fails(&found, "window", "1024", "take --window out");
}

#[tokio::test]
async fn the_windows_of_several_models() {
    let world = World::prepared("").await;
    let list = |models: &str| format!(r#"{{"object":"list","data":[{models}]}}"#);
    world.upstream.models(&list(
        r#"{"id":"base","max_model_len":8192},{"id":"adapter","parent":"base"},{"id":"other","context_length":32768}"#,
    ));
    let (_, text) = doctor(&world, &[]).await;
    let (says, _) = line(&text, "ok    window: ");
    for told in ["base 8192 tokens", "adapter 8192 tokens", "other 32768 tokens"] {
        assert!(says.contains(told), "{says}");
    }
    let (_, text) = doctor(&world, &["--windows", "other=4096,misspelt=9"]).await;
    assert!(line(&text, "ok    window: ").0.contains("other 4096 tokens (configured)"), "{text}");
    assert!(line(&text, "warn  window: one is configured for misspelt").1.contains("--windows"), "{text}");
    let found = doctor(&world, &["--windows", "adapter=9000"]).await;
    assert_fails(&found, "window", "9000 tokens are configured for adapter", "take --windows out");
    // Of one that nobody tells, the name is said.
    world.upstream.models(&list(r#"{"id":"a","max_model_len":8192},{"id":"b"}"#));
    let (_, text) = doctor(&world, &[]).await;
    assert!(line(&text, "warn  window: ").0.contains("1 of 2 models do not tell theirs (b)"), "{text}");
}

#[tokio::test]
async fn one_token_is_asked_for_where_it_is_wanted() {
    let world = World::prepared("").await;
    let answer = [EVENTS.to_vec(), chunk(b"data: {}\n\n"), chunk(b"data: [DONE]\n\n"), LAST_CHUNK.to_vec()];
    world.upstream.play(vec![Piece::Bytes(answer.concat())]);
    let (well, text) = doctor(&world, &["--ask"]).await;
    assert!(well, "{text}");
    line(&text, "ok    stream: ");
    let asked = world.upstream.last().json();
    assert_eq!((&asked["max_tokens"], &asked["stream"]), (&1.into(), &true.into()));
    world.upstream.play(json_answer("200 OK", "{}"));
    assert_fails(&doctor(&world, &["--ask"]).await, "stream", "sent none", "log");
}

#[tokio::test]
async fn a_model_folder_that_is_missing_or_broken() {
    let world = World::prepared("").await;
    let found = doctor(&world, &["--embedding-model", "/nowhere/model"]).await;
    assert_fails(&found, "embedding model", "/nowhere/model", "config.json");
    let model = world.collections().join("broken");
    write_model(&model);
    std::fs::write(model.join("model.safetensors"), b"cut short").expect("a file");
    let found = doctor(&world, &["--embedding-model", model.to_str().expect("a path")]).await;
    assert_fails(&found, "embedding model", "model.safetensors", "BERT");
}

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database")
}

#[tokio::test]
async fn a_store_of_another_format() {
    let mut world = World::with_manual("").await;
    world.stop().await;
    drop(world.open().await);
    let (well, text) = doctor(&world, &[]).await;
    assert!(well && line(&text, "ok    store: ").0.contains("1 documents"), "{text}");
    database(&world).pragma_update(None, "user_version", 99).expect("it is changed");
    assert_fails(&doctor(&world, &[]).await, "store", "99", "newer lastro");
    let version: i64 = database(&world).query_row("PRAGMA user_version", [], |row| row.get(0)).expect("it");
    assert_eq!(version, 99, "looking changes nothing");
}

#[tokio::test]
async fn data_folders_that_cannot_be() {
    let world = World::prepared("").await;
    // Not even the administrator writes there.
    let found = doctor(&world, &["--data", "/sys/lastro"]).await;
    assert_fails(&found, "data folder", "cannot be written", "");
    let found = doctor(&world, &["--data", "/nowhere/lastro"]).await;
    assert_fails(&found, "data folder", "/nowhere", "mount");
    assert!(!Path::new("/nowhere").exists());
    std::fs::write(world.data(), "a file").expect("a file");
    assert_fails(&doctor(&world, &[]).await, "data folder", "is a file", "--data");
}

#[tokio::test]
async fn a_server_that_runs_is_asked() {
    let (world, program) = World::program("").await;
    let create = ["keys", "create", "short", "--expires-days", "3", "--data"];
    let data = world.data();
    let data = data.to_str().expect("a path");
    let made = lastro(&world, &[&create[..], &[data]].concat()).await;
    let key = String::from_utf8(made.stdout).expect("text");
    let (well, text) = doctor(&world, &[]).await;
    assert!(well && line(&text, "ok    store: ").0.contains(&world.address.to_string()), "{text}");
    let (says, advice) = line(&text, "warn  keys: ");
    assert!(says.contains("short") && advice.contains("lastro keys create"), "{text}");
    assert!(!text.contains(key.trim()) && !text.contains("sk-lastro"), "{text}");
    drop(program);
}

#[tokio::test]
async fn what_others_could_reach_without_keys() {
    let world = World::prepared("").await;
    let found = doctor(&world, &["--listen", "0.0.0.0:8080"]).await;
    assert_fails(&found, "exposure", "no keys", "lastro keys create");
    let open = ["--listen", "0.0.0.0:8080", "--allow-remote-without-keys"];
    line(&doctor(&world, &open).await.1, "warn  exposure: ");
}

#[tokio::test]
async fn a_library_that_is_no_pdfium() {
    let world = World::prepared("").await;
    let found = doctor(&world, &["--pdfium", "/nowhere/libpdfium.so"]).await;
    assert_fails(&found, "pdfium", "/nowhere/libpdfium.so", "--pdfium");
    // PDFs are read all the same.
    line(&found.1, "ok    reading: ");
}

#[tokio::test]
async fn the_health_of_a_server_is_its_exit_status() {
    let (world, program) = World::program("").await;
    // Also where it listens on all addresses, and whatever else is set.
    for address in [world.address.to_string(), format!("0.0.0.0:{}", world.address.port())] {
        let done = lastro(&world, &["healthcheck", "--listen", &address, "--passages", "0"]).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    program.terminate().await;
    assert!(program.ended().await.success());
    let done = lastro(&world, &["healthcheck", "--listen", &world.address.to_string()]).await;
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("lastro serve"));
}
