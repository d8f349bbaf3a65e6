//! One start: the process, the first connection, the first token, the vectors, and the memory at each of them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::answer::{Answer, Way};
use crate::process::data_folder;
use crate::questions::Questions;
use crate::target::Target;
use crate::usage::{Usage, settle, tree};
use crate::{Outcome, kept};

/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two tries to connect: what it costs is little beside what is measured.
const STEP: Duration = Duration::from_micros(200);
/// Between two questions while vectors are read.
const PAUSE: Duration = Duration::from_millis(10);
/// Time to come to rest, and to end.
const REST: Duration = Duration::from_secs(5);

/// What one start took, in milliseconds from starting the process, and held, in MiB.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Start {
    /// The first connection was taken.
    pub listening: f64,
    pub listening_memory: f64,
    /// The first frame with content of the first answer.
    pub first: Option<f64>,
    pub first_memory: f64,
    /// How that answer was grounded.
    pub status: Option<String>,
    /// The first frame of the first answer that vectors were searched for.
    pub dense: Option<f64>,
    /// Once it has nothing more to do.
    pub idle_memory: f64,
}

/// A started process; it ends when this is dropped.
struct Running(Child);

/// Starts a target and measures it.
pub fn start(target: &Target, upstream: SocketAddr, questions: &Questions) -> Outcome<Start> {
    let empty = data_folder()?;
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut command = target.command(listen, upstream, empty.path())?;
    let way =
        Way { address: listen, path: target.path.clone().unwrap_or_default(), status: None, frames: None };
    let began = Instant::now();
    let mut running = Running(command.spawn()?);
    let pid = running.0.id();
    let ms = |at: Instant| (at - began).as_secs_f64() * 1e3;
    let mut stream = loop {
        match TcpStream::connect(listen) {
            Ok(stream) => break stream,
            Err(_) => running.go_on(target, began)?,
        }
        sleep(STEP);
    };
    let mut start = Start { listening: ms(Instant::now()), ..Start::default() };
    if target.path.is_some() {
        let mut memory = 0.0;
        loop {
            match ask(&mut stream, &way, &questions.chat(), || memory = resident(pid)) {
                Ok((at, status)) => {
                    (start.first, start.status) = (Some(ms(at)), status);
                    break;
                }
                Err(error) if target.grounded => return Err(error),
                // It listens before it can answer.
                Err(_) => running.go_on(target, began)?,
            }
            sleep(STEP);
            stream = TcpStream::connect(listen)?;
        }
        start.listening_memory = memory;
        start.first_memory = Usage::of(pid).resident as f64 / 1024.0;
        if target.grounded && start.status.is_none() && target.dense {
            return Err("the first answer was not grounded".into());
        }
    } else {
        start.listening_memory = resident(pid);
    }
    while target.dense && start.dense.is_none() {
        let mut stream = TcpStream::connect(listen)?;
        let (at, status) = ask(&mut stream, &way, &questions.chat(), || {})?;
        if status.as_deref() == Some("hit") {
            start.dense = Some(ms(at));
        } else {
            running.go_on(target, began)?;
            sleep(PAUSE);
        }
    }
    settle(pid, REST);
    start.idle_memory = Usage::of(pid).resident as f64 / 1024.0;
    Ok(start)
}

/// Asks, and reads to the end: when the first frame with content came, and the `X-RAG-Status`.
fn ask(
    stream: &mut TcpStream,
    way: &Way,
    body: &str,
    sent: impl FnOnce(),
) -> Outcome<(Instant, Option<String>)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&way.request(body))?;
    sent();
    let failed = |(failure, what): (crate::answer::Failure, String)| format!("{}: {what}", failure.name());
    let (mut answer, mut first, mut buffer) = (Answer::default(), None, vec![0; 32 << 10]);
    loop {
        let length = stream.read(&mut buffer)?;
        let now = Instant::now();
        let ended = match length {
            0 => answer.close(way).map(|()| true).map_err(failed)?,
            _ => {
                let progress = answer.read(&buffer[..length], way).map_err(failed)?;
                if progress.content > 0 {
                    first.get_or_insert(now);
                }
                progress.ended
            }
        };
        if ended {
            let first = first.ok_or("an answer without content")?;
            return Ok((first, answer.header("x-rag-status").map(str::to_owned)));
        }
    }
}

/// Resident memory of one process in MiB: quick, so that the time to the first token does not wait for it.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}

impl Running {
    /// An error where waiting is of no use.
    fn go_on(&mut self, target: &Target, began: Instant) -> Outcome<()> {
        let log = || kept::log(&format!("start-{}", target.id)).unwrap_or_default();
        if let Some(status) = self.0.try_wait()? {
            return Err(format!("it ended with {status}; see {}", log().display()).into());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("no answer after {} s; see {}", PATIENCE.as_secs(), log().display()).into());
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let all: Vec<String> = tree(self.0.id()).iter().map(u32::to_string).collect();
        // One that has ended already is none to tell.
        let _ = Command::new("kill").arg("-TERM").args(&all[..1]).status();
        let until = Instant::now() + REST;
        while Instant::now() < until && matches!(self.0.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
