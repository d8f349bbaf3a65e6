//! A parser stands back for the server: for the processor, and where memory runs out.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a parser is given to do, as the server gives it; it reads its file from standard input.
const TASK: &str =
    r#"{"filename":"a.txt","max_characters":1000,"memory_bytes":268435456,"processor_seconds":60}"#;

/// Ends the parser with the test, however that ends.
struct Parser(Child);

impl Drop for Parser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The niceness in `/proc/PID/stat`: field 19, and the seventeenth behind the name in brackets.
fn niceness(stat: &str) -> i32 {
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    fields.split_whitespace().nth(16).and_then(|field| field.parse().ok()).expect("there are 52 fields")
}

#[test]
fn a_parser_is_killed_before_the_server_and_yields_it_the_processor() {
    let ours = niceness(&std::fs::read_to_string("/proc/self/stat").expect("Linux has it"));
    let parser = Command::new(env!("CARGO_BIN_EXE_lastro"))
        .arg("extract-document")
        .env("LASTRO_EXTRACT", TASK)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program was built");
    // Its input stays open: it waits for the file, and lives while it is looked at.
    let parser = Parser(parser);
    let of_parser =
        |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", parser.0.id())).expect("it lives");

    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = (of_parser("oom_score_adj").trim().to_owned(), niceness(&of_parser("stat")));
        if seen == ("1000".to_owned(), (ours + 10).min(19)) {
            return;
        }
        assert!(Instant::now() < until, "{seen:?}, where we have a niceness of {ours}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
