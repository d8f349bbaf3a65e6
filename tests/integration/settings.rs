//! The settings as people read them, and the exit codes of those that cannot be used.

use std::process::Output;

use tokio::process::Command;

use super::world::{World, within};

const WRITE_AGAIN: &str =
    "is old: lastro settings > lastro.example.toml; lastro settings --markdown > docs/settings.md";

async fn lastro(world: &World, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).current_dir(world.collections());
    within(command.kill_on_drop(true).output()).await.expect("the command runs")
}

#[tokio::test]
async fn the_written_files_are_those_of_the_table() {
    let world = World::prepared("").await;
    // It needs no settings that can be used.
    std::fs::write(world.collections().join("lastro.toml"), "pasages = 3").expect("settings");
    let example = lastro(&world, &[], &["settings"]).await;
    assert!(example.status.success());
    assert!(
        example.stdout == include_bytes!("../../lastro.example.toml"),
        "lastro.example.toml {WRITE_AGAIN}"
    );
    let reference = lastro(&world, &[], &["settings", "--markdown"]).await;
    assert!(reference.stdout == include_bytes!("../../docs/settings.md"), "docs/settings.md {WRITE_AGAIN}");
}

#[tokio::test]
async fn help_shows_every_setting_with_its_default() {
    let world = World::prepared("").await;
    let help = lastro(&world, &[("COLUMNS", "500")], &["serve", "--help"]).await;
    let help = String::from_utf8(help.stdout).expect("text");
    for says in [
        "The LLM server:",
        "Address to listen on [default: 127.0.0.1:8080] [env: LASTRO_LISTEN=]",
        "Most passages given to the model [default: 8]",
        "[default: none, and search is by words alone]",
    ] {
        assert!(help.contains(says), "no '{says}' in\n{help}");
    }
    let example = include_str!("../../lastro.example.toml");
    let keys =
        example.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = ").map(|(key, _)| key));
    for key in keys.filter(|key| !key.contains(' ')) {
        assert!(help.contains(&format!("--{}", key.replace('_', "-"))), "no {key} in\n{help}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_ends_the_command() {
    let world = World::prepared("").await;
    for (variables, arguments, code, says) in [
        (
            &[("LASTRO_HEADER_TIMEOUT", "0")][..],
            &["serve"][..],
            2,
            "lastro: header_timeout: must be more than 0",
        ),
        (&[], &["keys", "list", "--passages", "51"], 2, "lastro: passages: 51 is too much: at most 50"),
        (&[], &["serve", "--max-body-mib", "many"], 2, "--max-body-mib"),
        (&[], &["serve", "--device", "gpu"], 2, "must be auto, cpu or cuda"),
        (&[], &["ask", "manual"], 2, "<QUESTION>"),
        // 2 is reserved there.
        (&[], &["healthcheck", "--config", "nosuch.toml"], 1, "lastro: nosuch.toml: "),
        (&[("LASTRO_HEADER_TIMEOUT", "0")], &["healthcheck", "--listen", "127.0.0.1:0"], 1, "any free port"),
        (&[], &["ingest", "manual", "nosuch.txt"], 1, "lastro: nosuch.txt: no such file"),
    ] {
        let done = lastro(&world, variables, arguments).await;
        let said = String::from_utf8(done.stderr).expect("text");
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says) && done.stdout.is_empty(), "{arguments:?}: {said}");
    }
    assert!(!world.data().exists());
}
