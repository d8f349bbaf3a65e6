//! A client's connection as hyper reads and writes it, with its pulse written down.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connections::Pulse;

/// A client that vanished without a word is noticed after about a minute, also while the model still thinks.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// A client that takes nothing of what it asked for is given up, and its place and the model's with it.
#[cfg(target_os = "linux")]
const TAKES_NOTHING: Duration = Duration::from_secs(300);
/// What a refused client still sends is read for so long, so that it gets to see the refusal.
const LINGER: Duration = Duration::from_secs(2);
/// And so many bytes of it.
const LINGER_BYTES: usize = 256 << 20;

/// Sets a new connection up for small frames that must not wait, and for clients that vanish.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it a small frame waits for an acknowledgement of the one before: about 40 ms.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(TAKES_NOTHING))?;
    Ok(())
}

/// The stream.
pub(super) struct ClientStream {
    tcp: TcpStream,
    pulse: Arc<Pulse>,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

impl ClientStream {
    pub fn new(tcp: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { tcp, pulse, lingering: None }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.tcp).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.pulse.bytes_came();
        }
        read
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.tcp).poll_write(cx, buf));
        this.pulse.bytes_left();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.tcp).poll_write_vectored(cx, bufs));
        this.pulse.bytes_left();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.tcp).poll_flush(cx))?;
        // hyper calls this once its own buffer is empty.
        this.pulse.flushed();
        Poll::Ready(Ok(()))
    }

    /// Closes the sending side. Where a request's body was refused before its end, the rest is read and thrown away
    /// for a while: a close with unread bytes is a reset, which would take the refusal with it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
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
