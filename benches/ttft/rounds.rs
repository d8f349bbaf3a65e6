//! Turns of all targets, round by round, so that whatever the machine does in between hits all of them alike.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Outcome;
use crate::answer::Failure;
use crate::arguments::Arguments;
use crate::load::{Load, Turn, clients, nanoseconds, turn};
use crate::questions::Questions;
use crate::target::{Started, Target};
use crate::usage::{Usage, settle};

/// A target is left alone for so long to finish what its last clients left behind.
const SETTLE: Duration = Duration::from_secs(10);
/// Whatever its p50, a difference of direct to direct below this is no drift, in milliseconds.
const NO_DRIFT: f64 = 0.02;
/// For each round that is to count, so many may be discarded.
const PATIENCE: usize = 2;
/// With more of its requests failed than this part, a target gets no further turns under a load.
const HOPELESS: f64 = 0.5;
/// Nor with this times the cores needed that it has: its turns are long, and tell nothing more.
const TOO_BUSY: f64 = 1.5;

/// Quantiles of a histogram in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Quantiles {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |part| histogram.value_at_quantile(part) as f64 / 1e6;
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e6,
        }
    }
}

/// One target's turn in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub round: usize,
    pub sent: u64,
    pub first: Quantiles,
    pub total: Quantiles,
    pub gaps: Quantiles,
    pub late: Quantiles,
    /// Processor time of its processes, in microseconds a request.
    pub cpu_us: Option<f64>,
    pub failed: Vec<Failed>,
}

/// Requests that failed in one way, and what was seen of the first.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    pub how: &'static str,
    pub count: u64,
    pub example: String,
}

/// What one target saw under one load.
pub struct Series {
    /// Of the rounds that count.
    pub samples: Vec<Sample>,
    /// All of them together.
    pub first: Histogram<u64>,
    pub total: Histogram<u64>,
    pub gaps: Histogram<u64>,
    /// MiB after the load, and what of it is not backed by files.
    pub memory: Option<(f64, f64)>,
    /// Why its turns ended before the others'.
    pub stopped: Option<String>,
}

/// All targets under one load.
pub struct Measured {
    pub load: Load,
    /// In the order of the targets; none for one that does not run.
    pub series: Vec<Option<Series>>,
    /// The difference of direct to direct in rounds that were repeated, in milliseconds.
    pub discarded: Vec<f64>,
}

/// Measures all targets under a load. The first two are direct, and direct again.
pub fn measure(
    targets: &[Target],
    load: Load,
    arguments: &Arguments,
    questions: &Questions,
    cores: usize,
) -> Outcome<Measured> {
    let empty = || Series {
        samples: Vec::new(),
        first: nanoseconds(),
        total: nanoseconds(),
        gaps: nanoseconds(),
        memory: None,
        stopped: None,
    };
    let mut series: Vec<Option<Series>> =
        targets.iter().map(|target| target.started.is_ok().then(empty)).collect();
    let mut discarded = Vec::new();
    let (mut round, mut tried) = (0, 0);
    while round < arguments.rounds && discarded.len() < arguments.rounds * PATIENCE {
        let seed = arguments.seed + tried;
        let mut turns: Vec<Option<(Turn, Option<Duration>)>> = targets.iter().map(|_| None).collect();
        let mut drift = None;
        for index in order(targets.len(), round) {
            let (Ok(target), Some(Series { stopped: None, .. })) = (&targets[index].started, &series[index])
            else {
                continue;
            };
            turns[index] = Some(one(target, &load, seed, questions)?);
            let p50 =
                |turn: &Option<(Turn, _)>| turn.as_ref().map(|(turn, _)| Quantiles::of(&turn.first).p50);
            if let (None, Some(direct), Some(again)) = (drift, p50(&turns[0]), p50(&turns[1])) {
                let found = Drift { ms: again - direct, limit: NO_DRIFT.max(direct * arguments.drift) };
                eprintln!(
                    "{}, round {} of {}: direct {direct:.3} ms, again {again:.3} ms{}",
                    clients(load.clients),
                    round + 1,
                    arguments.rounds,
                    if found.too_much() { ": discarded" } else { "" }
                );
                drift = Some(found);
                if found.too_much() {
                    break;
                }
            }
        }
        tried += 1;
        let drift = drift.ok_or("the upstream does not answer")?;
        if drift.too_much() {
            discarded.push(drift.ms);
            continue;
        }
        for (index, turn) in turns.into_iter().enumerate() {
            if let (Some((turn, cpu)), Some(series)) = (turn, &mut series[index]) {
                series.add(round, &turn, cpu, load.rate / cores as f64);
            }
        }
        round += 1;
    }
    for (target, series) in targets.iter().zip(&mut series) {
        if let (Ok(started), Some(series)) = (&target.started, series) {
            series.memory = started.pid().map(Usage::of).map(|usage| (mib(usage.resident), mib(usage.own)));
        }
    }
    Ok(Measured { load, series, discarded })
}

