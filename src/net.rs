//! Connections, whichever side they are on: their sockets, their silences, what broke them, and what they carry.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A peer that vanished without a word is noticed after about a minute of silence, also while the model still thinks.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Sets a new connection up for small frames that must not wait, and for peers that vanish.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it a small frame waits for an acknowledgement of the one before: about 40 ms.
    stream.set_nodelay(true)?;
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// The time for which nothing came although it was waited for. The time in which nobody waits does not count.
pub struct Silence {
    limit: Duration,
    since: Option<Instant>,
    /// Set once and moved only when it goes off: no work for each frame.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: None, alarm: None }
    }

    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Ends the silence: something came.
    pub fn broken(&mut self) {
        self.since = None;
    }

    /// Tells whether the silence, which begins with the first call, has passed its limit. Wakes the task when it does.
    pub fn is_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let due = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        while alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            alarm.as_mut().reset(due);
        }
        false
    }
}

/// Tells whether a body is of this media type, whatever its parameters.
pub fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let told = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    told.split(';').next().is_some_and(|told| told.trim().eq_ignore_ascii_case(media_type))
}

/// The kind of the I/O error that an error comes from.
pub fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// The innermost cause, which is what names the trouble.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
