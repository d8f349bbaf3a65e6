//! A body that changes on its way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

/// What is done to the bytes of a body. What it gives goes out before more is read.
pub(super) trait Rewrite {
    /// Before the first byte.
    fn begin(&mut self) -> Bytes {
        Bytes::new()
    }
    /// A piece came.
    fn piece(&mut self, piece: Bytes) -> Bytes;
    /// The body came to its end.
    fn end(&mut self) -> Bytes;
    /// The body broke off: what is held goes out as it is, before the break does.
    fn broken(&mut self) -> Bytes;
}

/// A body with a [`Rewrite`] on it. Dropping it drops the body.
pub(super) struct Rewritten<B: Body, R> {
    body: B,
    rewrite: R,
    began: bool,
    /// What came after the last bytes: trailers or an error.
    last: Option<Result<Frame<Bytes>, B::Error>>,
    ended: bool,
}

impl<B: Body, R> Rewritten<B, R> {
    pub(super) fn new(body: B, rewrite: R) -> Self {
        Self { body, rewrite, began: false, last: None, ended: false }
    }
}

impl<B, R> Body for Rewritten<B, R>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Unpin,
    R: Rewrite + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(this.last.take());
            }
            let out = if std::mem::replace(&mut this.began, true) {
                match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => this.rewrite.piece(piece),
                        // Trailers are the end of the bytes.
                        Err(trailers) => {
                            (this.ended, this.last) = (true, Some(Ok(trailers)));
                            this.rewrite.end()
                        }
                    },
                    Some(Err(error)) => {
                        (this.ended, this.last) = (true, Some(Err(error)));
                        this.rewrite.broken()
                    }
                    None => {
                        this.ended = true;
                        this.rewrite.end()
                    }
                }
            } else {
                this.rewrite.begin()
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;

    /// Says `<`, holds everything, and says what became of it.
    struct Held(Vec<u8>);

    impl Rewrite for Held {
        fn begin(&mut self) -> Bytes {
            "<".into()
        }

        fn piece(&mut self, piece: Bytes) -> Bytes {
            self.0.extend_from_slice(&piece);
            Bytes::new()
        }

        fn end(&mut self) -> Bytes {
            [&std::mem::take(&mut self.0), &b">"[..]].concat().into()
        }

        fn broken(&mut self) -> Bytes {
            std::mem::take(&mut self.0).into()
        }
    }

    /// A body of these frames, one at a time.
    struct Frames(VecDeque<Result<Frame<Bytes>, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    /// What comes of these frames: bytes, `trailers` or an error each.
    async fn rewritten(frames: Vec<Result<Frame<Bytes>, &'static str>>) -> Vec<String> {
        let mut body = Rewritten::new(Frames(frames.into()), Held(Vec::new()));
        let mut seen = Vec::new();
        while let Some(frame) = body.frame().await {
            seen.push(match frame.map(Frame::into_data) {
                Ok(Ok(data)) => String::from_utf8_lossy(&data).into_owned(),
                Ok(Err(_)) => "trailers".to_owned(),
                Err(error) => error.to_owned(),
            });
        }
        assert!(body.is_end_stream() && body.frame().await.is_none());
        seen
    }

    #[tokio::test]
    async fn what_is_held_goes_out_before_whatever_ends_the_body() {
        let data = || Ok(Frame::data(Bytes::from_static(b"ab")));
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        assert_eq!(rewritten(vec![]).await, ["<", ">"]);
        assert_eq!(rewritten(vec![data(), data()]).await, ["<", "abab>"]);
        assert_eq!(rewritten(vec![data(), trailers]).await, ["<", "ab>", "trailers"]);
        assert_eq!(rewritten(vec![data(), Err("broke")]).await, ["<", "ab", "broke"]);
    }
}
