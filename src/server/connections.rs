//! All connections of clients: what each is doing and since when, which of them has waited too long, and which one
//! makes room for another.
//!
//! Nothing here is locked for a request: a connection writes down its state, and the sweep reads all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A request is answered.
    Busy,
    /// A head has begun, or is expected because nothing came yet.
    Head,
    /// Kept for the next request.
    Idle,
}

/// How far the answer to the request of a connection is, as its bytes go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No request waits for one: what is written all the same is hyper's own.
    None,
    /// Nothing of it was written.
    Awaited,
    /// Its head was written, and its body is sent in chunks.
    Chunked,
    /// Its head was written, and its body is of a length that it told.
    Sized,
    /// Its head was written, and its body ends with the connection.
    UntilClosed,
    /// The request came before all of the answer before it had gone.
    Mixed,
    /// The connection speaks another protocol.
    Tunnel,
}

/// How long a connection may stay in a state in which nothing is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub head: Duration,
    pub idle: Duration,
}

/// One connection's state, shared by what reads it, what answers it and the sweep.
pub(super) struct Pulse {
    /// Milliseconds since the registry began, and the state in the last two bits.
    state: AtomicU64,
    began: Instant,
    stopping: Arc<AtomicBool>,
    waker: AtomicWaker,
    unread: AtomicBool,
    cut: AtomicBool,
    answer: AtomicU8,
    /// How often everything that was to be sent had been.
    flushes: AtomicU64,
    flush_waker: AtomicWaker,
}

impl Pulse {
    fn set(&self, state: State) {
        let millis = self.began.elapsed().as_millis() as u64;
        self.state.store(millis << 2 | state as u64, Relaxed);
    }

    fn get(&self) -> (State, Duration) {
        let value = self.state.load(Relaxed);
        let state = match value & 3 {
            0 => State::Busy,
            1 => State::Head,
            _ => State::Idle,
        };
        (state, Duration::from_millis(value >> 2))
    }

    /// Bytes came: of a head, if no request is being answered.
    pub fn bytes_came(&self) {
        if self.state.load(Relaxed) & 3 == State::Idle as u64 {
            self.set(State::Head);
        }
    }

    /// Bytes left: a client that reads what it was sent is not idle.
    pub fn bytes_left(&self) {
        if self.state.load(Relaxed) & 3 == State::Idle as u64 {
            self.set(State::Idle);
        }
    }

    pub fn request_began(&self) {
        let unsent = self.answer() != Answer::None;
        self.set_answer(if unsent { Answer::Mixed } else { Answer::Awaited });
        self.state.store(State::Busy as u64, Relaxed);
    }

    /// The connection changes to another protocol, and is busy with it.
    pub fn became_a_tunnel(&self) {
        self.set_answer(Answer::Tunnel);
        self.state.store(State::Busy as u64, Relaxed);
    }

    /// Whether a client waits for something, or for more of it.
    pub fn is_busy(&self) -> bool {
        self.state.load(Relaxed) & 3 == State::Busy as u64
    }

    pub fn answer(&self) -> Answer {
        const ALL: [Answer; 7] = [
            Answer::None,
            Answer::Awaited,
            Answer::Chunked,
            Answer::Sized,
            Answer::UntilClosed,
            Answer::Mixed,
            Answer::Tunnel,
        ];
        ALL[usize::from(self.answer.load(Relaxed))]
    }

    pub fn set_answer(&self, answer: Answer) {
        self.answer.store(answer as u8, Relaxed);
    }

    pub fn answer_ended(&self) {
        self.set(State::Idle);
    }

    /// A body was given up before its end: what is still on its way must not destroy the answer.
    pub fn body_was_left_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    pub fn has_unread_body(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// The connection is over: a body that seems to end from here on was cut off.
    pub fn cut_off(&self) {
        self.cut.store(true, Release);
    }

    pub fn is_cut_off(&self) -> bool {
        self.cut.load(Acquire)
    }

    /// Everything that was to be sent is with the system.
    pub fn flushed(&self) {
        if !self.is_busy() {
            self.set_answer(Answer::None);
        }
        self.flushes.fetch_add(1, Relaxed);
        self.flush_waker.wake();
    }

    /// Counts [`Pulse::flushed`].
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Relaxed)
    }

    /// Whether there was a flush after `seen`; if not, whoever polls is woken by the next.
    pub fn has_flushed_since(&self, seen: u64, cx: &std::task::Context<'_>) -> bool {
        self.flush_waker.register(cx.waker());
        self.flushes() > seen
    }

    /// Whether the server ends; if not, whoever polls is woken when it does.
    pub fn is_stopping(&self, cx: &std::task::Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.stopping.load(Relaxed)
    }
}

/// A connection's state, and by what it can be closed.
type Open = (Arc<Pulse>, Option<AbortHandle>);

/// The registry.
pub(super) struct Connections {
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    began: Instant,
    stopping: Arc<AtomicBool>,
    none_left: Notify,
    patience: Patience,
}

