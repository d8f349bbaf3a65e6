//! What is written down of a request, for its line of the log, its spans and the metrics.

use std::time::{Duration, Instant};

use http::StatusCode;

/// What handlers wrote down.
#[derive(Default)]
pub(super) struct Found {
    /// The key that asked, by its id.
    pub key: Option<String>,
    pub retrieval: Option<Retrieval>,
    /// From a request that was sent upstream to the head of its answer.
    pub upstream: Option<Duration>,
}

/// The model that a chat asks, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// The request's JSON.
    pub body: &'a [u8],
    /// The name that upstream will see, where that is not the body's.
    pub name: Option<&'a str>,
    /// Upstream's address.
    pub upstream: &'a str,
}

/// How passages were looked for.
#[derive(Clone, Debug)]
pub struct Retrieval {
    /// As in `X-RAG-Status`.
    pub status: &'static str,
    pub collections: Vec<String>,
    /// What was searched for; none where everything went in, or nothing was looked for.
    pub query: Option<String>,
    pub passages: usize,
    /// Tokens added to the prompt, by estimate.
    pub added_tokens: u64,
    pub began: Instant,
    pub took: Duration,
    pub stages: Vec<Stage>,
    /// The model that embedded the question, if one did.
    pub embedded_by: Option<String>,
}

/// A part of a retrieval.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub name: &'static str,
    /// After the retrieval began.
    pub after: Duration,
    pub took: Duration,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Behind us.
    Broken,
    /// The client's doing.
    Left,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Broken => "broken",
            Self::Left => "client_left",
        }
    }
}

/// How a request ended.
pub(super) struct Outcome<'a> {
    pub id: Option<&'a str>,
    pub status: Option<StatusCode>,
    pub streamed: bool,
    pub first_frame: Option<Duration>,
    pub end: End,
}
