//! Inner errors to status, code and message: the one place that knows both.

use http::StatusCode;

use super::ApiError;
use crate::app::KeyError;
use crate::collection::CollectionError;
use crate::embed::EmbedError;
use crate::openai::{ChatRequestError, RequestError};
use crate::selection::SelectionError;
use crate::store::StoreError;
use crate::system::is_disk_full;
use crate::upstream::UpstreamError;

impl From<CollectionError> for ApiError {
    fn from(error: CollectionError) -> Self {
        let message = error.to_string();
        match error {
            CollectionError::Unknown(_) => Self::new(
                StatusCode::NOT_FOUND,
                "collection_not_found",
                format!("{message}: GET /v1/vector_stores lists them"),
            ),
            CollectionError::Ambiguous { .. } => Self::bad_request("ambiguous_collection", message),
            CollectionError::Expired(_) => Self::bad_request("vector_store_expired", message),
            CollectionError::BadName(_) => Self::bad_request("invalid_name", message),
            CollectionError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", message),
            CollectionError::Synced(_) => Self::new(StatusCode::CONFLICT, "synced_collection", message),
            CollectionError::Settings(_) => Self::bad_request("invalid_settings", message),
            CollectionError::Store(error) => error.into(),
            CollectionError::Index(_) | CollectionError::Lagging(_) | CollectionError::Worker(_) => {
                match error.io_kind() {
                    Some(kind) if is_disk_full(kind) => full_disk(&message),
                    Some(_) => storage_unavailable(&message),
                    None => Self::internal(&message),
                }
            }
            CollectionError::Deadline => {
                tracing::warn!("a search passed its deadline");
                Self::rag_unavailable()
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound(what) => {
                Self::new(StatusCode::NOT_FOUND, &format!("{what}_not_found"), message)
            }
            StoreError::UnknownFile(_) => Self::new(StatusCode::NOT_FOUND, "file_not_found", message),
            StoreError::Cursor { end, .. } => Self::bad_request("invalid_value", message).with_param(end),
            StoreError::Quota { .. } => Self::new(StatusCode::FORBIDDEN, "quota_exceeded", message),
            StoreError::NotFailed => Self::new(StatusCode::CONFLICT, "document_not_failed", message),
            StoreError::Synced => Self::new(StatusCode::CONFLICT, "synced_collection", message),
            StoreError::KeyNameTaken(_) => Self::new(StatusCode::CONFLICT, "name_taken", message),
            StoreError::Deadline => Self::rag_unavailable(),
            StoreError::Full(_) => full_disk(&message),
            StoreError::Unavailable(_) | StoreError::Closed => storage_unavailable(&message),
            StoreError::Database(_) | StoreError::Damaged(_) | StoreError::Worker(_) => {
                Self::internal(&message)
            }
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "key_not_found", message),
            KeyError::Bad { field, .. } => Self::bad_request("invalid_value", message).with_param(field),
            KeyError::Collection(error) => error.into(),
            KeyError::Store(error) => error.into(),
            KeyError::Random(_) => Self::internal(&message),
        }
    }
}

