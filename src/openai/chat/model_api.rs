//! OpenAI's two APIs that ask a model.

use bytes::Bytes;

use super::{ChatRequest, ChatRequestError};
use crate::openai::search_calls::{SearchCalls, without_search_calls};

/// The API by which a request asks a model: chat completions or responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelApi {
    Chat,
    Responses,
}

impl ModelApi {
    /// Its path after `/v1`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
        }
    }

    /// Reads a body of it.
    pub fn parse(self, bytes: Bytes) -> Result<ChatRequest, ChatRequestError> {
        match self {
            Self::Chat => ChatRequest::parse(bytes),
            Self::Responses => ChatRequest::parse_response(bytes),
        }
    }

    /// A body without the searches of earlier answers of ours; `None` where it holds none of them.
    pub fn without_search_calls(self, body: &[u8], which: SearchCalls) -> Option<Bytes> {
        match self {
            Self::Chat => None,
            Self::Responses => without_search_calls(body, which).map(Bytes::from),
        }
    }
}
