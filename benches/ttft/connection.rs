//! A kept-alive connection of a client: whoever sends on it sets the clock, a thread of its own reads the answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::answer::{Answer, Failed, Failure, Way};

/// A request that got no first token counts as one that waited for at least this long, and no turn waits longer for
/// its last answers.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The requests of a turn.
pub struct Requests {
    pub way: Way,
    /// Sent and not answered yet.
    pub open: AtomicUsize,
}

impl Requests {
    /// None yet.
    pub fn new(way: Way) -> Self {
        Self { way, open: AtomicUsize::new(0) }
    }
}

/// A request on its way.
#[derive(Clone, Copy)]
pub struct Job {
    /// When it was to be sent: its times count from here, whenever it was sent.
    pub intended: Instant,
    /// Not of the warm-up.
    pub counts: bool,
}

/// What one connection saw, in nanoseconds.
#[derive(Default)]
pub struct Seen {
    pub first: Vec<u64>,
    pub total: Vec<u64>,
    pub gaps: Vec<u64>,
    pub failed: Vec<Failed>,
}

/// The connections of one client that wait for its next request.
#[derive(Default)]
pub struct Client {
    idle: Mutex<Vec<Arc<Connection>>>,
}

impl Client {
    /// A connection that can be used again, the last one used first.
    pub fn idle(&self) -> Option<Arc<Connection>> {
        let mut idle = locked(&self.idle);
        while let Some(connection) = idle.pop() {
            if !connection.ended.load(Ordering::Acquire) {
                return Some(connection);
            }
        }
        None
    }

    /// Gives a connection back.
    pub fn rest(&self, connection: Arc<Connection>) {
        locked(&self.idle).push(connection);
    }
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    job: Mutex<Option<Job>>,
    ended: AtomicBool,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Arc<Self>, Failed> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| (Failure::Unconnected, error.to_string()))?;
        Ok(Arc::new(Self { stream, job: Mutex::default(), ended: AtomicBool::new(false) }))
    }

    /// Sends a request. What goes wrong is seen by the reader.
    pub fn send(&self, request: &[u8], job: Job) {
        *locked(&self.job) = Some(job);
        if (&self.stream).write_all(request).is_err() {
            self.close();
        }
    }

    /// Ends it; the reader then counts what is unanswered.
    pub fn close(&self) {
        // One that has ended already needs no more.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads answers until the connection ends.
    pub fn read(self: &Arc<Self>, client: &Client, requests: &Requests, over: &AtomicBool) -> Seen {
        let mut seen = Seen::default();
        let mut buffer = vec![0; 32 << 10];
        let (mut answer, mut last) = (Answer::default(), None);
        loop {
            let length = (&self.stream).read(&mut buffer).unwrap_or(0);
            let now = Instant::now();
            let Some(job) = *locked(&self.job) else { break };
            let came = match length {
                0 => answer.close(&requests.way).map(|()| None),
                _ => answer.read(&buffer[..length], &requests.way).map(Some),
            };
            let waited = |from: Instant| u64::try_from((now - from).as_nanos()).unwrap_or(u64::MAX);
            if let (true, Ok(Some(progress))) = (job.counts, &came) {
                for _ in 0..progress.content {
                    match last {
                        None => seen.first.push(waited(job.intended)),
                        Some(last) => seen.gaps.push(waited(last)),
                    }
                    last = Some(now);
                }
            }
            let ended = match came {
                Ok(Some(progress)) if !progress.ended => continue,
                Ok(_) => {
                    if job.counts {
                        seen.total.push(waited(job.intended));
                    }
                    length == 0
                }
                Err((failure, what)) => {
                    if job.counts {
                        let late = length == 0 && over.load(Ordering::Acquire);
                        seen.failed.push((if late { Failure::Unfinished } else { failure }, what));
                        if last.is_none() {
                            seen.first.push(waited(job.intended).max(PATIENCE.as_nanos() as u64));
                        }
                    }
                    true
                }
            };
            (answer, last) = (Answer::default(), None);
            *locked(&self.job) = None;
            requests.open.fetch_sub(1, Ordering::AcqRel);
            if ended {
                break;
            }
            client.rest(self.clone());
        }
        self.ended.store(true, Ordering::Release);
        self.close();
        seen
    }
}

/// Asks once on a new connection, until so many frames of content came or the answer ended.
pub fn ask(way: &Way, body: &str, frames: u32) -> Result<TcpStream, Failed> {
    const SILENCE: Duration = Duration::from_secs(10);
    let unconnected = |error: std::io::Error| (Failure::Unconnected, error.to_string());
    let mut stream = TcpStream::connect_timeout(&way.address, PATIENCE).map_err(unconnected)?;
    stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(SILENCE))).map_err(unconnected)?;
    let early = |error: std::io::Error| (Failure::Early, error.to_string());
    stream.write_all(&way.request(body)).map_err(early)?;
    let (mut answer, mut content, mut buffer) = (Answer::default(), 0, vec![0; 32 << 10]);
    loop {
        match stream.read(&mut buffer).map_err(early)? {
            0 => return answer.close(way).map(|()| stream),
            length => {
                let progress = answer.read(&buffer[..length], way)?;
                content += progress.content;
                if progress.ended || content >= frames {
                    return Ok(stream);
                }
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
