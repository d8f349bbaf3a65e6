//! `GET /v1/models` and one of them: upstream's, each with each collection, and the embedding model that we answer for.
//! Below `/c/{collection}` a model's plain name means the collection already.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::caller::{Caller, collections};
use super::in_path::InPath;
use super::params::Path;
use super::{ApiError, relay as relay_to};
use crate::access::Scope;
use crate::app::App;
use crate::embed::State;
use crate::upstream::full;
use crate::{openai, relay, system};

pub async fn list(
    Shared(app): Shared<Arc<App>>,
    Caller(access): Caller,
    InPath(path): InPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let with_clients_key = headers.contains_key(AUTHORIZATION);
    let mut response = upstreams(&app, headers).await?;
    // Below a collection a model's plain name means it.
    let collections = if path.is_some() { Vec::new() } else { app.catalog.labels(&access) };
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

/// One model, as the list shows it. What it does not show is the LLM server's to tell of, for who may ask it.
pub async fn one(
    Shared(app): Shared<Arc<App>>,
    caller: Caller,
    InPath(path): InPath,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    if let Some((name, since)) = own_model(&app).filter(|(name, _)| *name == id) {
        return Ok(json(openai::own_model(name, since)));
    }
    let may_relay = caller.0.may(Scope::Relay);
    let mut response = upstreams(&app, request.headers().clone()).await?;
    if response.status().is_success() {
        let list = whole(&app, &mut response).await?;
        if let Some(model) = openai::find_model(&list, &id) {
            return Ok(json(model.to_owned()));
        }
        if let Some((model, named)) = id.rsplit_once('@')
            && let Some(model) = openai::find_model(&list, model)
        {
            // Unknown and forbidden are the same, and so are others than the path's.
            let found = ids(&app, &caller, named);
            if found.is_none() || path.is_some_and(|path| ids(&app, &caller, &path) != found) {
                return Err(ApiError::unknown_model(&id));
            }
            return openai::model_as(model, &id).map(json).ok_or_else(|| ApiError::unknown_model(&id));
        }
    } else if !may_relay {
        return Ok(response);
    }
    if !may_relay {
        return Err(ApiError::unknown_model(&id));
    }
    relay_to::everything_else(Shared(app), request).await
}

/// The ids of collections that are named in a text; `None` where one of them is missing, or none is named.
fn ids(app: &App, caller: &Caller, named: &str) -> Option<BTreeSet<String>> {
    let found = collections(&app.catalog, &caller.0, "model name", named).ok()?;
    Some(found.iter().map(|collection| collection.id.0.clone()).collect())
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
