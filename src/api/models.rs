//! `GET /v1/models` and one of them: upstream's, each with each collection, and the embedding model that we answer for.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::embeddings::may_relay;
use super::params::{Caller, Chat, Path};
use super::{ApiError, relay as relay_to};
use crate::access::Access;
use crate::app::App;
use crate::collection::Collection;
use crate::embed::State;
use crate::upstream::full;
use crate::{openai, relay, system};

pub async fn list(
    Shared(app): Shared<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let with_clients_key = headers.contains_key(AUTHORIZATION);
    let mut response = upstreams(&app, headers).await?;
    let collections = labels(&app, &access);
    let own = own_model(&app);
    if !response.status().is_success() {
        return Ok(response);
    }
    let body = whole(&app, &mut response).await?;
    app.upstream.learn_models(&body, with_clients_key);
    if collections.is_empty() && own.is_none() {
        *response.body_mut() = Body::from(body);
        return Ok(response);
    }
    let mut list = openai::with_collections(&body, &collections).map_or(body, Bytes::from);
    if let Some((name, since)) = own {
        list = openai::with_own_model(&list, name, since).map_or(list, Bytes::from);
    }
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(list);
    Ok(response)
}

/// What this caller calls its collections: each by its name where that means it, and by its id otherwise.
fn labels(app: &App, access: &Access) -> Vec<String> {
    let seen = app.catalog.list(access);
    let mut times: HashMap<String, usize> = HashMap::new();
    for collection in &seen {
        *times.entry(collection.label()).or_default() += 1;
    }
    let label = |collection: &Arc<Collection>| {
        let label = collection.label();
        let is_clear = times.get(&label) == Some(&1)
            || app.catalog.find(access, &label).is_ok_and(|found| found.id == collection.id);
        if is_clear { label } else { collection.id.0.clone() }
    };
    seen.iter().map(label).collect()
}

/// One model: the embedding model, and a model of the LLM server's with a collection behind it, as the list shows them;
/// every other is the LLM server's to tell of.
pub async fn one(
    Shared(app): Shared<Arc<App>>,
    caller: Caller<Chat>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    if let Some((name, since)) = own_model(&app).filter(|(name, _)| *name == id) {
        return Ok(json(openai::own_model(name, since)));
    }
    let Some((model, collection)) = id.rsplit_once('@') else {
        return relay_to::everything_else(Shared(app), may_relay(caller)?, request).await;
    };
    let mut response = upstreams(&app, request.headers().clone()).await?;
    if !response.status().is_success() {
        return Ok(response);
    }
    let list = whole(&app, &mut response).await?;
    if let Some(model) = openai::find_model(&list, &id) {
        return Ok(json(model.to_owned()));
    }
    let Some(model) = openai::find_model(&list, model) else {
        return relay_to::everything_else(Shared(app), may_relay(caller)?, request).await;
    };
    // Unknown and forbidden are the same.
    app.catalog.find(&caller.0, collection).map_err(|_| ApiError::unknown_model(&id))?;
    openai::model_as(model, &id).map(json).ok_or_else(|| ApiError::unknown_model(&id))
}

/// The LLM server's list, to be read here.
async fn upstreams(app: &App, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut headers = relay::request_headers(headers);
    headers.remove(ACCEPT_ENCODING);
    let answer = app.upstream.send(Method::GET, "/models", headers, full(Bytes::new())).await?;
    Ok(relay::response(answer, &[]))
}

async fn whole(app: &App, response: &mut Response) -> Result<Bytes, ApiError> {
    Ok(app.upstream.read_whole(std::mem::take(response.body_mut())).await?)
}

fn json(json: String) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}

/// The embedding model's name, and since when it is here in Unix seconds. One that could not be loaded is not listed.
fn own_model(app: &App) -> Option<(&str, i64)> {
    let embeddings = app.embeddings.as_ref()?;
    if matches!(embeddings.state(), State::Failed(_)) {
        return None;
    }
    let since = system::seconds(app.opened());
    Some((embeddings.name(), since))
}
