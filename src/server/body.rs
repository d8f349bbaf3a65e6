//! Bodies with what hangs on them: a deadline on the client's, a place and a pulse on the answer's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::connections::Pulse;
use crate::api::Place;
use crate::net::Silence;
use crate::telemetry::Ongoing;

/// A client's body that must go on: silence for longer than the limit is an error of the kind
/// [`io::ErrorKind::TimedOut`].
pub(super) struct ClientBody {
    incoming: Incoming,
    pulse: Arc<Pulse>,
    silence: Silence,
    ended: bool,
}

impl ClientBody {
    pub fn new(incoming: Incoming, pulse: Arc<Pulse>, limit: Duration) -> Self {
        let ended = incoming.is_end_stream();
        Self { incoming, pulse, silence: Silence::new(limit), ended }
    }
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.silence.broken();
            // hyper ends a body whose connection was closed by us as if it were whole.
            if frame.is_none() && this.pulse.is_cut_off() {
                let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed");
                return Poll::Ready(Some(Err(cut.into())));
            }
            this.ended = frame.is_none() || this.incoming.is_end_stream();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.silence.is_too_long(cx) {
            let message = format!("nothing came for {} seconds", this.silence.limit().as_secs());
            return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, message).into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if !self.ended {
            self.pulse.body_was_left_unread();
        }
    }
}

/// An answer's body: as long as it lives, its request has its place and its connection is busy.
///
/// A break is passed on only when all that came before it has been sent: hyper drops what it has not sent yet when a
/// body breaks off.
pub(super) struct AnswerBody {
    body: Body,
    pulse: Arc<Pulse>,
    _place: Option<Place>,
    ongoing: Ongoing,
    /// Flushes before the last frame, or before the head.
    seen: u64,
    broken: Option<axum::Error>,
}

impl AnswerBody {
    pub fn new(body: Body, pulse: Arc<Pulse>, place: Option<Place>, ongoing: Ongoing) -> Self {
        let seen = pulse.flushes();
        Self { body, pulse, _place: place, ongoing, seen, broken: None }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.broken.is_none() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(error)) => {
                    self.ongoing.broke();
                    self.broken = Some(error);
                }
                frame => {
                    match frame {
                        Some(_) => self.ongoing.frame(),
                        None => self.ongoing.ended(),
                    }
                    self.seen = self.pulse.flushes();
                    return Poll::Ready(frame);
                }
            }
        }
        if !self.pulse.has_flushed_since(self.seen, cx) {
            return Poll::Pending;
        }
        Poll::Ready(self.broken.take().map(Err))
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // Nobody asks for the end of a body after the last byte of a known length.
        if self.is_end_stream() {
            self.ongoing.ended();
        }
        self.pulse.answer_ended();
    }
}
