//! `lastro keys`, with a server that runs and without one; and what a server needs to be reached from elsewhere.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use tokio::process::{Child, Command};

use super::super::world::program::listening;
use super::super::world::{Request, World, eventually, within};
use super::{chat, get};

fn lastro(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(arguments).arg("--data").arg(world.data()).current_dir(world.collections());
    command.kill_on_drop(true);
    command
}

async fn run(world: &World, arguments: &[&str]) -> Output {
    within(lastro(world, arguments).output()).await.expect("the command runs")
}

/// What a command prints where all is well.
async fn said(world: &World, arguments: &[&str]) -> String {
    let done = run(world, arguments).await;
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

async fn refused(world: &World, arguments: &[&str]) -> String {
    let done = run(world, arguments).await;
    assert!(!done.status.success(), "{arguments:?}");
    String::from_utf8(done.stderr).expect("text")
}

#[tokio::test]
async fn commands_change_a_server_that_runs() {
    let (world, _program) = World::program("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let mode = std::fs::metadata(world.data().join("server.json")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(said(&world, &["keys", "list"]).await.contains("no keys"));
    let key = said(
        &world,
        &[
            "keys",
            "create",
            "tenant",
            "--collection",
            "manual",
            "--default",
            "manual",
            "--requests-per-minute",
            "600",
        ],
    )
    .await;
    let key = key.trim_end();
    assert!(key.starts_with("sk-lastro-") && !key.contains(char::is_whitespace), "{key}");
    world.get("/v1/models").await.error(401, "invalid_api_key");
    assert_eq!(world.ask(chat(Some("manual"), key)).await.header("x-rag-status"), Some("hit"));
    assert_eq!(world.ask(chat(None, key)).await.header("x-rag-status"), Some("hit"), "its default");
    let list = said(&world, &["keys", "list"]).await;
    assert!(
        list.contains("tenant") && list.contains("active") && list.contains("600 requests a minute"),
        "{list}"
    );
    assert!(!list.contains("sk-lastro"), "{list}");
    // The other commands go on working, since they may read the data folder.
    let found = said(&world, &["search", "manual", "valve"]).await;
    assert!(found.contains("noon"), "{found}");
    let text = world.collections().join("lamp.txt");
    std::fs::write(&text, "The lamp is lit at dusk.").expect("a file");
    said(&world, &["ingest", "lamps", text.to_str().expect("a path")]).await;
    world.ask(chat(Some("lamps"), key)).await.error(404, "collection_not_found");
    said(&world, &["keys", "grant", "tenant", "lamps"]).await;
    assert_eq!(world.ask(chat(Some("lamps"), key)).await.status, 200);
    said(&world, &["keys", "revoke", "tenant"]).await;
    world.ask(chat(Some("manual"), key)).await.error(401, "invalid_api_key");
    assert!(said(&world, &["keys", "list"]).await.contains("revoked"));
    for (arguments, says) in [
        (&["keys", "revoke", "tenant"][..], "lastro keys list"),
        (&["keys", "grant", "nobody", "manual"], "lastro keys list"),
        (&["keys", "create", "b", "--collection", "nosuch"], "nosuch"),
        (&["keys", "create", "b", "--collection", "manual,nosuch"], "nosuch"),
        (&["keys", "create", "b", "--collection", "manual", "--collection", "nosuch"], "nosuch"),
        (&["keys", "create", "b", "--scopes", "chat,read"], "relay"),
        (&["keys", "create", "b", "--admin", "--scopes", "chat"], "--scopes"),
        (&["keys", "create"], "NAME"),
        (&["keys", "forge"], "forge"),
    ] {
        let problem = refused(&world, arguments).await;
        assert!(problem.contains(says), "{arguments:?}: {problem}");
    }
    assert!(said(&world, &["keys", "--help"]).await.contains("revoke"));
    assert!(said(&world, &["keys", "create", "--help"]).await.contains("--max-mib"));
}

#[tokio::test]
async fn commands_need_no_server() {
    let mut world = World::prepared("").await;
    let admin = said(&world, &["keys", "create", "root", "--admin"]).await;
    let wanted =
        ["keys", "create", "small", "--scopes", "chat,ingest", "--expires-days", "9", "--streams", "2"];
    let small = said(&world, &wanted).await;
    let list = said(&world, &["keys", "list"]).await;
    assert!(
        list.contains("root") && list.contains("chat,ingest") && list.contains("at most 2 at a time"),
        "{list}"
    );
    world.run().await;
    world.get("/v1/models").await.error(401, "invalid_api_key");
    assert_eq!(world.ask(get("/v1/models", small.trim_end())).await.status, 200);
    assert_eq!(world.ask(get("/admin/keys", admin.trim_end())).await.status, 200);
    world.ask(get("/admin/keys", small.trim_end())).await.error(403, "insufficient_scope");
}

#[tokio::test]
async fn a_key_of_the_settings_is_the_first() {
    let world = World::prepared("").await;
    let key = said(&world, &["keys", "generate"]).await;
    let key = key.trim_end().to_owned();
    assert!(!world.data().exists(), "nothing is kept of it");
    let serve = |keys: String| {
        let mut command = lastro(&world, &["serve", "--listen", "0.0.0.0:0"]);
        // Variables that a file of settings leaves empty say nothing.
        let empty = [
            "LASTRO_EMBEDDING_MODEL",
            "LASTRO_CORS_ORIGINS",
            "LASTRO_PASSAGES",
            "LASTRO_LOG_JSON",
            "LASTRO_CONFIG",
        ];
        command.envs(empty.map(|name| (name, ""))).env("LASTRO_KEYS", keys);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    for (keys, says) in
        [(String::new(), "there are no keys"), (format!("{key}:everything"), "entry 1: scopes are")]
    {
        let done = within(serve(keys).output()).await.expect("it ends");
        let problem = String::from_utf8(done.stderr).expect("text");
        assert!(!done.status.success() && problem.contains(says) && !problem.contains(&key), "{problem}");
    }
    let mut process = serve(format!("{key}:admin")).spawn().expect("it starts");
    let address = address(&mut process).await;
    eventually(|| async {
        let reply = Request::new("GET", "/admin/keys").key(&key).send(address).await.reply().await;
        (reply.status == 200).then_some(())
    })
    .await;
    Request::new("GET", "/admin/keys").send(address).await.reply().await.error(401, "invalid_api_key");
    assert!(said(&world, &["keys", "list"]).await.contains("(of the settings)"));
    // Without an LLM server it fails, and says this too.
    let found = String::from_utf8(run(&world, &["doctor"]).await.stdout).expect("text");
    assert!(found.contains("1 keys in force"), "{found}");
    within(process.kill()).await.expect("it ends");
}

/// Where a process that listens on all addresses is reached from here.
async fn address(process: &mut Child) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], listening(process).await.port()))
}

#[tokio::test]
async fn other_machines_are_served_only_with_keys() {
    let world = World::prepared("").await;
    let serve = ["serve", "--listen", "0.0.0.0:0"];
    let problem = refused(&world, &serve).await;
    for says in ["lastro keys create", "127.0.0.1", "--allow-remote-without-keys"] {
        assert!(problem.contains(says), "{problem}");
    }
    said(&world, &["keys", "create", "root", "--admin"]).await;
    said(&world, &["keys", "revoke", "root"]).await;
    let mut process = lastro(&world, &serve).stdout(Stdio::piped()).spawn().expect("it starts");
    let address = address(&mut process).await;
    // Revoked is not undone: it is closed, and the commands still get in.
    eventually(|| async {
        let reply = Request::new("GET", "/v1/models").send(address).await.reply().await;
        (reply.status == 401).then_some(())
    })
    .await;
    assert!(said(&world, &["keys", "list"]).await.contains("revoked"));
    within(process.kill()).await.expect("it ends");
}