/// The data folder is gone, or cannot be written. What needs no storage goes on.
fn storage_unavailable(error: &str) -> ApiError {
    tracing::error!(error, "the data folder cannot be used");
    let message = "the server's data folder cannot be used just now: nothing was stored or deleted; GET /ready says why, and what needs no documents goes on";
    ApiError {
        retry_after: Some(30),
        ..ApiError::of_server(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
    }
}

fn full_disk(error: &str) -> ApiError {
    tracing::error!(error, "no space left");
    let message = "the server's disk is full: nothing was stored or deleted; free space in its data folder and try again";
    ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", message)
}

impl From<SelectionError> for ApiError {
    fn from(error: SelectionError) -> Self {
        let message = error.to_string();
        match error {
            SelectionError::Collection(error) => error.into(),
            SelectionError::Body(error) => error.into(),
            SelectionError::Conflict { .. } => Self::bad_request("conflicting_collections", message),
            SelectionError::Empty(_) => Self::bad_request("empty_collection_name", message),
            SelectionError::DocumentWithoutCollection => {
                Self::bad_request("document_without_collection", message)
            }
            SelectionError::UnknownDocument { .. } => {
                Self::new(StatusCode::NOT_FOUND, "document_not_found", message)
            }
        }
    }
}

impl From<ChatRequestError> for ApiError {
    fn from(error: ChatRequestError) -> Self {
        let (code, param) = match &error {
            ChatRequestError::NotJson(_) => ("invalid_json", None),
            ChatRequestError::Missing(key) => ("missing_field", Some(*key)),
            ChatRequestError::Duplicate(key) => ("duplicate_field", Some(*key)),
            ChatRequestError::Messages(_) => ("invalid_messages", Some("messages")),
            ChatRequestError::Input(_) => ("invalid_input", Some("input")),
            ChatRequestError::Type(key) => ("invalid_type", Some(*key)),
            ChatRequestError::FileSearch(error) => return error.clone().into(),
        };
        let error = Self::bad_request(code, error.to_string());
        match param {
            Some(param) => error.with_param(param),
            None => error,
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let refused = Self::bad_request(error.code, error.message);
        if error.param.is_empty() { refused } else { refused.with_param(&error.param) }
    }
}

/// For those who ask for embeddings. A search goes on by words alone.
impl From<EmbedError> for ApiError {
    fn from(error: EmbedError) -> Self {
        let unavailable =
            |code, message: &str| Self::of_server(StatusCode::SERVICE_UNAVAILABLE, code, message);
        match error {
            EmbedError::NotReady => Self {
                retry_after: Some(2),
                ..unavailable("model_loading", "the embedding model is being loaded: try again in a moment")
            },
            EmbedError::NoModel(_) => unavailable(
                "model_unavailable",
                "the embedding model could not be loaded: GET /ready and the server's log say why",
            ),
            EmbedError::TooLong { place, of, tokens, at_least, window } => {
                let param = if of == 1 { "input".to_owned() } else { format!("input[{place}]") };
                let least = if at_least { "at least " } else { "" };
                let message = format!(
                    "'{param}' has {least}{tokens} tokens, but the model reads at most {window}: split it, or send truncate_prompt_tokens: -1 to have what is too long cut"
                );
                Self::bad_request("context_length_exceeded", message).with_param(&param)
            }
            EmbedError::Failed(cause) => Self::internal(&cause),
        }
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        match &error {
            UpstreamError::Path(_) | UpstreamError::Body(_) => {}
            _ => tracing::warn!(%error, "upstream failed"),
        }
        Self::of_upstream(&error)
    }
}

impl ApiError {
    /// What clients are told of it. Where the LLM server is, and what the system says of it, is not for them: the log
    /// has that.
    pub(in crate::api) fn of_upstream(error: &UpstreamError) -> Self {
        use UpstreamError as E;
        let start = "start the LLM server (for example `vllm serve`), or point --upstream at it";
        let (status, code, what, todo) = match error {
            E::Path(path) => {
                return Self::new(
                    StatusCode::NOT_FOUND,
                    "unknown_url",
                    format!("the path {path} leads out of /v1"),
                );
            }
            E::Body(cause) => return Self::broken_body(cause),
            E::Unreachable { .. } | E::Address { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                "the LLM server cannot be reached".to_owned(),
                start,
            ),
            E::ConnectTimeout { after, .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_connect_timeout",
                format!("no connection to the LLM server within {after:?}"),
                start,
            ),
            E::HeaderTimeout { after, .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_header_timeout",
                format!("the LLM server did not answer within {after:?}"),
                "ask for a shorter answer, stream it, or raise --upstream-header-timeout",
            ),
            E::IdleTimeout { after, .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_idle_timeout",
                format!("the LLM server was silent for {after:?} in the middle of an answer"),
                "look at its log, or raise --upstream-idle-timeout",
            ),
            E::Broken { .. } | E::Switched { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_broken",
                "the LLM server broke off".to_owned(),
                "it may have begun to answer, so nothing was sent twice: look at its log and try again",
            ),
            E::Refused { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_refused",
                "the LLM server asks for a key, or refuses the one that it was sent".to_owned(),
                "send one that it takes, or have one set with --upstream-key",
            ),
            E::NotModels { .. } | E::NoList { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_not_openai",
                "the LLM server does not answer like an OpenAI-compatible one".to_owned(),
                start,
            ),
        };
        Self::new(status, code, format!("{what}; {todo}"))
    }
}
