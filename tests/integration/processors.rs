//! The embedding model's products are cut for the processors that the process was given.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::world::program::listening;
use super::world::{Request, World};

const VARIABLE: &str = "RAYON_NUM_THREADS=";
const KEY: &str = "sk-lastro-0123456789abcdef-0123456789abcdef0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_server_with_a_model_counts_its_own_processors() {
    let given = std::thread::available_parallelism().expect("there is one").to_string();
    for (options, wanted) in [("embedding_model = \"nosuch\"", Some(given.as_str())), ("", None)] {
        let (_world, program) = World::program(options).await;
        let environment = program.environment();
        let said = environment.iter().find_map(|entry| entry.strip_prefix(VARIABLE));
        assert_eq!(said, wanted, "{options}");
    }
}

/// The program runs itself once more: settings that can be read but once must not be lost by that, keys least of all.
#[tokio::test]
async fn settings_that_come_through_a_pipe_are_kept() {
    let world = World::prepared("").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.env_remove("RAYON_NUM_THREADS").args(["serve", "--config", "/dev/stdin", "--data"]);
    command.arg(world.data()).arg("--collections").arg(world.collections());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().expect("the program starts");
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://{}/v1\"\nembedding_model = \"nosuch\"\nkeys = [\"{KEY}:admin\"]\n",
        world.upstream.address
    );
    let mut input = process.stdin.take().expect("its input");
    input.write_all(settings.as_bytes()).await.expect("the settings are taken");
    drop(input);
    let address = listening(&mut process).await;
    let ask = Request::new("GET", "/v1/vector_stores");
    ask.clone().send(address).await.reply().await.error(401, "invalid_api_key");
    assert_eq!(ask.key(KEY).send(address).await.reply().await.status, 200);
}
