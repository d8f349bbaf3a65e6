//! `POST /v1/chat/completions`, and the same without asking the model: `POST /v1/rag/preview`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde_json::value::RawValue;

use super::ApiError;
use super::bodies::{Held, read_whole};
use super::caller::Caller;
use super::in_path::InPath;
use super::params::{RagHeaders, public_address};
use super::watch::{self, Watched};
use crate::access::Access;
use crate::app::App;
use crate::citation::{Citation, Mode, SearchCall};
use crate::collection::CollectionError;
use crate::openai::{
    ChatRequest, ChatRequestError, SEARCH_ID_BYTES, SearchCalls, search_id, without_search_calls,
};
use crate::rag::{self, Grounded, RagStatus};
use crate::relay;
use crate::selection::{Asked, Selection, SelectionError, select};
use crate::system::random_hex;
use crate::telemetry::{Model, Record};
use crate::trace::TracedPassage;
use crate::upstream::full;

pub async fn completions(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Watched(record): Watched,
    InPath(path): InPath,
    request: Request,
) -> Result<Response, ApiError> {
    complete(&app, &access, &record, path, request, Api::Chat).await
}

pub async fn preview(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Watched(record): Watched,
    InPath(path): InPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Preview>, ApiError> {
    show(&app, &access, &record, path, &headers, body).await
}

/// Which of OpenAI's two ways to ask a model a request takes.
#[derive(Clone, Copy)]
pub(super) enum Api {
    Chat,
    Responses,
}

impl Api {
    /// After `/v1`.
    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
        }
    }

    /// The body without what answers of ours put into a conversation; `None` where there is nothing of it.
    fn without_search_calls(self, bytes: &[u8], which: SearchCalls) -> Option<Bytes> {
        match self {
            Self::Chat => None,
            Self::Responses => without_search_calls(bytes, which).map(Bytes::from),
        }
    }

    fn parse(self, bytes: Bytes) -> Result<ChatRequest, ChatRequestError> {
        match self {
            Self::Chat => ChatRequest::parse(bytes),
            Self::Responses => ChatRequest::parse_response(bytes),
        }
    }
}

/// A chat as it would go to the model.
#[derive(Serialize)]
pub struct Preview {
    object: &'static str,
    status: &'static str,
    collections: Vec<String>,
    /// What was searched for; null where all that was chosen went in whole.
    query: Option<String>,
    request: Box<RawValue>,
    passages: Vec<TracedPassage>,
    timings: serde_json::Value,
}

/// A chat request and what it is about.
struct ReadChat {
    bytes: Bytes,
    /// The body's room in memory.
    _held: Held,
    /// What is written in place of a model name of ours.
    model: Option<String>,
    passages: Option<usize>,
    off: bool,
    citations: Mode,
    /// Nothing was chosen, and the server's default does not exist.
    default_is_missing: bool,
    grounding: Option<(ChatRequest, Selection)>,
}

/// Answers a request: grounded where a collection is chosen, and relayed otherwise.
pub(super) async fn complete(
    app: &Arc<App>,
    access: &Access,
    record: &Record,
    path: Option<String>,
    request: Request,
    api: Api,
) -> Result<Response, ApiError> {
    let (Parts { headers, uri, .. }, body) = request.into_parts();
    let chat = read(app, access, path, &headers, body, api).await?;
    let address = public_address(app, &headers, &uri);
    let mut forwarded = relay::request_headers(headers);
    record.asks(&Model { body: &chat.bytes, name: chat.model.as_deref(), upstream: app.upstream.base() });
    record.propagate(&mut forwarded);
    let Some((request, selection)) = &chat.grounding else {
        let started = Instant::now();
        let response = app.upstream.send(Method::POST, api.path(), forwarded, full(chat.bytes)).await?;
        record.upstream_answered(started.elapsed());
        let added = if chat.default_is_missing { rag::status_header(RagStatus::Error) } else { Vec::new() };
        return Ok(relay::response(response, &added));
    };
    let client = forwarded.get(AUTHORIZATION);
    let grounded = match ground(app, record, &chat, client, request, selection).await {
        Ok(grounded) => grounded,
        Err(error) => return Ok(answer(error, &rag::status_header(RagStatus::Error))),
    };
    let trace = Arc::new(grounded.trace(new_id("trace")?, request.question(), access.owner()));
    app.traces.keep(trace.clone());
    let own = record.age();
    let headers = |upstream| grounded.headers(Some(&trace.id), own, upstream);
    if grounded.refuse {
        return Ok(answer(ApiError::nothing_relevant(), &headers(None)));
    }
    let citation = Citation::new(chat.citations, &address, &trace.id, &grounded.passages);
    let search = search_call(request, &grounded)?;
    if search.is_some() || citation.reads_the_answer() {
        forwarded.remove(ACCEPT_ENCODING);
    }
    let started = Instant::now();
    let body = full(grounded.body.clone());
    match app.upstream.send(Method::POST, api.path(), forwarded, body).await {
        Ok(response) => {
            let took = started.elapsed();
            record.upstream_answered(took);
            let response = relay::response(response, &headers(Some(took)));
            Ok(match search {
                Some(search) => search.answer(response),
                None if request.response().is_some() => response,
                None => citation.cite(response),
            })
        }
        Err(error) => Ok(answer(error.into(), &headers(None))),
    }
}

