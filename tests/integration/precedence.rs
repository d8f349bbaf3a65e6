//! The server goes before the parser where memory runs out.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use super::world::eventually;

#[tokio::test]
async fn the_parser_steps_back() {
    // It waits for its task, which never comes.
    let parser = Command::new(env!("CARGO_BIN_EXE_lastro"))
        .arg("extract-document")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a parser");
    let folder = format!("/proc/{}", parser.id().expect("it runs"));
    eventually(|| async {
        let score = fs::read_to_string(format!("{folder}/oom_score_adj")).ok()?;
        (score.trim() == "1000").then_some(())
    })
    .await;
}
