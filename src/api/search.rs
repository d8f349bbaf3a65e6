//! `POST /v1/vector_stores/{collection}/search`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::ApiError;
use super::params::{Caller, Chat};
use crate::app::App;
use crate::collection::{Hit, Query, Scope, search as find};
use crate::openai::{
    PlacedItem, SearchItem, SearchPage, SearchRequest, VectorStoreFileAttributes,
    VectorStoreSearchResultContentObject,
};

/// OpenAI's default and limit.
const RESULTS: usize = 10;
const MOST_RESULTS: usize = 50;

pub async fn search(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    Path(collection): Path<String>,
    body: Result<Json<SearchRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(request) = body.map_err(|e| ApiError::not_this_json(&e, app.config.server.max_body))?;
    let limit = request.max_num_results.unwrap_or(RESULTS);
    if !(1..=MOST_RESULTS).contains(&limit) {
        let message = format!("max_num_results must be 1 to {MOST_RESULTS}");
        return Err(ApiError::bad_request("invalid_value", message).with_param("max_num_results"));
    }
    if request.query.trim().is_empty() {
        return Err(ApiError::bad_request("invalid_value", "query is empty").with_param("query"));
    }
    let collection = app.catalog.find_to_use(&access, &collection)?;
    let scopes = [Scope { collection, documents: None }];
    let deadline = Instant::now() + app.config.rag.deadline;
    let query = Query { text: &request.query, limit, deadline, floor: false };
    let found = find(&app.catalog, &scopes, query).await?;
    let page = SearchPage {
        object: "vector_store.search_results.page".to_owned(),
        data: found.hits.into_iter().map(item).collect(),
        search_query: vec![request.query],
        has_more: false,
        next_page: None,
    };
    let status = if found.by_meaning { "hit" } else { "lexical" };
    Ok(([("x-rag-status", status)], Json(page)).into_response())
}

fn item(hit: Hit) -> PlacedItem {
    let content =
        VectorStoreSearchResultContentObject { r#type: "text".to_owned(), text: hit.chunk.chunk.text };
    PlacedItem {
        item: SearchItem {
            file_id: hit.chunk.document_id.0,
            filename: hit.chunk.filename,
            score: hit.score.clamp(0.0, 1.0),
            attributes: VectorStoreFileAttributes::default(),
            content: vec![content],
        },
        page: hit.chunk.chunk.page,
        headings: hit.chunk.chunk.headings,
    }
}
