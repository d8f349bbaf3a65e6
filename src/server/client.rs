//! Whether a client that has closed its sending side still waits for its answer.
//!
//! What arrives is the same in both cases: `close` and `shutdown` send the same FIN. They differ in what comes back when
//! something is sent: a client that is gone answers with a reset. So something is sent that every answer has at that
//! place: the first bytes of its head, or zeros before the size of the next chunk, which mean nothing there (RFC 9112,
//! section 7.1). One byte at a time: a client that is gone costs upstream no more than the way there and back. A proxy in
//! between may need a second byte to find out, and a third.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How the head of every answer begins.
const HEAD: &[u8] = b"HTTP/1.";
/// Readers take a size of sixteen digits.
const MOST_ZEROS: usize = 7;
/// The first byte is sent at once, the next ones after so long each.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
];

/// Where the next byte of an answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its beginning.
    Head,
    /// Before the size of a chunk.
    Chunk,
    /// In the middle of something: the next bytes that are sent will tell.
    Inside,
    /// In a body that ends with the connection. Who closes a side only then is taken for one who leaves.
    Open,
}

/// A connection whose client sends nothing more.
pub(super) struct HalfClosed {
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    next: Pin<Box<Sleep>>,
    probes: usize,
    /// Bytes of the answer that were sent before the answer is known.
    ahead: usize,
    zeros: usize,
}

impl HalfClosed {
    pub fn new(stream: &TcpStream) -> io::Result<Self> {
        // A handle of its own: its errors are looked at apart from reading and writing.
        let same = TcpStream::from_std(SockRef::from(stream).try_clone()?.into())?;
        let gone = async move {
            // What cannot be looked at is as good as gone.
            let _ = same.ready(Interest::ERROR).await;
        };
        let next = Box::pin(sleep_until(Instant::now()));
        Ok(Self { gone: Box::pin(gone), next, probes: 0, ahead: 0, zeros: 0 })
    }

    /// Finds out whether the client is there. `place` is where the answer stands: everything before was sent.
    pub fn look(&mut self, stream: &TcpStream, place: Place, cx: &mut Context<'_>) -> io::Result<()> {
        if self.gone.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        while self.next.as_mut().poll(cx).is_ready() {
            self.probe(stream, place)?;
            let Some(pause) = PAUSES.get(self.probes) else { break };
            self.probes += 1;
            self.next.as_mut().reset(Instant::now() + *pause);
        }
        Ok(())
    }

    fn probe(&mut self, stream: &TcpStream, place: Place) -> io::Result<()> {
        let (byte, count) = match place {
            Place::Head if self.ahead < HEAD.len() => (HEAD[self.ahead], &mut self.ahead),
            Place::Chunk if self.zeros < MOST_ZEROS => (b'0', &mut self.zeros),
            _ => return Ok(()),
        };
        match stream.try_write(&[byte]) {
            Ok(sent) => *count += sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What of the next bytes was sent already.
    pub fn sent_ahead(&self, next: &[u8]) -> io::Result<usize> {
        if next.starts_with(&HEAD[..self.ahead]) {
            Ok(self.ahead)
        } else {
            Err(io::Error::other("an answer that begins with something else"))
        }
    }

    /// The answer goes on.
    pub fn goes_on(&mut self) {
        (self.ahead, self.zeros) = (0, 0);
    }
}

/// Polls for the end of what a client sends: true at the end, false where there is more to read.
pub(super) fn poll_end(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
    let mut byte = [0];
    stream.poll_peek(cx, &mut tokio::io::ReadBuf::new(&mut byte)).map_ok(|read| read == 0)
}