/// The search as the Responses API shows it, if one was made for a request of it.
fn search_call(request: &ChatRequest, grounded: &Grounded) -> Result<Option<SearchCall>, ApiError> {
    let searched = request.can_be_grounded() && !matches!(grounded.status, RagStatus::Off | RagStatus::Error);
    let Some(parts) = request.response().filter(|_| searched) else { return Ok(None) };
    let (passages, tools) = (&grounded.passages, parts.tools.clone());
    let id = search_id(&random(SEARCH_ID_BYTES)?);
    // What goes in whole was not searched for.
    let query = grounded.query.as_deref().unwrap_or(request.question());
    Ok(Some(SearchCall::new(id, query, passages, parts.wants_results, tools)))
}

/// An error of ours with the headers of a chat that a collection was chosen for.
fn answer(error: ApiError, headers: &[(HeaderName, HeaderValue)]) -> Response {
    let mut response = error.into_response();
    response.headers_mut().extend(headers.iter().cloned());
    response
}

async fn show(
    app: &Arc<App>,
    access: &Access,
    record: &Record,
    path: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<Preview>, ApiError> {
    let chat = read(app, access, path, headers, body, Api::Chat).await?;
    let Some((request, selection)) = &chat.grounding else {
        let message =
            "name a collection: by path, X-RAG-Collection, a file_search tool or {model}@{collection}";
        return Err(ApiError::bad_request("no_collection", message));
    };
    let client = headers.get(AUTHORIZATION);
    let grounded = ground(app, record, &chat, client, request, selection).await?;
    let request = std::str::from_utf8(&grounded.body)
        .ok()
        .and_then(|text| RawValue::from_string(text.to_owned()).ok())
        .ok_or_else(|| ApiError::bad_request("invalid_json", "the body is not JSON"))?;
    Ok(Json(Preview {
        object: "rag.preview",
        status: grounded.status.name(),
        passages: rag::traced(&grounded.passages),
        timings: grounded.spent.to_json(),
        collections: grounded.collections,
        query: grounded.query,
        request,
    }))
}

async fn ground(
    app: &App,
    record: &Record,
    chat: &ReadChat,
    client: Option<&HeaderValue>,
    request: &ChatRequest,
    selection: &Selection,
) -> Result<Grounded, ApiError> {
    let (model, began) = (chat.model.as_deref(), Instant::now());
    let grounded = if chat.off {
        rag::ungrounded(request, selection, model, RagStatus::Off)
    } else {
        let (catalog, window, settings) = (&app.catalog, &app.window(client), app.config.rag);
        let k = chat.passages;
        match rag::ground(catalog, window, settings, request, selection, model, k).await {
            Ok(grounded) => grounded,
            Err(error) => {
                tracing::error!(%error, "retrieval failed");
                if selection.explicit {
                    watch::failed(record, selection, began);
                    return Err(ApiError::rag_unavailable());
                }
                rag::ungrounded(request, selection, model, RagStatus::Error)
            }
        }
    };
    watch::grounded(app, record, &grounded, began);
    Ok(grounded)
}

/// Reads the body, and finds out which collections it is about. A body that cannot be understood is an error
/// only when a collection was chosen; otherwise it is upstream's to judge.
async fn read(
    app: &Arc<App>,
    access: &Access,
    path: Option<String>,
    headers: &HeaderMap,
    body: Body,
    api: Api,
) -> Result<ReadChat, ApiError> {
    let RagHeaders { mut asked, off, passages, citations } = RagHeaders::read(headers)?;
    asked.path = path;
    // Defaults are for chats: answers of the Responses API are changed only where that was asked for.
    if matches!(api, Api::Chat) {
        asked.of_key = access.default_collection();
        asked.default = app.default_collection(access);
    }
    let (mut bytes, held) = read_whole(app, body).await?;
    if let Some(left) = api.without_search_calls(&bytes, SearchCalls::Ours) {
        bytes = left;
    }
    let mut parsed = None;
    let mut model = None;
    // Most relayed chats name no collection: they need not be understood.
    if may_name_a_collection(&bytes) {
        match parsed.insert(api.parse(bytes.clone())) {
            Ok(request) => {
                asked.file_search = request.file_search().cloned();
                if let Some(asked_model) = request.model()
                    && let Some((upstream_model, collection)) = asked_model.rsplit_once('@')
                    && !upstream_has(app, asked_model, headers.get(AUTHORIZATION)).await
                {
                    model = Some(upstream_model.to_owned());
                    asked.model = Some(collection.to_owned());
                }
            }
            Err(error) if ChatRequest::asks_for_file_search(&bytes) => return Err(error.clone().into()),
            Err(_) => {}
        }
    }
    let mut default_is_missing = false;
    let selection = match select(&app.catalog, access, &asked, Instant::now() + app.config.rag.deadline).await
    {
        // The default is gone: its users get answers without it, and are told.
        Err(error) if is_missing_default(&error, &asked) => {
            tracing::error!(%error, "the default collection cannot be used");
            default_is_missing = true;
            None
        }
        selection => selection?,
    };
    let grounding = match selection {
        None => None,
        Some(selection) => {
            // Whoever grounds here gets no other search from the LLM server behind.
            if let Some(left) = api.without_search_calls(&bytes, SearchCalls::All) {
                (bytes, parsed) = (left, None);
            }
            let request = parsed.unwrap_or_else(|| api.parse(bytes.clone()))?;
            Some((request, selection))
        }
    };
    Ok(ReadChat { bytes, _held: held, model, passages, off, citations, default_is_missing, grounding })
}

/// Whether there is an `@` or `file_search` anywhere, or an escape of JSON's that may be a part of them.
fn may_name_a_collection(body: &[u8]) -> bool {
    const TOOL: &[u8] = b"file_search";
    let escapes_one = |at: usize| {
        let hex = body.get(at + 4..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
        let letter = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        letter.is_some_and(|letter| letter == b'@' || TOOL.contains(&letter))
    };
    memchr::memchr(b'@', body).is_some()
        || memchr::memmem::find(body, TOOL).is_some()
        || memchr::memmem::find_iter(body, b"\\u00").any(escapes_one)
}

fn is_missing_default(error: &SelectionError, asked: &Asked) -> bool {
    let explicit = asked.path.is_some()
        || asked.header.is_some()
        || asked.file_search.is_some()
        || asked.model.is_some();
    use CollectionError::{Ambiguous, Expired, Unknown};
    !explicit && matches!(error, SelectionError::Collection(Unknown(_) | Expired(_) | Ambiguous { .. }))
}

async fn upstream_has(app: &App, model: &str, client: Option<&HeaderValue>) -> bool {
    match app.upstream.models(client, app.config.rag.window_known_by()).await {
        Ok(models) => models.iter().any(|(id, _)| id == model),
        // Whether it is down shows when the request is sent.
        Err(_) => false,
    }
}

fn new_id(kind: &str) -> Result<String, ApiError> {
    Ok(format!("{kind}_{}", random(12)?))
}

fn random(bytes: usize) -> Result<String, ApiError> {
    Ok(random_hex(bytes).map_err(|e| CollectionError::Worker(format!("no random bytes: {e}")))?)
}