/// A connection's place in the registry, given up when dropped.
pub(super) struct Registered {
    connections: Arc<Connections>,
    id: u64,
    pub pulse: Arc<Pulse>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        // One that made room is gone already.
        open.remove(&self.id);
        if open.is_empty() {
            self.connections.none_left.notify_waiters();
        }
    }
}

impl Connections {
    pub fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            next: AtomicU64::new(0),
            began: Instant::now(),
            stopping: Arc::default(),
            none_left: Notify::new(),
            patience,
        })
    }

    pub fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Takes a new connection in.
    pub fn register(self: &Arc<Self>) -> Registered {
        let id = self.next.fetch_add(1, Relaxed);
        let pulse = Arc::new(Pulse {
            state: AtomicU64::new(0),
            began: self.began,
            stopping: self.stopping.clone(),
            waker: AtomicWaker::new(),
            unread: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            answer: AtomicU8::new(Answer::None as u8),
            flushes: AtomicU64::new(0),
            flush_waker: AtomicWaker::new(),
        });
        pulse.set(State::Head);
        self.open.lock().insert(id, (pulse.clone(), None));
        Registered { connections: self.clone(), id, pulse }
    }

    /// Says by what a connection can be closed. One that has ended meanwhile needs it no more.
    pub fn can_be_closed(&self, id: u64, task: AbortHandle) {
        if let Some((_, handle)) = self.open.lock().get_mut(&id) {
            *handle = Some(task);
        }
    }

    /// Closes what has waited too long.
    pub fn sweep(&self) {
        let now = self.began.elapsed();
        let open = self.open.lock();
        for (pulse, task) in open.values() {
            let (state, since) = pulse.get();
            let limit = match state {
                State::Busy => continue,
                State::Head => self.patience.head,
                State::Idle => self.patience.idle,
            };
            if now.saturating_sub(since) > limit
                && let Some(task) = task
            {
                task.abort();
            }
        }
    }

    /// Closes the connection that has waited longest without a request; false where all are busy.
    pub fn make_room(&self) -> bool {
        let mut open = self.open.lock();
        let waiting = open.iter().filter_map(|(id, (pulse, task))| {
            let (state, since) = pulse.get();
            (state != State::Busy && task.is_some()).then_some((since, *id))
        });
        let Some((_, longest)) = waiting.min() else { return false };
        // Taken out at once: its task ends only when it gets its turn, and must not be found again until then.
        if let Some((_, Some(task))) = open.remove(&longest) {
            task.abort();
        }
        true
    }

    /// Tells all connections that the server ends: idle ones close, busy ones after their answer.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        for (pulse, _) in self.open.lock().values() {
            pulse.waker.wake();
        }
    }

    /// Closes all.
    pub fn close_all(&self) {
        for (_, task) in self.open.lock().values() {
            if let Some(task) = task {
                task.abort();
            }
        }
    }

    /// Waits for the last connection to end.
    pub async fn all_ended(&self) {
        loop {
            let ended = self.none_left.notified();
            if self.open.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Registered {
    pub fn id(&self) -> u64 {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(head: u64) -> Arc<Connections> {
        Connections::new(Patience { head: Duration::from_millis(head), idle: Duration::from_secs(3600) })
    }

    fn connection(connections: &Arc<Connections>) -> (Arc<Pulse>, tokio::task::JoinHandle<()>) {
        let registered = connections.register();
        let (pulse, id) = (registered.pulse.clone(), registered.id());
        let task = tokio::spawn(async move {
            let _registered = registered;
            std::future::pending::<()>().await;
        });
        connections.can_be_closed(id, task.abort_handle());
        (pulse, task)
    }

    #[tokio::test]
    async fn only_those_without_a_request_are_closed_for_waiting() {
        let connections = registry(0);
        let (busy, busy_task) = connection(&connections);
        let (idle, idle_task) = connection(&connections);
        let (_, half_open) = connection(&connections);
        busy.request_began();
        idle.request_began();
        idle.answer_ended();
        tokio::time::sleep(Duration::from_millis(5)).await;
        connections.sweep();
        assert!(half_open.await.is_err_and(|e| e.is_cancelled()));
        assert!(!busy_task.is_finished() && !idle_task.is_finished());
        // The first bytes of the next head.
        idle.bytes_came();
        tokio::time::sleep(Duration::from_millis(5)).await;
        connections.sweep();
        assert!(idle_task.await.is_err_and(|e| e.is_cancelled()));
        assert_eq!(connections.count(), 1);
        assert!(!connections.make_room(), "a busy connection makes no room");
        busy_task.abort();
        connections.all_ended().await;
    }

    #[tokio::test]
    async fn the_one_that_waited_longest_makes_room() {
        let connections = registry(3_600_000);
        let (first, first_task) = connection(&connections);
        let (_, second_task) = connection(&connections);
        tokio::time::sleep(Duration::from_millis(5)).await;
        first.request_began();
        first.answer_ended();
        assert!(connections.make_room());
        assert!(second_task.await.is_err_and(|e| e.is_cancelled()));
        assert!(!first_task.is_finished());
    }
}
