//! `POST /v1/embeddings`: of our model by us, of every other by upstream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::bodies::Held;
use super::caller::Caller;
use super::error::ApiError;
use super::relay;
use crate::access::Scope;
use crate::app::App;
use crate::embed::{EmbedError, Embedded, Embeddings, Side};
use crate::openai::{
    Cut, EmbeddingsList, EmbeddingsRequest, InputType, RequestError, embeddings_model, parse_body,
};
use crate::tasks;

pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    match answer(&app, request).await? {
        Answer::Ours(response) => Ok(response),
        // Known only now that the body was read.
        Answer::Upstreams(request) => {
            caller.needs(Scope::Relay)?;
            relay::everything_else(State(app), request).await
        }
    }
}

enum Answer {
    Ours(Response),
    /// The request as it came.
    Upstreams(Request),
}

/// Answers for our model. What is for another model, and what cannot be read, is upstream's.
async fn answer(app: &App, request: Request) -> Result<Answer, ApiError> {
    let Some(embeddings) = &app.embeddings else { return Ok(Answer::Upstreams(request)) };
    let (parts, body) = request.into_parts();
    let (read, whole) = ReadAhead::read(body, app.config.server.max_body, Held::nothing(app)).await?;
    let bytes = whole.then(|| read.bytes());
    match bytes.filter(|bytes| embeddings_model(bytes).as_deref() == Some(embeddings.name())) {
        Some(bytes) => Ok(Answer::Ours(embed(embeddings, &bytes).await?)),
        None => Ok(Answer::Upstreams(Request::from_parts(parts, Body::new(read)))),
    }
}

async fn embed(embeddings: &Embeddings, body: &[u8]) -> Result<Response, ApiError> {
    let request: EmbeddingsRequest = parse_body(body)?;
    let info = embeddings.info()?;
    if let Some(wanted) = request.dimensions.filter(|wanted| *wanted != info.dimensions as u64) {
        let message = format!(
            "dimensions is {wanted}, but the vectors of {} have {} numbers and cannot be shortened: leave dimensions out",
            info.name, info.dimensions
        );
        return Err(RequestError::value("dimensions", message).into());
    }
    let side = match request.input_type {
        InputType::Query => Side::Query,
        InputType::Document => Side::Passage,
    };
    let window = info.window;
    let most = match request.cut {
        None => None,
        Some(Cut::Window) => Some(window),
        Some(Cut::Tokens(most)) => match usize::try_from(most) {
            Ok(most) if most <= window => Some(most),
            _ => {
                let message = format!(
                    "truncate_prompt_tokens is {most}, but {} reads at most {window}: send -1 for that",
                    info.name
                );
                return Err(RequestError::value("truncate_prompt_tokens", message).into());
            }
        },
    };
    let Embedded { vectors, tokens } = embeddings.embed_texts(side, request.texts, most).await?;
    // Thousands of vectors are megabytes of digits.
    let write = move || {
        let list = EmbeddingsList::new(&info.name, vectors, tokens, request.encoding_format);
        serde_json::to_vec(&list).map_err(|error| EmbedError::Failed(error.to_string()))
    };
    let json = tasks::blocking(write).await?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response())
}

/// A body of which the beginning was read, and which can still be sent on from its start, frame by frame.
struct ReadAhead {
    read: VecDeque<Frame<Bytes>>,
    rest: Body,
    /// The room in memory of what was read.
    held: Held,
}

impl ReadAhead {
    /// Reads to the end, or until there are more than `most` bytes. True where it is whole.
    async fn read(body: Body, most: usize, held: Held) -> Result<(Self, bool), ApiError> {
        let mut ahead = Self { read: VecDeque::new(), rest: body, held };
        let mut length = 0;
        // A length that was said beforehand need not be waited for.
        if ahead.rest.size_hint().lower() > most as u64 {
            return Ok((ahead, false));
        }
        while let Some(frame) = ahead.rest.frame().await {
            let frame = frame.map_err(|error| ApiError::broken_body(&error))?;
            let came = frame.data_ref().map_or(0, Bytes::len);
            length += came;
            ahead.held.grow(came)?;
            ahead.read.push_back(frame);
            if length > most {
                return Ok((ahead, false));
            }
        }
        Ok((ahead, true))
    }

    /// What was read.
    fn bytes(&self) -> Bytes {
        let mut data = self.read.iter().filter_map(Frame::data_ref);
        match (data.next(), data.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only.clone(),
            _ => {
                let mut all = BytesMut::new();
                self.read.iter().filter_map(Frame::data_ref).for_each(|data| all.extend_from_slice(data));
                all.freeze()
            }
        }
    }
}

impl HttpBody for ReadAhead {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: usize = self.read.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(read as u64 + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(read as u64 + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn body(parts: &'static [&'static str]) -> Body {
        let frames = parts
            .iter()
            .map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(part.as_bytes()))));
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn what_was_read_is_sent_on_whether_it_was_all_or_not() {
        for (most, is_whole, ahead) in
            [(9, true, "abcdef"), (6, true, "abcdef"), (3, false, "abcd"), (0, false, "ab")]
        {
            let (read, whole) =
                ReadAhead::read(body(&["ab", "cd", "ef"]), most, Held::of(1 << 20)).await.expect("reads");
            assert_eq!((whole, read.bytes().as_ref()), (is_whole, ahead.as_bytes()), "{most}");
            let sent = Body::new(read).collect().await.expect("reads on").to_bytes();
            assert_eq!(sent, "abcdef", "{most}");
        }
    }

    #[tokio::test]
    async fn a_length_is_kept_and_one_that_is_too_much_is_not_waited_for() {
        let (read, whole) = ReadAhead::read(Body::from("abc"), 3, Held::of(1 << 20)).await.expect("reads");
        assert_eq!((whole, read.size_hint().exact()), (true, Some(3)));
        let (read, whole) = ReadAhead::read(Body::from("abc"), 2, Held::of(1 << 20)).await.expect("reads");
        assert_eq!((whole, read.bytes().len(), read.size_hint().exact()), (false, 0, Some(3)));
    }
}
