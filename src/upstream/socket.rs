//! A TCP connection to upstream that can be looked at while hyper reads and writes it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::net;

/// The two directions: reading is one task's, writing goes through a shared handle, so that [`Peek`] sees the socket.
pub(super) struct Socket {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
}

/// Looks at a connection that nobody uses.
pub(super) struct Peek(Arc<OwnedWriteHalf>);

impl Socket {
    /// Takes a new connection over.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        net::prepare(&stream)?;
        let (read, write) = stream.into_split();
        Ok(Self { read, write: Arc::new(write) })
    }

    /// A handle to look through.
    pub fn peek(&self) -> Peek {
        Peek(self.write.clone())
    }

    fn stream(&self) -> &TcpStream {
        self.write.as_ref().as_ref()
    }
}

impl Peek {
    /// Whether upstream has closed its side, as the kernel knows it now: the task that reads the connection may not
    /// have been told yet.
    pub fn is_closed(&self) -> bool {
        let stream: &TcpStream = self.0.as_ref().as_ref();
        match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream().poll_write_ready(cx))?;
            match self.stream().try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(self.stream()).shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_closed_side_is_seen_at_once_and_an_open_one_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (server, _) = listener.accept().await.expect("accepted");
        let socket = Socket::new(client).expect("set up");
        let peek = socket.peek();
        assert!(!peek.is_closed());
        drop(server);
        // The kernel passes the end on through loopback before the drop returns.
        assert!(peek.is_closed());
    }
}
