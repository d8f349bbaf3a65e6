//! Inner errors to status and OpenAI body: the one place that knows both.

use axum::extract::Request;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use rusqlite::ErrorCode as SqliteCode;

use crate::access::{Refusal, Scope};
use crate::app::KeyError;
use crate::collection::CollectionError;
use crate::embed::EmbedError;
use crate::openai::{ChatRequestError, ErrorBody, RequestError};
use crate::selection::SelectionError;
use crate::store::StoreError;
use crate::upstream::{UpstreamError, io_kind, root_cause};

/// What a client is told. The cause of a server's error is in the log, not here.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    /// Seconds after which to try again.
    retry_after: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let kind = match status.as_u16() {
            404 => "not_found_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            502..=504 => "upstream_error",
            _ => "server_error",
        };
        Self { status, body: ErrorBody::new(message, kind, code), retry_after: None }
    }

    /// Not upstream's doing, whatever its status usually says.
    fn of_server(status: StatusCode, code: &str, message: &str) -> Self {
        let mut error = Self::new(status, code, message);
        error.body.error.kind = "server_error".to_owned();
        error
    }

    /// The request cannot be understood.
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Names the field at fault.
    pub fn with_param(mut self, param: &str) -> Self {
        self.body.error.param = Some(param.to_owned());
        self
    }

    /// More bytes than are accepted.
    pub fn too_large(what: &str, limit: u64, setting: &str) -> Self {
        let message = format!("{what} is larger than {} MiB, the limit set by {setting}", limit >> 20);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The client went away, sent a broken body or took too long over it.
    pub fn broken_body(error: &(dyn std::error::Error + 'static)) -> Self {
        let message = format!("the body could not be read to its end: {}", root_cause(error));
        match io_kind(error) {
            Some(std::io::ErrorKind::TimedOut) => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
            }
            _ => Self::bad_request("broken_body", message),
        }
    }

    /// A JSON body of ours that cannot be used.
    pub fn not_this_json(error: &JsonRejection, limit: usize) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large("the body", limit as u64, "--max-body-mib"),
            _ if io_kind(error).is_some() => Self::broken_body(error),
            _ => Self::bad_request("invalid_body", error.body_text()),
        }
    }

    /// More requests than are worked on at a time.
    pub fn too_many_requests(most: usize) -> Self {
        let message =
            format!("{most} requests are being answered, which is the limit: try again in a moment");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { retry_after: Some(1), ..error }
    }

    /// Documents for a collection that does not exist for this caller.
    pub fn unknown_collection_for_upload(name: &str) -> Self {
        let message = format!("no collection '{name}': add ?create=true to make it");
        Self::new(StatusCode::NOT_FOUND, "collection_not_found", message)
    }

    /// A body that is no form.
    pub fn not_a_form(example: &str) -> Self {
        let message = format!("send the file as multipart/form-data, as in: {example}");
        Self::bad_request("invalid_body", message)
    }

    /// Files and collections are not in a collection.
    pub fn not_below_a_collection() -> Self {
        let message =
            "files, vector stores and traces are under /v1: leave /c/{collection} out of the address";
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    /// A batch that is over cannot be cancelled.
    pub fn not_cancellable(status: &str) -> Self {
        let message = format!("the batch is {status}: only one in progress can be cancelled");
        Self::bad_request("invalid_value", message)
    }

    /// Only who made a file removes it.
    pub fn not_the_owner(file: &str) -> Self {
        let message = format!(
            "file '{file}' belongs to another key: remove it from your collection with DELETE /v1/vector_stores/{{collection}}/files/{file}"
        );
        Self::new(StatusCode::FORBIDDEN, "not_the_owner", message)
    }

    /// Retrieval broke for a collection that the client chose.
    pub fn rag_unavailable() -> Self {
        let message = "the collection could not be searched just now: try again, or send X-RAG: off to ask without it; the server's log has the cause";
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "rag_unavailable", message)
        }
    }

    /// Nothing relevant, and the collection wants no answer then.
    pub fn nothing_relevant() -> Self {
        let message = "no passage of the collection has to do with the question";
        Self::new(StatusCode::NOT_FOUND, "no_relevant_passages", message)
    }

    /// No such trace for this caller.
    pub fn unknown_trace(id: &str) -> Self {
        let message = format!("no trace '{id}': traces are kept for an hour at most");
        Self::new(StatusCode::NOT_FOUND, "trace_not_found", message)
    }

    /// A web page or another name for this machine.
    pub fn foreign_host(host: &str) -> Self {
        let message = format!(
            "requests for host {host:?} are refused while there are no keys: use 127.0.0.1 or localhost, or start the server with --allow-remote-without-keys"
        );
        Self::new(StatusCode::FORBIDDEN, "foreign_host", message)
    }

    /// A web page of another origin.
    pub fn foreign_origin(origin: &str) -> Self {
        let message = format!("requests from pages of {origin:?} are refused");
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", message)
    }

    /// Nobody gets in without a key.
    pub fn no_key() -> Self {
        let message = "this server needs an API key: send it as Authorization: Bearer sk-lastro-...; whoever runs the server makes one with `lastro keys create`";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// A key that is not in force, whyever.
    pub fn wrong_key() -> Self {
        let message = "the API key is not in force: ask whoever runs the server for another";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// The key is for something else.
    pub fn insufficient_scope(scope: Scope) -> Self {
        let message = match scope {
            Scope::Admin => {
                "this needs a key with the scope 'admin': on the server's machine, `lastro keys` does it"
                    .to_owned()
            }
            _ => format!("this needs a key with the scope '{scope}'"),
        };
        Self::new(StatusCode::FORBIDDEN, "insufficient_scope", message)
    }

    /// The key asks for more than it may.
    pub fn over_limit(refusal: &Refusal) -> Self {
        let seconds = refusal.retry_after().as_secs_f64().ceil().max(1.0) as u32;
        let message = format!("{refusal}: try again in {seconds} s");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        Self { retry_after: Some(seconds), ..error }
    }

    /// Something that is not the client's doing.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        let message = "something went wrong in the server; its log has the cause";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

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
            CollectionError::Index(_) | CollectionError::Worker(_) => match error.io_kind() {
                Some(kind) if is_full(kind) => full_disk(&message),
                Some(_) => storage_unavailable(&message),
                None => Self::internal(&message),
            },
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
            StoreError::Synced => Self::new(StatusCode::CONFLICT, "synced_collection", message),
            StoreError::KeyNameTaken(_) => Self::new(StatusCode::CONFLICT, "name_taken", message),
            StoreError::Deadline => Self::rag_unavailable(),
            StoreError::Io { ref source, .. } if is_full(source.kind()) => full_disk(&message),
            StoreError::Io { .. } | StoreError::Replaced { .. } => storage_unavailable(&message),
            StoreError::Database(rusqlite::Error::SqliteFailure(ref code, _)) => match code.code {
                SqliteCode::DiskFull => full_disk(&message),
                SqliteCode::ReadOnly | SqliteCode::SystemIoFailure | SqliteCode::CannotOpen => {
                    storage_unavailable(&message)
                }
                _ => Self::internal(&message),
            },
            _ => Self::internal(&message),
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

/// No room, of the disk's, of a quota's or of what a process may write.
fn is_full(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

/// The data folder is gone, or cannot be written. What needs no storage goes on.
fn storage_unavailable(error: &str) -> ApiError {
    tracing::error!(error, "the data folder cannot be used");
    let message = "the server's data folder cannot be used just now: nothing was stored; GET /ready says why, and what needs no documents goes on";
    ApiError {
        retry_after: Some(30),
        ..ApiError::of_server(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
    }
}

fn full_disk(error: &str) -> ApiError {
    tracing::error!(error, "no space left");
    let message =
        "the server's disk is full: nothing was stored; free space in its data folder and try again";
    ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", message)
}

impl From<SelectionError> for ApiError {
    fn from(error: SelectionError) -> Self {
        let message = error.to_string();
        match error {
            SelectionError::Collection(error) => error.into(),
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
                    "'{param}' has {least}{tokens} tokens, but the model reads at most {window}: split it"
                );
                Self::bad_request("context_length_exceeded", message).with_param(&param)
            }
            EmbedError::Failed(cause) => Self::internal(&cause),
        }
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        use UpstreamError as E;
        match &error {
            E::Path(_) => return Self::new(StatusCode::NOT_FOUND, "unknown_url", error.to_string()),
            E::Body(cause) => return Self::broken_body(cause),
            _ => tracing::warn!(%error, "upstream failed"),
        }
        let start = "start the LLM server (for example `vllm serve`), or point --upstream at it";
        let (status, code, todo) = match error {
            E::Unreachable { .. } | E::Address { .. } => {
                (StatusCode::BAD_GATEWAY, "upstream_unreachable", start)
            }
            E::ConnectTimeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "upstream_connect_timeout", start),
            E::HeaderTimeout { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_header_timeout",
                "ask for a shorter answer, stream it, or raise --upstream-header-timeout",
            ),
            E::IdleTimeout { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_idle_timeout",
                "look at the LLM server's log, or raise --upstream-idle-timeout",
            ),
            E::Broken { .. } | E::Switched { .. } | E::Path(_) | E::Body(_) => (
                StatusCode::BAD_GATEWAY,
                "upstream_broken",
                "it may have begun to answer, so nothing was sent twice: look at its log and try again",
            ),
            E::NotModels { .. } => (StatusCode::BAD_GATEWAY, "upstream_not_openai", start),
        };
        Self::new(status, code, format!("{error}; {todo}"))
    }
}

/// No such route.
pub async fn unknown_route(request: Request) -> ApiError {
    let message = format!(
        "no route {} {}: chats are at /v1/chat/completions, collections at /v1/vector_stores",
        request.method(),
        request.uri().path()
    );
    ApiError::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

/// No such method on a route.
pub async fn unknown_method(request: Request) -> ApiError {
    let message = format!("{} is not a method of {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
