//! An open loop: requests leave by a schedule, whatever became of the ones before.
//!
//! All times count from the intended send, so that a server that makes its clients wait is not spared the requests
//! that they would have sent meanwhile (coordinated omission). A client whose connection is still busy takes another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::answer::{Failed, Failure, Way};
use crate::connection::{Client, Connection, Job, PATIENCE, Requests, Seen};
use crate::mock::{STACK, exact_timers};
use crate::questions::{Questions, Random};

/// How much is asked in one turn.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub clients: usize,
    /// Requests a second of all clients together.
    pub rate: f64,
    /// That are measured.
    pub seconds: f64,
}

impl Load {
    /// Seconds between two requests of one client.
    fn period(&self) -> f64 {
        self.clients as f64 / self.rate
    }

    /// Seconds before anything counts: every client has then asked once.
    fn warm_up(&self) -> f64 {
        self.period().max(0.4)
    }

    /// When who sends, from the start on: every client in even steps from a beginning of its own, each request up
    /// to a quarter of a step early or late.
    fn schedule(&self, seed: u64) -> Vec<(Duration, usize)> {
        let mut random = Random::new(seed);
        let (period, end) = (self.period(), self.warm_up() + self.seconds);
        let mut sends = Vec::new();
        for client in 0..self.clients {
            let mut due = random.part() * period;
            while due < end {
                let at = due + (random.part() - 0.5) * period / 2.0;
                sends.push((Duration::from_secs_f64(at.clamp(0.0, end)), client));
                due += period;
            }
        }
        sends.sort_unstable();
        sends
    }
}

/// What one turn saw. Times in nanoseconds.
pub struct Turn {
    /// Requests that count.
    pub sent: u64,
    /// With those of the warm-up.
    pub all: u64,
    pub first: Histogram<u64>,
    pub total: Histogram<u64>,
    pub gaps: Histogram<u64>,
    /// How late requests left: that is the load's own doing.
    pub late: Histogram<u64>,
    pub failed: BTreeMap<Failure, (u64, String)>,
}

/// Asks so much on one way; `answered` is called when that is done and the connections are still open.
pub fn turn(
    way: &Way,
    load: &Load,
    seed: u64,
    questions: &Questions,
    answered: impl FnOnce() + Send,
) -> Outcome<Turn> {
    let schedule = load.schedule(seed);
    let requests: Vec<Vec<u8>> = schedule.iter().map(|_| way.request(&questions.chat())).collect();
    let paced = thread::scope(|scope| {
        let pace = || {
            exact_timers();
            let warm_up = Duration::from_secs_f64(load.warm_up());
            let mut pacer = Pacer::new(way, load.clients);
            let (sent, late) = pacer.run(&schedule, &requests, warm_up);
            answered();
            pacer.end(sent, requests.len() as u64, late)
        };
        scope.spawn(pace).join()
    });
    paced.map_err(|_| "the load ended in a panic".into())
}

/// Sends, and the threads that read.
struct Pacer {
    clients: Vec<Arc<Client>>,
    requests: Arc<Requests>,
    over: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<Arc<Connection>>>>,
    readers: Vec<JoinHandle<Seen>>,
    failed: Vec<Failed>,
}

impl Pacer {
    fn new(way: &Way, clients: usize) -> Self {
        Self {
            clients: (0..clients).map(|_| Arc::default()).collect(),
            requests: Arc::new(Requests::new(way.clone())),
            over: Arc::default(),
            connections: Arc::default(),
            readers: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Sends all and waits for the last answers: how many count, and how late they left.
    fn run(
        &mut self,
        schedule: &[(Duration, usize)],
        requests: &[Vec<u8>],
        warm_up: Duration,
    ) -> (u64, Histogram<u64>) {
        for client in 0..self.clients.len() {
            self.connect(client, None);
        }
        // The readers are waiting before the first request leaves.
        let started = Instant::now()
            + Duration::from_millis(20)
            + Duration::from_micros(100) * self.clients.len() as u32;
        let mut late = nanoseconds();
        let mut sent = 0;
        for ((at, client), request) in schedule.iter().zip(requests) {
            let job = Job { intended: started + *at, counts: *at >= warm_up };
            if let Some(left) = job.intended.checked_duration_since(Instant::now()) {
                thread::sleep(left);
            }
            if job.counts {
                sent += 1;
                late.saturating_record(job.intended.elapsed().as_nanos() as u64);
            }
            self.requests.open.fetch_add(1, Ordering::AcqRel);
            match self.clients[*client].idle() {
                Some(connection) => connection.send(request, job),
                None => self.connect(*client, Some((request.clone(), job))),
            }
        }
        let until = Instant::now() + PATIENCE;
        while self.requests.open.load(Ordering::Acquire) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        (sent, late)
    }

    /// Another connection for a client, which then sends or rests.
    fn connect(&mut self, client: usize, first: Option<(Vec<u8>, Job)>) {
        let (client, requests) = (self.clients[client].clone(), self.requests.clone());
        let (over, connections) = (self.over.clone(), self.connections.clone());
        let reader = move || {
            let connection = match Connection::open(requests.way.address) {
                Ok(connection) => connection,
                Err(failed) => {
                    let mut seen = Seen::default();
                    if let Some((_, job)) = first {
                        requests.open.fetch_sub(1, Ordering::AcqRel);
                        if job.counts {
                            seen.first.push(PATIENCE.as_nanos() as u64);
                            seen.failed.push(failed);
                        }
                    }
                    return seen;
                }
            };
            connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.clone());
            match first {
                Some((request, job)) => connection.send(&request, job),
                None => client.rest(connection.clone()),
            }
            connection.read(&client, &requests, &over)
        };
        match thread::Builder::new().stack_size(STACK).spawn(reader) {
            Ok(reader) => self.readers.push(reader),
            Err(error) => self.failed.push((Failure::Unconnected, format!("no thread: {error}"))),
        }
    }

    fn end(self, sent: u64, all: u64, late: Histogram<u64>) -> Turn {
        self.over.store(true, Ordering::Release);
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            connection.close();
        }
        let mut turn = Turn {
            sent,
            all,
            first: nanoseconds(),
            total: nanoseconds(),
            gaps: nanoseconds(),
            late,
            failed: BTreeMap::new(),
        };
        let mut failed = self.failed;
        for reader in self.readers {
            let Ok(seen) = reader.join() else {
                failed.push((Failure::Garbled, "the reader of an answer ended in a panic".to_owned()));
                continue;
            };
            for (values, to) in
                [(seen.first, &mut turn.first), (seen.total, &mut turn.total), (seen.gaps, &mut turn.gaps)]
            {
                values.into_iter().for_each(|value| to.saturating_record(value));
            }
            failed.extend(seen.failed);
        }
        for (failure, what) in failed {
            turn.failed.entry(failure).or_insert((0, what)).0 += 1;
        }
        turn
    }
}

/// A histogram of nanoseconds, exact to a thousandth.
pub fn nanoseconds() -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_max(1 << 36, 3).unwrap_or_else(|_| unreachable!("the bounds are fixed"));
    histogram.auto(true);
    histogram
}

/// A number of clients in words.
pub fn clients(count: usize) -> String {
    format!("{count} client{}", if count == 1 { "" } else { "s" })
}
