//! What a client is told when something went wrong: a status and an OpenAI body.

mod inner;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode};

use crate::access::{Refusal, Scope};
use crate::net::{io_kind, root_cause};
use crate::openai::ErrorBody;

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

    /// The bodies of all requests together are too much.
    pub fn too_many_bytes(most: u64) -> Self {
        let message = format!(
            "the bodies of requests that are being read take {} MiB, the limit set by --max-bodies-mib: try again in a moment",
            most >> 20
        );
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

    /// A collection is made, below others.
    pub fn made_elsewhere() -> Self {
        let message = "below /c/{collection} there are the vector stores of the path alone, and no others are made: make it at /v1/vector_stores";
        Self::bad_request("not_below_a_collection", message)
    }

    /// A collection was chosen for something that does not read it.
    pub fn not_grounded(path: &str) -> Self {
        let message = format!(
            "{path} does not use vector stores: ask through /v1/chat/completions or /v1/responses, or send X-RAG: off to ask without documents"
        );
        Self::bad_request("not_grounded", message)
    }

    /// No such route.
    pub fn unknown_route(method: &Method, path: &str) -> Self {
        let message = format!(
            "no route {method} {path}: chats are at /v1/chat/completions, collections at /v1/vector_stores"
        );
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    /// No such method on a route.
    pub fn unknown_method(method: &Method, path: &str) -> Self {
        let message = format!("{method} is not a method of {path}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
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

    /// No such model for this caller.
    pub fn unknown_model(id: &str) -> Self {
        let message = format!("no model '{id}': GET /v1/models lists them");
        Self::new(StatusCode::NOT_FOUND, "model_not_found", message).with_param("model")
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

    /// What came is no request; `status` says in which way.
    pub fn no_request(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
                "headers_too_large",
                "the head of the request is too large: at most 100 headers and 400 KiB are read",
            ),
            StatusCode::URI_TOO_LONG => {
                ("url_too_long", "the address is too long: send what does not fit in the body")
            }
            _ => (
                "invalid_request",
                "what was sent cannot be read as an HTTP request: look at its first line and its headers",
            ),
        };
        Self::new(status, code, message)
    }

    /// A request that this server has sent itself.
    pub fn loop_detected() -> Self {
        tracing::error!("a request of this server came back to it: --upstream leads here");
        let message = "the request came back to the server that had passed it on: --upstream must name the LLM server, and not lastro or what leads to it";
        Self::of_server(StatusCode::LOOP_DETECTED, "loop_detected", message)
    }

    /// Nobody gets in without a key.
    pub fn no_key() -> Self {
        let message = "this server needs an API key: send it as Authorization: Bearer sk-lastro-... (or in x-api-key or api-key); whoever runs the server makes one with `lastro keys create`";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// Two keys that are not the same, or two `Authorization` headers.
    pub fn two_keys() -> Self {
        let message =
            "the request has more than one API key: send one, in Authorization, x-api-key or api-key";
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

    /// What a person reads of it.
    pub fn message(&self) -> &str {
        &self.body.error.message
    }

    /// The body alone, as JSON.
    pub fn body(&self) -> Vec<u8> {
        // Of texts alone: it can always be written.
        serde_json::to_vec(&self.body).unwrap_or_default()
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
