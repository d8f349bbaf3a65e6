//! A client's connection as hyper reads and writes it, with its pulse written down.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::client::{self, HalfClosed, Place};
use super::connections::{Answer, Pulse};
use super::refusal;
use crate::net;

/// A client that takes nothing of what it asked for is given up, and its place and the model's with it.
#[cfg(target_os = "linux")]
const TAKES_NOTHING: Duration = Duration::from_secs(300);
/// What hyper says before a body that the client waits to send.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// As hyper writes it.
const CHUNKED: &[u8] = b"\r\ntransfer-encoding: chunked\r\n";
const SIZED: &[u8] = b"\r\ncontent-length: ";
/// What a refused client still sends is read for so long, so that it gets to see the refusal.
const LINGER: Duration = Duration::from_secs(2);
/// And so many bytes of it.
const LINGER_BYTES: usize = 256 << 20;

/// Sets a new connection up for small frames that must not wait, and for clients that vanish or take nothing.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    net::prepare(stream)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TAKES_NOTHING))?;
    Ok(())
}

/// The stream.
pub(super) struct ClientStream {
    tcp: TcpStream,
    pulse: Arc<Pulse>,
    /// More has come than was read so far, so that its end cannot be seen.
    more_waits: bool,
    half_closed: Option<HalfClosed>,
    /// An answer of hyper's own in words, as far as it is not sent.
    refusal: Option<Bytes>,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

impl ClientStream {
    pub fn new(tcp: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { tcp, pulse, more_waits: false, half_closed: None, refusal: None, lingering: None }
    }

    /// The next bytes to be sent begin with these; `all` is how many they are. What comes back was dealt with here:
    /// so many of them are not to be sent.
    fn goes_out(&mut self, bytes: &[u8], all: usize) -> io::Result<usize> {
        match self.pulse.answer() {
            Answer::None => {
                // In place of hyper's own, which says nothing. What the client still sends would destroy it.
                self.refusal.get_or_insert_with(|| refusal::in_words(bytes));
                self.pulse.body_was_left_unread();
                return Ok(all);
            }
            Answer::Awaited => {
                let head = bytes.strip_prefix(CONTINUE).unwrap_or(bytes);
                if !head.is_empty() {
                    let holds = |field| memmem::find(head, field).is_some();
                    self.pulse.set_answer(match (holds(CHUNKED), holds(SIZED)) {
                        (true, _) => Answer::Chunked,
                        (false, true) => Answer::Sized,
                        (false, false) => Answer::UntilClosed,
                    });
                }
            }
            _ => {}
        }
        match &self.half_closed {
            Some(half_closed) => half_closed.sent_ahead(bytes),
            None => Ok(0),
        }
    }

    fn went_out(&mut self) {
        if let Some(half_closed) = &mut self.half_closed {
            half_closed.goes_on();
        }
        self.pulse.bytes_left();
    }

    /// An error where the client who waits for an answer has gone. Everything before was sent.
    fn look_after_client(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let place = match self.pulse.answer() {
            Answer::Awaited => Place::Head,
            Answer::Chunked => Place::Chunk,
            Answer::Sized | Answer::Mixed => Place::Inside,
            Answer::UntilClosed => Place::Open,
            Answer::None | Answer::Tunnel => return Ok(()),
        };
        if self.half_closed.is_none() && !self.more_waits {
            match client::poll_end(&self.tcp, cx) {
                Poll::Pending => {}
                // Nothing can be sent there to find out, and nothing may come for a long time.
                Poll::Ready(Ok(true)) if place == Place::Open => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Poll::Ready(Ok(true)) => self.half_closed = Some(HalfClosed::new(&self.tcp)?),
                Poll::Ready(Ok(false)) => self.more_waits = true,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        match &mut self.half_closed {
            Some(half_closed) => half_closed.look(&self.tcp, place, cx),
            None => Ok(()),
        }
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(refusal) = self.refusal.as_mut().filter(|refusal| !refusal.is_empty()) {
            let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, refusal))?;
            refusal.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.tcp).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.more_waits = false;
            this.pulse.bytes_came();
        }
        read
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = this.goes_out(buf, buf.len())?;
        if done == buf.len() {
            return Poll::Ready(Ok(done));
        }
        let written = ready!(Pin::new(&mut this.tcp).poll_write(cx, &buf[done..]));
        this.went_out();
        Poll::Ready(written.map(|written| done + written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let all = || bufs.iter().map(|buf| buf.len()).sum();
        let first = bufs.first().map_or(&[][..], |first| first);
        let done = match this.pulse.answer() {
            // Only a first part is looked at.
            Answer::None => return Poll::Ready(this.goes_out(first, all())),
            _ => this.goes_out(first, 0)?,
        };
        let written = if done == 0 {
            ready!(Pin::new(&mut this.tcp).poll_write_vectored(cx, bufs))
        } else {
            ready!(Pin::new(&mut this.tcp).poll_write(cx, &first[done..]))
        };
        this.went_out();
        Poll::Ready(written.map(|written| done + written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(cx))?;
        ready!(Pin::new(&mut this.tcp).poll_flush(cx))?;
        // hyper calls this once its own buffer is empty.
        this.pulse.flushed();
        if this.pulse.is_busy() {
            this.look_after_client(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Closes the sending side. Where a request's body was refused before its end, the rest is read and thrown away
    /// for a while: a close with unread bytes is a reset, which would take the refusal with it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(cx))?;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.tcp).poll_shutdown(cx))?;
            if !this.pulse.has_unread_body() {
                return Poll::Ready(Ok(()));
            }
            this.lingering =
                Some((Box::pin(tokio::time::sleep_until(Instant::now() + LINGER)), LINGER_BYTES));
        }
        let Some((until, left)) = &mut this.lingering else { return Poll::Ready(Ok(())) };
        let mut part = [0; 1 << 14];
        loop {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut part);
            // Broken off is as good as ended.
            let ended = ready!(Pin::new(&mut this.tcp).poll_read(cx, &mut buf)).is_err();
            let read = buf.filled().len();
            *left = left.saturating_sub(read);
            if ended || read == 0 || *left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
