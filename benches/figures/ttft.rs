//! Time to first token through lastro against asking the LLM server directly.
//!
//! A closed loop: every client sends its next request when it has the whole answer to the last one. With 32 clients on
//! few cores that measures a server at its limit, in turns with its own clients and upstream, and says nothing of a
//! server under a given load. An arm is a way to the same answer; in each round all arms have their turn, in changing
//! order, and a round's arms are compared with the direct one of the same round. The second direct arm shows how
//! much of a difference is noise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::ingest::{COLLECTION, Filled};
use crate::process::Place;
use crate::questions::Questions;
use crate::report::{Report, Value, median, quantile, value};
use crate::search::Searched;

/// Requests of each client before its time is taken.
const WARM_UP: usize = 3;

/// A way to an answer.
#[derive(Clone)]
struct Arm {
    name: &'static str,
    address: SocketAddr,
    path: String,
    /// The `X-RAG-Status` that its answers must have.
    status: Option<&'static str>,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Load {
    clients: usize,
    /// Of all clients together, per arm and round.
    requests: usize,
    rounds: usize,
}

/// Every way to an answer, by 1 client and by 32.
pub async fn measure(
    report: &mut Report,
    place: &Place,
    questions: &Arc<Questions>,
    requests: usize,
    rounds: usize,
    filled: &[Searched],
) {
    let plain = "/v1/chat/completions".to_owned();
    let direct = |name| Arm { name, address: place.upstream, path: plain.clone(), status: None };
    let mut arms = vec![direct("direct"), direct("direct again")];
    let mut missing = Vec::new();
    let grounded = format!("/c/{COLLECTION}{plain}");
    let names = ["grounded by words", "grounded by words and meaning"];
    for ((_, status, filled), name) in filled.iter().zip(names) {
        let mut ways = vec![(name, &grounded, Some(*status))];
        if *status == "lexical" {
            ways.insert(0, ("lastro, plain relay", &plain, None));
        }
        for (name, path, status) in ways {
            match filled {
                Err(error) => missing.push((name, error.to_string())),
                Ok(Filled { server, .. }) => {
                    arms.push(Arm { name, address: server.address, path: path.clone(), status });
                }
            }
        }
    }
    let groups =
        [(1, "Time to first token, 1 client"), (32, "Time to first token, 32 clients in a closed loop")];
    for (clients, group) in groups {
        let load = Load { clients, requests: requests * if clients == 1 { 1 } else { 3 }, rounds };
        let measured = compare(&arms, load, questions).await;
        for (arm, measured) in arms.iter().zip(measured) {
            report.add(group, arm.name, "", measured);
        }
        for (name, error) in &missing {
            report.add(group, *name, "", Err(error.clone().into()));
        }
    }
}

/// Each arm's values, or why it has none. The first arm is the one that the others are compared with.
async fn compare(arms: &[Arm], load: Load, questions: &Arc<Questions>) -> Vec<Outcome<Vec<Value>>> {
    let mut rounds: Vec<Outcome<Vec<(f64, f64)>>> = arms.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..load.rounds {
        let mut order: Vec<usize> = (0..arms.len()).collect();
        order.rotate_left(round % arms.len());
        if round % 2 == 1 {
            order.reverse();
        }
        for arm in order {
            let Ok(done) = &mut rounds[arm] else { continue };
            match one_round(&arms[arm], load, questions).await {
                Ok(times) => done.push(times),
                Err(error) => rounds[arm] = Err(error),
            }
        }
    }
    let direct = match rounds.first() {
        Some(Ok(direct)) => direct.clone(),
        _ => Vec::new(),
    };
    rounds.into_iter().enumerate().map(|(arm, rounds)| Ok(summary(&rounds?, &direct, arm > 0))).collect()
}

fn summary(rounds: &[(f64, f64)], direct: &[(f64, f64)], compared: bool) -> Vec<Value> {
    let over = |pick: fn(&(f64, f64)) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
    let mut values = vec![value("p50", over(|r| r.0), "ms"), value("p99", over(|r| r.1), "ms")];
    if compared && direct.len() == rounds.len() {
        let added = |pick: fn(&(f64, f64)) -> f64| {
            median(
                &rounds.iter().zip(direct).map(|(arm, direct)| pick(arm) - pick(direct)).collect::<Vec<_>>(),
            )
        };
        values.push(value("added p50", added(|r| r.0), "ms"));
        values.push(value("added p99", added(|r| r.1), "ms"));
    }
    values
}

/// Median and 99th percentile of one arm's turn, in milliseconds.
async fn one_round(arm: &Arm, load: Load, questions: &Arc<Questions>) -> Outcome<(f64, f64)> {
    let mut clients = JoinSet::new();
    for _ in 0..load.clients {
        let (arm, questions) = (arm.clone(), questions.clone());
        let requests = load.requests.div_ceil(load.clients);
        clients.spawn(async move { client(&arm, requests, &questions).await });
    }
    let mut times = Vec::with_capacity(load.requests);
    while let Some(done) = clients.join_next().await {
        times.extend(done??);
    }
    Ok((quantile(&mut times, 0.5), quantile(&mut times, 0.99)))
}

async fn client(arm: &Arm, requests: usize, questions: &Questions) -> Outcome<Vec<f64>> {
    let mut stream = TcpStream::connect(arm.address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::with_capacity(requests);
    for number in 0..WARM_UP + requests {
        let body = questions.chat();
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: */*\r\ncontent-length: {}\r\n\r\n{body}",
            arm.path,
            arm.address,
            body.len()
        );
        let ms = ask(&mut stream, &request, arm).await.map_err(|e| format!("{}: {e}", arm.name))?;
        if number >= WARM_UP {
            times.push(ms);
        }
    }
    Ok(times)
}

/// Milliseconds from sending to the first byte of content. The answer is read to its end.
async fn ask(stream: &mut TcpStream, request: &str, arm: &Arm) -> Outcome<f64> {
    let mut answer = Vec::with_capacity(4096);
    let mut first = None;
    let sent = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(format!("the answer ended early: {}", String::from_utf8_lossy(&answer)).into());
        }
        if first.is_none() && has_content(&answer) {
            first = Some(sent.elapsed());
        }
        if first.is_none() && !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(String::from_utf8_lossy(&answer).into_owned().into());
        }
    }
    if let Some(status) = arm.status {
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let found = head.lines().find_map(|l| l.strip_prefix("x-rag-status:")).unwrap_or("missing").trim();
        if found != status {
            return Err(format!("X-RAG-Status {found}, not {status}").into());
        }
    }
    Ok(first.ok_or("an answer without content")?.as_secs_f64() * 1e3)
}

/// Whether a delta with content that is not empty has begun.
fn has_content(answer: &[u8]) -> bool {
    const KEY: &[u8] = br#""content":""#;
    answer.windows(KEY.len() + 1).any(|w| w.starts_with(KEY) && w[KEY.len()] != b'"')
}
