//! How long the upstream goes on for a client that has left.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::answer::Way;
use crate::arguments::Arguments;
use crate::connection::ask;
use crate::load::nanoseconds;
use crate::mock::{LEAVER, Mock};
use crate::questions::{Questions, Random};
use crate::rounds::Quantiles;
use crate::target::{Started, Target};

/// An upstream that still answers after so long counts as never told.
const PATIENCE: Duration = Duration::from_secs(5);
/// A target that did not pass on so many leavings has shown what it does.
const HOPELESS: usize = 5;
/// Leavings of a target before the next one has its turn.
const TURN: usize = 100;

/// What became of a target's leavers.
#[derive(Serialize)]
pub struct Figures {
    target: String,
    /// Milliseconds from the client's close to the end of the upstream's connection.
    closed: Quantiles,
    /// The upstream was never told.
    never: usize,
    /// There was no stream to leave.
    failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

#[derive(Default)]
struct Left {
    never: usize,
    failed: usize,
    example: Option<String>,
}

/// Every target's clients leave in mid-stream, in turns; prints and returns the figures.
pub fn measure(
    targets: &[Target],
    arguments: &Arguments,
    mock: &Mock,
    questions: &Questions,
) -> Vec<Figures> {
    let mut random = Random::new(arguments.seed);
    let mut seen: Vec<(Histogram<u64>, Left)> =
        targets.iter().map(|_| (nanoseconds(), Left::default())).collect();
    let mut number = 0;
    for turn in 0..arguments.leavers.div_ceil(TURN) {
        eprintln!("{} of {} clients have left each target", turn * TURN, arguments.leavers);
        for (target, (times, left)) in targets.iter().zip(&mut seen) {
            let Ok(started) = &target.started else { continue };
            for _ in 0..TURN.min(arguments.leavers - turn * TURN) {
                if left.never + left.failed >= HOPELESS {
                    break;
                }
                number += 1;
                let user = format!("{LEAVER}{number}");
                left.note(leave(started, mock, questions, &user, 1 + random.below(8) as u32), times);
            }
        }
    }
    println!("\nfrom a client's leaving to the end of the upstream's answer, ms");
    println!(
        "  {:<28}{:>10}{:>10}{:>10}{:>8}{:>8}{:>8}",
        "", "p50", "p99", "most", "left", "never", "failed"
    );
    let mut figures = Vec::new();
    for (target, (times, left)) in targets.iter().zip(seen) {
        let closed = Quantiles::of(&times);
        match &target.started {
            Err(why) => println!("  {:<28} {why}", target.name),
            Ok(_) => {
                let times = [closed.p50, closed.p99, closed.max];
                let shown = |ms: f64| if closed.count == 0 { "-".to_owned() } else { format!("{ms:.3}") };
                println!(
                    "  {:<28}{}{:>8}{:>8}{:>8}  {}",
                    target.name,
                    times.map(|ms| format!("{:>10}", shown(ms))).concat(),
                    closed.count,
                    left.never,
                    left.failed,
                    left.example.as_deref().unwrap_or_default()
                );
            }
        }
        let Left { never, failed, example } = left;
        figures.push(Figures { target: target.id.clone(), closed, never, failed, example });
    }
    figures
}

/// The time until the upstream's connection ended; `None` if it did not.
type Ended = Result<Option<Duration>, String>;

impl Left {
    fn note(&mut self, ended: Ended, times: &mut Histogram<u64>) {
        match ended {
            Ok(Some(time)) => times.saturating_record(time.as_nanos() as u64),
            Ok(None) => self.never += 1,
            Err(what) => {
                self.failed += 1;
                self.example.get_or_insert(what);
            }
        }
    }
}

/// One client leaves after so many frames.
fn leave(started: &Started, mock: &Mock, questions: &Questions, user: &str, frames: u32) -> Ended {
    let way = Way { frames: None, ..started.way.clone() };
    let (to, closed) = mpsc::channel();
    mock.watch(user, to);
    let stream = ask(&way, &questions.chat_of(user), frames)
        .map_err(|(failure, what)| format!("{}, {}", failure.name(), what.trim()))?;
    let left = Instant::now();
    drop(stream);
    let ended = closed.recv_timeout(PATIENCE).ok();
    Ok(ended.map(|ended| ended.saturating_duration_since(left)))
}
