//! The log, written by a thread of its own: who reads it slowly, or not at all, holds nobody up but the log.
//!
//! Lines wait in memory, up to a limit; beyond it they are lost and counted, and told of once the reader is back.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait to be written: some ten thousand requests. As many are on their way to the reader.
const MOST: usize = 4 << 20;
/// What is said beyond that of the log itself, and of a panic.
const SPARE: usize = 64 << 10;
/// After some lines were written, for more to come: the thread is woken once for all of them.
const GATHER: Duration = Duration::from_millis(5);
/// A reader that takes nothing just now (of a terminal, for example) is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// An end waits for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines of this process that were lost since its start.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines of this process's logs were lost.
pub(super) fn lost_lines() -> u64 {
    LOST.load(Relaxed)
}

/// A log that is being written. Dropped, it writes what it can within a moment.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
}

/// Where lines are put. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something happened to `waiting`.
    changed: Condvar,
    most: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Lines that found no room since the last time that was told.
    lost: u64,
    /// Nothing is written at this moment, and the thread sleeps until there is something.
    idle: bool,
    /// The thread that writes.
    writer: Option<ThreadId>,
    /// No more lines will come.
    closing: bool,
    /// The thread has ended.
    closed: bool,
}

impl Log {
    /// Begins to write to standard error. What else writes there is not waited for, and does not wait for the log.
    pub fn to_stderr() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        Self::to(std::fs::File::from(stderr), MOST)
    }

    fn to(sink: impl Write + Send + 'static, most: usize) -> io::Result<Self> {
        let shared = Shared { waiting: Mutex::default(), changed: Condvar::new(), most };
        let lines = Lines(Arc::new(shared));
        let writer = Writer { shared: lines.0.clone(), sink, untold: 0 };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(|| writer.run())?;
        lines.0.waiting.lock().writer = Some(thread.thread().id());
        Ok(Self { lines })
    }

    /// Where lines are put.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Lets panics come through here: standard error itself may have nobody who reads it.
    pub fn takes_panics(&self) {
        let lines = self.lines();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let mut text = format!("thread '{}' {panic}\n", thread.name().unwrap_or("<unnamed>"));
            // With RUST_BACKTRACE alone.
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                text.push_str(&format!("stack backtrace:\n{backtrace}\n"));
            }
            lines.put_first(text.as_bytes());
        }));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut waiting = self.lines.0.waiting.lock();
        waiting.closing = true;
        self.lines.0.changed.notify_all();
        while !waiting.closed {
            if self.lines.0.changed.wait_until(&mut waiting, deadline).timed_out() {
                return;
            }
        }
    }
}

impl Lines {
    /// Puts lines down without ever waiting for whoever reads the log. Of what finds no room the lines are counted.
    pub fn put(&self, lines: &[u8]) {
        self.put_within(lines, self.0.most);
    }

    /// The same for what matters most.
    pub fn put_first(&self, lines: &[u8]) {
        self.put_within(&lines[..lines.len().min(SPARE / 2)], self.0.most + SPARE);
    }

    fn put_within(&self, lines: &[u8], most: usize) {
        let mut waiting = self.0.waiting.lock();
        let own = |waiting: &Waiting| waiting.writer == Some(thread::current().id());
        if waiting.closed || waiting.bytes.len() + lines.len() > most && !own(&waiting) {
            let lost = count(lines);
            waiting.lost += lost;
            LOST.fetch_add(lost, Relaxed);
            return;
        }
        waiting.bytes.extend_from_slice(lines);
        if mem::take(&mut waiting.idle) {
            self.0.changed.notify_all();
        }
    }
}

/// Lines, of which the last may have no end.
fn count(bytes: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', bytes).count();
    (ends + usize::from(!bytes.is_empty() && !bytes.ends_with(b"\n"))) as u64
}

