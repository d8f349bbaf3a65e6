//! Why the LLM server gave no answer.

use std::io;
use std::time::Duration;

/// Why upstream gave no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// An address that nothing can be sent to.
    #[error("{base} cannot be used: {cause}")]
    Address { base: String, cause: String },
    /// No connection.
    #[error("cannot reach the LLM server at {base}: {cause}")]
    Unreachable { base: String, cause: String },
    /// No connection in time.
    #[error("no connection to the LLM server at {base} within {after:?}")]
    ConnectTimeout { base: String, after: Duration },
    /// Connected, but the answer did not come, or broke off.
    #[error("the LLM server at {base} broke off: {cause}")]
    Broken { base: String, cause: String },
    /// No head of an answer in time.
    #[error("the LLM server at {base} did not answer within {after:?}")]
    HeaderTimeout { base: String, after: Duration },
    /// The answer began and went silent.
    #[error("the LLM server at {base} was silent for {after:?} in the middle of an answer")]
    IdleTimeout { base: String, after: Duration },
    /// It changed the protocol although nobody asked it to.
    #[error("the LLM server at {base} changed to another protocol without being asked")]
    Switched { base: String },
    /// The client's body broke off, or took too long ([`io::ErrorKind::TimedOut`]).
    #[error("the request's body broke off: {0}")]
    Body(io::Error),
    /// The path would leave `/v1`, where the LLM server may be controlled.
    #[error("the path {0} leads out of /v1")]
    Path(String),
    /// Not what an OpenAI-compatible server answers.
    #[error("{base}/models does not answer like an OpenAI-compatible server (status {status})")]
    NotModels { base: String, status: u16 },
    /// A list of models that is told only to whoever has a key.
    #[error("{base}/models asks for a key, or refuses the one that it was sent (status {status})")]
    Refused { base: String, status: u16 },
    /// No list of models now: that says nothing about the models.
    #[error("{base}/models answers with status {status}")]
    NoList { base: String, status: u16 },
}

impl UpstreamError {
    /// Whether another key might help.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}
