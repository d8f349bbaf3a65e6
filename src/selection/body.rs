//! A request's body, read as seldom as possible.

use bytes::Bytes;

use crate::openai::{ChatRequest, ChatRequestError, Choices, ModelApi, SearchCalls};

/// The body of a request to a model. It is parsed once, and only where a collection may be chosen.
pub struct Body {
    api: ModelApi,
    bytes: Bytes,
    parsed: Option<Result<ChatRequest, ChatRequestError>>,
}

impl Body {
    /// A body as it came, without the searches of earlier answers of ours.
    pub fn new(api: ModelApi, bytes: Bytes) -> Self {
        let left = api.without_search_calls(&bytes, SearchCalls::Ours);
        Self { api, bytes: left.unwrap_or(bytes), parsed: None }
    }

    /// By which API it came.
    pub fn api(&self) -> ModelApi {
        self.api
    }

    /// The bytes that go upstream where nothing is to be changed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What it says of collections. A `file_search` tool that cannot be followed is an error, whatever else is said: it
    /// is ours, and upstream could not tell what is wrong with it.
    pub(super) fn choices(&mut self) -> Result<Choices, ChatRequestError> {
        if !Choices::may_be_in(&self.bytes) {
            return Ok(Choices::default());
        }
        match self.parsed.get_or_insert_with(|| self.api.parse(self.bytes.clone())) {
            Ok(request) => Ok(Choices::of(request)),
            Err(error @ ChatRequestError::FileSearch(_)) => Err(error.clone()),
            Err(_) => Ok(Choices::in_unreadable(&self.bytes)?),
        }
    }

    /// The request, for one that is about collections: whoever grounds here gets no other search from the LLM server.
    pub(super) fn take_request(&mut self) -> Result<ChatRequest, ChatRequestError> {
        if let Some(left) = self.api.without_search_calls(&self.bytes, SearchCalls::All) {
            (self.bytes, self.parsed) = (left, None);
        }
        self.parsed.take().unwrap_or_else(|| self.api.parse(self.bytes.clone()))
    }
}
