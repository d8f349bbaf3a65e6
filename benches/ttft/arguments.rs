//! What can be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::load::Load;
use crate::{Outcome, process};

/// What `--targets` may name; direct is always measured.
const TARGETS: [&str; 10] =
    ["direct", "tcp", "nginx", "envoy", "vllm-router", "agentic-api", "litellm", "plain", "words", "minilm"];

/// Measures what lastro and other proxies add to the time to the first token of a streamed answer.
#[derive(Parser)]
#[command(name = "ttft")]
pub struct Arguments {
    /// What to measure
    #[arg(long, value_enum, default_value_t = Mode::Ttft)]
    pub mode: Mode,
    /// Only these, of tcp, nginx, envoy, vllm-router, agentic-api, litellm, plain, words, minilm
    #[arg(long, value_delimiter = ',')]
    pub targets: Vec<String>,
    /// Clients at a time, one load after the other [default: 1,32,256; for halfopen 32]
    #[arg(long, value_delimiter = ',')]
    pub clients: Vec<usize>,
    /// Requests a second of all clients together, for each load [default: 20,96,320 for 1,32,256 clients]
    #[arg(long, value_delimiter = ',')]
    pub rate: Vec<f64>,
    /// Rounds that count; each has a turn of every target
    #[arg(long, default_value_t = 10)]
    pub rounds: usize,
    /// Seconds of each turn, after its warm-up
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Content frames of an answer
    #[arg(long, default_value_t = 16)]
    pub frames: u32,
    /// Milliseconds from one frame to the next
    #[arg(long, default_value_t = 2.0)]
    pub gap_ms: f64,
    /// Chunks of the collection that is searched by words alone
    #[arg(long, default_value_t = 10_000)]
    pub chunks: usize,
    /// Chunks of the one that is searched by meaning too; filled once and kept
    #[arg(long, default_value_t = 10_000)]
    pub model_chunks: usize,
    /// Folder of the embedding model
    #[arg(long, env = "LASTRO_BENCH_MODEL", default_value = ".tools/models/all-MiniLM-L6-v2")]
    pub model: PathBuf,
    /// Another lastro than the one just built, as PATH or NAME=PATH; several are compared with one another
    #[arg(long, value_parser = binary)]
    pub binary: Vec<Binary>,
    /// The script that starts other proxies
    #[arg(long, default_value = "scripts/peer")]
    pub peers: PathBuf,
    /// A round in which direct differs from direct by more than this part of its p50 (and by 0.02 ms) is repeated
    #[arg(long, default_value_t = 0.1)]
    pub drift: f64,
    /// Cores of the load and the upstream, as taskset takes them
    #[arg(long, requires = "target_cores")]
    pub load_cores: Option<String>,
    /// Cores of the measured server
    #[arg(long, requires = "load_cores")]
    pub target_cores: Option<String>,
    /// Write everything to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Draw the added time into this file
    #[arg(long)]
    pub svg: Option<PathBuf>,
    /// A short run that shows that everything works; its figures say little
    #[arg(long)]
    pub quick: bool,
    /// cancel: how many clients leave
    #[arg(long, default_value_t = 1_000)]
    pub leavers: usize,
    /// halfopen: how many connections are held half-open
    #[arg(long, default_value_t = 5_000)]
    pub half_open: usize,
    /// halfopen: seconds after which lastro closes a connection without a whole head
    #[arg(long, default_value_t = 10)]
    pub header_timeout: u64,
    /// Where schedules and resampling start
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
    /// Be the bare TCP relay: where it listens, and where it passes bytes on to
    #[arg(long, hide = true, num_args = 2)]
    pub relay: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Added time to the first token
    Ttft,
    /// Time from a client's leaving until the upstream connection is closed
    Cancel,
    /// Added time to the first token while thousands of connections are half-open
    Halfopen,
}

/// A lastro to measure.
#[derive(Clone, Debug)]
pub struct Binary {
    pub name: String,
    pub path: PathBuf,
}

fn binary(text: &str) -> Result<Binary, String> {
    let (name, path) = text.split_once('=').unwrap_or(("lastro", text));
    let path = PathBuf::from(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
    Ok(Binary { name: name.to_owned(), path })
}

impl Arguments {
    /// What is not given is filled in, and a quick run made short.
    pub fn complete(mut self) -> Outcome<Self> {
        if let Some(unknown) = self.targets.iter().find(|target| !TARGETS.contains(&target.as_str())) {
            return Err(format!("--targets {unknown}: there are {}", TARGETS.join(", ")).into());
        }
        if self.rate.iter().any(|rate| *rate <= 0.0) || self.clients.contains(&0) {
            return Err("--rate and --clients are to be more than 0".into());
        }
        if self.binary.is_empty() {
            self.binary.push(Binary { name: "lastro".to_owned(), path: process::built() });
        }
        if self.clients.is_empty() {
            self.clients = if self.mode == Mode::Halfopen { vec![32] } else { vec![1, 32, 256] };
        }
        if self.quick {
            self.rounds = self.rounds.min(2);
            self.seconds = self.seconds.min(1.0);
            self.chunks = self.chunks.min(1_000);
            self.model_chunks = self.model_chunks.min(200);
            self.leavers = self.leavers.min(50);
            self.half_open = self.half_open.min(500);
        }
        Ok(self)
    }

    /// The loads, in their order.
    pub fn loads(&self) -> Vec<Load> {
        let load = |(number, clients): (usize, &usize)| Load {
            clients: *clients,
            rate: self.rate.get(number).copied().unwrap_or_else(|| rate(*clients)),
            seconds: self.seconds,
        };
        self.clients.iter().enumerate().map(load).collect()
    }

    /// Whether a target is wanted.
    pub fn wants(&self, id: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|wanted| wanted == id)
    }
}

/// Requests a second. On one core the proxies that relay in native code need less than a third of it for any of
/// these; embedding questions with MiniLM (5 ms) takes half of it at 32 clients, and more than there is at 256.
fn rate(clients: usize) -> f64 {
    match clients {
        0..=4 => 20.0 * clients as f64,
        5..=64 => 3.0 * clients as f64,
        _ => (1.25 * clients as f64).min(640.0),
    }
}
