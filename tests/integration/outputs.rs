//! Commands whose output somebody stops reading, as `| head` does: they end quietly.

use std::process::{Output, Stdio};

use tokio::process::Command;

use super::world::{World, within};

/// Runs a command whose output has no reader from the beginning.
async fn unread(world: &World, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(arguments).arg("--data").arg(world.data()).current_dir(world.collections());
    command.env("LASTRO_UPSTREAM", format!("http://{}/v1", world.upstream.address));
    command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).kill_on_drop(true);
    let running = command.spawn().expect("the command starts");
    // Its own end of the pipe too.
    drop(command);
    within(running.wait_with_output()).await.expect("the command runs")
}

#[tokio::test]
async fn a_command_whose_output_is_closed_ends_quietly() {
    let (world, _program) = World::program("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let text = world.collections().join("lamp.txt");
    std::fs::write(&text, "The lamp is lit at dusk.").expect("a file");
    let file = text.to_str().expect("a path");
    for arguments in [
        &["search", "manual", "valve"][..],
        &["search", "manual", "nothing of it"],
        &["ingest", "lamps", file],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        let done = unread(&world, arguments).await;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!said.contains("panicked") && !said.contains("ipe"), "{arguments:?}: {said}");
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {said}");
    }
    // Ended, and done all the same.
    assert_eq!(world.search("lamps", "lamp").await, ["The lamp is lit at dusk."]);
}

/// What went wrong is the outcome, read or not.
#[tokio::test]
async fn a_failure_is_one_without_a_reader_too() {
    let (world, _program) = World::program("").await;
    let archive = world.collections().join("archive.zip");
    std::fs::write(&archive, b"PK\x03\x04\x14\0\0\0\x08\0 and so on").expect("a file");
    let done = unread(&world, &["ingest", "papers", archive.to_str().expect("a path")]).await;
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    let done = unread(&world, &["search", "nosuch", "valve"]).await;
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("nosuch"));
}

#[tokio::test]
async fn keys_and_answers_end_quietly_too() {
    use super::world::upstream::{EVENTS, LAST_CHUNK, chunk};
    use super::world::{Piece, eventually};
    let (world, _program) = World::program("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let word = chunk(
        br#"data: {"choices":[{"delta":{"content":"word "}}]}

"#,
    );
    world.upstream.play(vec![
        Piece::Bytes([EVENTS, &word].concat()),
        Piece::UntilClosed,
        Piece::Bytes(LAST_CHUNK.into()),
    ]);
    let done = unread(&world, &["ask", "manual", "Is the valve closed?"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    // Nobody reads the rest of the answer, so it is not made.
    eventually(|| async { (world.upstream.closed() == 1).then_some(()) }).await;
    for arguments in
        [&["keys", "generate"][..], &["keys", "list"], &["keys", "create", "a"], &["keys", "list"]]
    {
        let done = unread(&world, arguments).await;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {said}");
    }
}
