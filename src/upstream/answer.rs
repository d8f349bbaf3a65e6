//! The body of upstream's answer, frame by frame.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::UpstreamError;
use super::connection::Connection;
use super::failures::Failures;
use super::pool::Pool;
use crate::net::{Silence, root_cause};

/// Frames as upstream sent them. At its end the connection goes back to the pool; dropped before, it is closed, by
/// which upstream knows that nobody waits any more.
pub struct AnswerBody {
    incoming: Incoming,
    connection: Option<Connection>,
    pool: Arc<Pool>,
    base: Arc<str>,
    failures: Arc<Failures>,
    /// How long upstream has been waited for: a slow client's time does not count.
    silence: Silence,
    /// The answer to HEAD of a body whose length upstream does not say: nothing comes, and that is not its length.
    untold: bool,
}

impl AnswerBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Connection,
        pool: Arc<Pool>,
        base: Arc<str>,
        failures: Arc<Failures>,
        idle_timeout: Duration,
        untold: bool,
    ) -> Self {
        let silence = Silence::new(idle_timeout);
        Self { incoming, connection: Some(connection), pool, base, failures, silence, untold }
    }

    /// Lets go of the connection, which speaks another protocol from here on.
    pub(super) fn detach(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.detach();
        }
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        if let Some(mut connection) = self.connection.take() {
            // To its end, where it is ready for the next request.
            connection.drive(cx);
            self.pool.give_back(connection);
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // Nobody asks for the end of a body without one, nor after the last byte of a known length.
        if self.incoming.is_end_stream()
            && let Some(connection) = self.connection.take()
        {
            self.pool.give_back(connection);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = &mut *self;
        if let Some(connection) = &mut this.connection {
            connection.drive(cx);
        }
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.broken();
                if self.incoming.is_end_stream() {
                    self.end(cx);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.end(cx);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.connection = None;
                let error = UpstreamError::Broken { base: self.base.to_string(), cause: root_cause(&error) };
                self.failures.note(Some(&error));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending if self.silence.is_too_long(cx) => {
                self.connection = None;
                let (base, after) = (self.base.to_string(), self.silence.limit());
                let error = UpstreamError::IdleTimeout { base, after };
                self.failures.note(Some(&error));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.untold && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.untold { SizeHint::default() } else { self.incoming.size_hint() }
    }
}
