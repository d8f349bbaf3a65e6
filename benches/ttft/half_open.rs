//! What thousands of connections that never finish their request's head cost everybody else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::load::{Load, clients, turn};
use crate::questions::Questions;
use crate::rounds::Quantiles;
use crate::summary::Interval;
use crate::table::interval;
use crate::target::{Started, Target};
use crate::usage::settle;

/// All are to be open within this.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before a connection that was closed, or not opened, is opened again.
const PAUSE: Duration = Duration::from_millis(200);
/// A head that never ends.
const HEAD: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: appl";

/// What a target's clients saw with nobody else there, and with the half-open connections.
#[derive(Serialize)]
pub struct Figures {
    target: String,
    clients: usize,
    rate: f64,
    wanted: usize,
    /// Half-open connections in each round, and how many the target closed.
    open: Vec<usize>,
    closed: Vec<u64>,
    failed: u64,
    quiet: Vec<Times>,
    attacked: Vec<Times>,
}

/// The time to the first token through a target and directly, in milliseconds.
#[derive(Clone, Copy, Serialize)]
struct Times {
    through: Quantiles,
    direct: Quantiles,
}

/// Every target but the direct ones, by themselves and with half-open connections, in turns.
pub fn measure(targets: &[Target], arguments: &Arguments, questions: &Questions) -> Outcome<Vec<Figures>> {
    let Some(Ok(direct)) = targets.first().map(|target| &target.started) else {
        return Err("the upstream does not answer".into());
    };
    let mut all = Vec::new();
    for load in arguments.loads() {
        println!(
            "\n{}, {} requests/s, {} half-open connections",
            clients(load.clients),
            load.rate,
            arguments.half_open
        );
        for target in targets.iter().skip(2) {
            let through = match &target.started {
                Ok(through) => through,
                Err(why) => {
                    println!("  {:<28} {why}", target.name);
                    continue;
                }
            };
            let mut figures = Figures {
                target: target.id.clone(),
                clients: load.clients,
                rate: load.rate,
                wanted: arguments.half_open,
                open: Vec::new(),
                closed: Vec::new(),
                failed: 0,
                quiet: Vec::new(),
                attacked: Vec::new(),
            };
            for round in 0..arguments.rounds {
                eprintln!("{}, round {} of {}", target.name, round + 1, arguments.rounds);
                let seed = arguments.seed + round as u64;
                let quiet = figures.turns(through, direct, &load, seed, questions)?;
                figures.quiet.push(quiet);
                let attack = Attack::start(through.way.address, arguments.half_open)?;
                let attacked = figures.turns(through, direct, &load, seed, questions)?;
                figures.attacked.push(attacked);
                figures.open.push(attack.open.load(Ordering::Relaxed));
                figures.closed.push(attack.closed.load(Ordering::Relaxed));
                drop(attack);
                if let Some(pid) = through.pid() {
                    settle(pid, PATIENCE);
                }
            }
            figures.print(target, arguments.seed);
            all.push(figures);
        }
    }
    Ok(all)
}

impl Figures {
    fn turns(
        &mut self,
        through: &Started,
        direct: &Started,
        load: &Load,
        seed: u64,
        questions: &Questions,
    ) -> Outcome<Times> {
        let mut times = |started: &Started| -> Outcome<Quantiles> {
            let turn = turn(&started.way, load, seed, questions, || {})?;
            self.failed += turn.failed.values().map(|(count, _)| count).sum::<u64>();
            Ok(Quantiles::of(&turn.first))
        };
        Ok(Times { direct: times(direct)?, through: times(through)? })
    }

    fn print(&self, target: &Target, seed: u64) {
        let of = |times: &[Times], pick: fn(&Quantiles) -> f64| {
            let added: Vec<f64> = times.iter().map(|t| pick(&t.through) - pick(&t.direct)).collect();
            Interval::of(&added, seed)
        };
        let mut cells = Vec::new();
        for (name, pick) in [("p50", (|q: &Quantiles| q.p50) as fn(&Quantiles) -> f64), ("p99", |q| q.p99)] {
            if let (Some(quiet), Some(attacked)) = (of(&self.quiet, pick), of(&self.attacked, pick)) {
                cells.push(format!(
                    "added {name} {} ms, with them {} ms: {:.2} times",
                    interval(&quiet),
                    interval(&attacked),
                    attacked.median / quiet.median
                ));
            }
        }
        let open = self.open.iter().min().copied().unwrap_or_default();
        let closed: u64 = self.closed.iter().sum();
        println!("  {:<28} {}", target.name, cells.join("; "));
        println!(
            "  {:<28} at least {open} open at the end of a turn, {closed} closed by it, {} requests failed",
            "", self.failed
        );
    }
}

/// Connections that are held half-open, and opened anew when they are closed, until this is dropped.
struct Attack {
    open: Arc<AtomicUsize>,
    closed: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    /// Opens them, and waits until they are there.
    fn start(address: SocketAddr, count: usize) -> Outcome<Self> {
        let mut attack =
            Self { open: Arc::default(), closed: Arc::default(), over: Arc::default(), thread: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (open, closed, over) = (attack.open.clone(), attack.closed.clone(), attack.over.clone());
        let run = async move {
            for number in 0..count {
                tokio::spawn(hold(address, open.clone(), closed.clone()));
                if number % 50 == 0 {
                    // A server's queue of new connections is short.
                    sleep(Duration::from_millis(5)).await;
                }
            }
            while !over.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        attack.thread = Some(thread::Builder::new().spawn(move || runtime.block_on(run))?);
        let until = Instant::now() + PATIENCE;
        while attack.open.load(Ordering::Relaxed) < count && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(attack)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("the half-open connections ended in a panic");
        }
    }
}

/// One connection after the other, each until the server closes it.
async fn hold(address: SocketAddr, open: Arc<AtomicUsize>, closed: Arc<AtomicU64>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            open.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(HEAD).await.is_ok() {
                while matches!(stream.read(&mut [0; 512]).await, Ok(1..)) {}
            }
            open.fetch_sub(1, Ordering::Relaxed);
            closed.fetch_add(1, Ordering::Relaxed);
        }
        sleep(PAUSE).await;
    }
}
