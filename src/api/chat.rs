//! `POST /v1/chat/completions`: parse, select, ground, send, cite. The Responses API goes the same way.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};

use super::ApiError;
use super::asking::Asking;
use super::caller::Caller;
use super::in_path::InPath;
use super::params::public_address;
use super::watch::Watched;
use crate::access::Access;
use crate::app::App;
use crate::citation::{Citation, SearchCall};
use crate::collection::CollectionError;
use crate::openai::{ChatRequest, ModelApi, SEARCH_ID_BYTES, search_id};
use crate::rag::{Grounded, RagStatus, status_header};
use crate::relay;
use crate::selection::Selection;
use crate::system::random_hex;
use crate::telemetry::Record;

pub async fn completions(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Watched(record): Watched,
    InPath(path): InPath,
    request: Request,
) -> Result<Response, ApiError> {
    complete(&app, &access, &record, path, request, ModelApi::Chat).await
}

/// Answers a request: grounded where a collection is chosen, and relayed otherwise.
pub(super) async fn complete(
    app: &App,
    access: &Access,
    record: &Record,
    path: Option<String>,
    request: Request,
    api: ModelApi,
) -> Result<Response, ApiError> {
    let address = public_address(app, request.headers(), request.uri());
    let mut asking = Asking::read(app, access, record, path, request, api).await?;
    let (selected, request) = match std::mem::replace(&mut asking.selection, Selection::Nothing) {
        Selection::Collections(selected, request) => (selected, request),
        Selection::Nothing => return asking.relay(&[]).await,
        Selection::MissingDefault { off } => {
            let status = if off { RagStatus::Off } else { RagStatus::Error };
            return asking.relay(&status_header(status)).await;
        }
    };
    let grounded = match asking.ground(&selected, request.as_deref()).await {
        Ok(grounded) => grounded,
        Err(error) => return Ok(answer(error, &status_header(RagStatus::Error))),
    };
    let question = request.as_ref().map_or("", |request| request.question());
    let trace = Arc::new(grounded.trace(new_id("trace")?, question, access.owner()));
    app.traces.keep(trace.clone());
    let own = record.age();
    let headers = |upstream| grounded.headers(Some(&trace.id), own, upstream);
    if grounded.refuse {
        return Ok(answer(ApiError::nothing_relevant(), &headers(None)));
    }
    let citation = Citation::new(asking.citations, &address, &trace.id, &grounded.passages);
    let search = request.as_ref().map(|request| search_call(request, &grounded)).transpose()?.flatten();
    let is_read = search.is_some() || citation.reads_the_answer();
    match asking.send(grounded.body.clone(), is_read).await {
        Ok((response, took)) => {
            let response = relay::response(response, &headers(Some(took)));
            Ok(match search {
                Some(search) => search.answer(response),
                None if api == ModelApi::Responses => response,
                None => citation.cite(response),
            })
        }
        Err(error) => Ok(answer(error, &headers(None))),
    }
}

/// The search as the Responses API shows it, if one was made for a request of it.
fn search_call(request: &ChatRequest, grounded: &Grounded) -> Result<Option<SearchCall>, ApiError> {
    let unsearched = matches!(grounded.status, RagStatus::Off | RagStatus::Skipped | RagStatus::Error);
    let searched = request.can_be_grounded() && !unsearched;
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

fn new_id(kind: &str) -> Result<String, ApiError> {
    Ok(format!("{kind}_{}", random(12)?))
}

fn random(bytes: usize) -> Result<String, ApiError> {
    Ok(random_hex(bytes).map_err(|e| CollectionError::Worker(format!("no random bytes: {e}")))?)
}
