//! `POST /v1/vector_stores/{collection}/search`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::ApiError;
use super::params::{Caller, Chat, JsonBody};
use crate::app::App;
use crate::collection::{Hit, Query, Scope, search as find};
use crate::openai::{
    Attributes, Place, Ranking, SearchItem, SearchPage, SearchRequest, VectorStoreSearchResultContentObject,
};

pub async fn search(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    Path(collection): Path<String>,
    JsonBody(request): JsonBody<SearchRequest>,
) -> Result<Response, ApiError> {
    let [query] = request.queries.as_slice() else {
        let message = "one query at a time is served so far";
        return Err(ApiError::bad_request("invalid_value", message).with_param("query"));
    };
    if request.filter.is_some() || request.ranking != Ranking::default() {
        let message = "filters and ranking options are not served yet";
        return Err(ApiError::bad_request("invalid_value", message));
    }
    let collection = app.catalog.find_to_use(&access, &collection)?;
    let scopes = [Scope { collection, documents: None }];
    let deadline = Instant::now() + app.config.rag.deadline;
    let query = Query { text: query, limit: request.max_num_results, deadline, floor: false };
    let found = find(&app.catalog, &scopes, query).await?;
    let page = SearchPage {
        object: "vector_store.search_results.page".to_owned(),
        data: found.hits.into_iter().map(item).collect(),
        search_query: request.queries,
        has_more: false,
        next_page: None,
    };
    let status = if found.by_meaning { "hit" } else { "lexical" };
    Ok(([("x-rag-status", status)], Json(page)).into_response())
}

fn item(hit: Hit) -> SearchItem {
    let content =
        VectorStoreSearchResultContentObject { r#type: "text".to_owned(), text: hit.chunk.chunk.text };
    SearchItem {
        file_id: hit.chunk.document_id.0,
        filename: hit.chunk.filename,
        score: hit.score.clamp(0.0, 1.0),
        attributes: Attributes::default(),
        content: vec![content],
        place: Some(Place { page: hit.chunk.chunk.page, headings: hit.chunk.chunk.headings }),
    }
}