/// How far direct is from direct in one round, in milliseconds.
#[derive(Clone, Copy)]
struct Drift {
    ms: f64,
    limit: f64,
}

impl Drift {
    fn too_much(self) -> bool {
        self.ms.abs() > self.limit
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Another order in every round: each target comes first once, and has another before it.
fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.rotate_left(round % count);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// A turn, and the processor time that it took the target.
fn one(target: &Started, load: &Load, seed: u64, questions: &Questions) -> Outcome<(Turn, Option<Duration>)> {
    let Some(pid) = target.pid() else {
        return Ok((turn(&target.way, load, seed, questions, || {})?, None));
    };
    let before = Usage::of(pid);
    let mut answered = Usage::default();
    let turn = turn(&target.way, load, seed, questions, || answered = Usage::of(pid))?;
    settle(pid, SETTLE);
    let used = Usage::of(pid).with(&answered).since(&before);
    Ok((turn, Some(used)))
}

impl Series {
    /// Adds a turn; `rate` is the requests of a second and a core.
    fn add(&mut self, round: usize, turn: &Turn, cpu: Option<Duration>, rate: f64) {
        let failed = |(how, (count, example)): (&Failure, &(u64, String))| Failed {
            how: how.name(),
            count: *count,
            example: example.clone(),
        };
        let cpu = cpu.map(|cpu| cpu.as_secs_f64() / turn.all as f64);
        let failures: u64 = turn.failed.values().map(|(count, _)| count).sum();
        self.samples.push(Sample {
            round,
            sent: turn.sent,
            first: Quantiles::of(&turn.first),
            total: Quantiles::of(&turn.total),
            gaps: Quantiles::of(&turn.gaps),
            late: Quantiles::of(&turn.late),
            cpu_us: cpu.map(|seconds| seconds * 1e6),
            failed: turn.failed.iter().map(failed).collect(),
        });
        for (all, of_turn) in
            [(&mut self.first, &turn.first), (&mut self.total, &turn.total), (&mut self.gaps, &turn.gaps)]
        {
            // Both grow as needed, so that one takes in the other.
            all.add(of_turn).unwrap_or_default();
        }
        if failures as f64 > turn.sent as f64 * HOPELESS {
            self.stopped =
                Some(format!("{failures} of {} requests failed in round {}", turn.sent, round + 1));
        } else if let Some(busy) = cpu.map(|seconds| seconds * rate).filter(|busy| *busy > TOO_BUSY) {
            self.stopped = Some(format!("it had work for {busy:.1} times its cores in round {}", round + 1));
        }
    }

    /// Requests that failed, of how many.
    pub fn failed(&self) -> (u64, u64) {
        let failed = self.samples.iter().flat_map(|s| &s.failed).map(|f| f.count).sum();
        (failed, self.samples.iter().map(|s| s.sent).sum())
    }
}
