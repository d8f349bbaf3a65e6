//! What an answer says of its sources, in its body: as a comment, as annotations, or not at all.
//!
//! | mode | streamed | not streamed |
//! |---|---|---|
//! | `header` | upstream's bytes | upstream's bytes |
//! | `comment` | `: rag {...}` before the first event | upstream's bytes |
//! | `annotations` | one chunk more for each choice, before the chunk that finishes it | `message.annotations` |
//!
//! Whatever is added, upstream's own bytes stay as they are, and each of its frames goes on when it is whole. An answer
//! that cannot be read passes untouched.

mod answer;
mod chunks;
mod comment;
mod events;
mod frames;
mod marks;
mod message;
#[cfg(test)]
mod recorded;
mod rewrite;
mod search_call;
mod source;
mod whole;

use axum::response::Response;

use crate::json::Object;
use crate::prompt::Passages;

pub use search_call::SearchCall;

use answer::{Kind, rewritten};
use chunks::Chunks;
use comment::Comment;
use events::Events;
use source::Sources;
use whole::Whole;

/// A longer answer that is not streamed passes as it is.
const LONGEST: usize = 4 << 20;

/// Where an answer names its sources, beside the headers that it always has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In headers alone.
    #[default]
    Header,
    /// In a comment of the stream.
    Comment,
    /// In OpenAI's annotations.
    Annotations,
}

impl Mode {
    /// As in `X-RAG-Citations`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "header" => Some(Self::Header),
            "comment" => Some(Self::Comment),
            "annotations" => Some(Self::Annotations),
            _ => None,
        }
    }
}

/// What is to be said of one answer's sources.
#[derive(Clone, Debug)]
pub struct Citation {
    mode: Mode,
    trace_id: String,
    sources: Sources,
}

impl Citation {
    /// The passages behind an answer, and the address under which clients reach this server, without a path.
    pub fn new(mode: Mode, base: &str, trace_id: &str, passages: &Passages) -> Self {
        Self { mode, trace_id: trace_id.to_owned(), sources: Sources::new(base, passages) }
    }

    /// Whether the answer must be read, and so may not be compressed.
    pub fn reads_the_answer(&self) -> bool {
        match self.mode {
            Mode::Header => false,
            Mode::Comment => true,
            Mode::Annotations => !self.sources.is_empty(),
        }
    }

    /// The answer with its citations.
    pub fn cite(self, response: Response) -> Response {
        let kind = Kind::of(&response);
        match (self.mode, kind) {
            (Mode::Comment, Some(Kind::Stream)) => match Comment::new(&self.trace_id, &self.sources) {
                Ok(comment) => rewritten(response, comment),
                Err(error) => {
                    tracing::error!(%error, "a comment was left out");
                    response
                }
            },
            (Mode::Annotations, Some(kind)) if !self.sources.is_empty() => match kind {
                Kind::Stream => rewritten(response, Chunks::new(self.sources)),
                Kind::Whole => {
                    let edit = move |answer: &str| message::annotated(answer, &self.sources);
                    rewritten(response, Whole::new(LONGEST, edit))
                }
            },
            _ => response,
        }
    }
}

impl SearchCall {
    /// The answer with the call in it.
    pub fn answer(self, response: Response) -> Response {
        match Kind::of(&response) {
            Some(Kind::Stream) => rewritten(response, Events::new(self)),
            Some(Kind::Whole) => rewritten(
                response,
                Whole::new(search_call::LONGEST, move |answer: &str| {
                    self.in_response(Object::parse(answer)?)
                }),
            ),
            None => response,
        }
    }
}