/// One event of `tracing` is one write.
impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.put(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The thread's part.
struct Writer<W> {
    shared: Arc<Shared>,
    sink: W,
    /// Lines that were lost and not told of.
    untold: u64,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        let shared = self.shared.clone();
        let mut batch = Vec::new();
        loop {
            let mut waiting = shared.waiting.lock();
            while waiting.bytes.is_empty() && waiting.lost == 0 && !waiting.closing {
                waiting.idle = true;
                shared.changed.wait(&mut waiting);
            }
            waiting.idle = false;
            let closing = waiting.closing;
            if closing && waiting.bytes.is_empty() {
                waiting.closed = true;
                shared.changed.notify_all();
                return;
            }
            batch.clear();
            mem::swap(&mut batch, &mut waiting.bytes);
            // They came after the batch.
            self.untold += mem::take(&mut waiting.lost);
            drop(waiting);
            let unwritten = self.write(&batch);
            if unwritten > 0 {
                LOST.fetch_add(unwritten, Relaxed);
                self.untold += unwritten;
            } else if self.untold > 0 {
                let lost = mem::take(&mut self.untold);
                // It comes back as a line, for which there is always room.
                tracing::error!(lost, "lines of the log were lost here: it was not read in time");
            }
            // A buffer that a burst has grown is given back.
            if batch.capacity() > SPARE {
                batch = Vec::new();
            }
            if !closing {
                thread::sleep(GATHER);
            }
        }
    }

    /// Writes all of it, however long that takes; gives the lines that could not be written at all.
    fn write(&mut self, mut bytes: &[u8]) -> u64 {
        while !bytes.is_empty() {
            match self.sink.write(bytes) {
                Ok(0) => return count(bytes),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(TRY_AGAIN),
                // A full disk, or a pipe whose reader has gone.
                Err(_) => return count(bytes),
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(reader: &mut impl Read, bytes: usize) -> Vec<u8> {
        let mut part = vec![0; bytes];
        reader.read_exact(&mut part).expect("the log goes on");
        part
    }

    #[test]
    fn what_is_put_is_written_in_order_and_an_end_waits_for_it() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let log = Log::to(writer, MOST).expect("a thread");
        let lines = log.lines();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let lines = lines.clone();
                thread::spawn(move || (0..1000).for_each(|n| lines.put(format!("{thread} {n}\n").as_bytes())))
            })
            .collect();
        let all = thread::spawn(move || {
            let mut all = String::new();
            reader.read_to_string(&mut all).expect("lines");
            all
        });
        threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        drop(log);
        let all = all.join().expect("the pipe is closed with the log");
        for thread in 0..4 {
            let own = all.lines().filter_map(|line| line.strip_prefix(&format!("{thread} ")));
            assert!(own.eq((0..1000).map(|n| n.to_string()).collect::<Vec<_>>()), "{thread}");
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_lost_and_counted_and_hold_nobody_up() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let most = 1 << 20;
        let log = Log::to(writer, most).expect("a thread");
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        let before = lost_lines();
        // What is in the pipe, on its way and waiting comes to no more than this.
        let put = 4 * most / line.len();
        (0..put).for_each(|_| log.lines().put(&line));
        // A panic's words find room.
        log.lines().put_first(b"a panic\n");
        let mut kept = 0;
        while read(&mut reader, 1) == b"x" {
            assert!(read(&mut reader, 999) == line[1..], "line {kept}");
            kept += 1;
        }
        assert!((kept + 1) * line.len() >= most && kept < put, "{kept} of {put}");
        // Other tests lose some at the same time.
        assert!(lost_lines() - before >= (put - kept) as u64);
        assert_eq!(read(&mut reader, 7), b" panic\n");
        log.lines().put(b"after\n");
        assert_eq!(read(&mut reader, 6), b"after\n");
        // Nobody reads on: the end is one all the same.
        (0..put).for_each(|_| log.lines().put(&line));
        drop(log);
    }

    #[test]
    fn a_reader_that_has_gone_costs_lines_alone() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let log = Log::to(writer, MOST).expect("a thread");
        log.lines().put(b"one\ntwo\n");
        drop(log);
    }

    #[test]
    fn lines_are_counted_with_a_last_one_that_has_no_end() {
        for (bytes, lines) in [(&b""[..], 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)] {
            assert_eq!(count(bytes), lines);
        }
    }
}
