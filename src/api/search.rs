//! `POST /v1/vector_stores/{collection}/search`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::ApiError;
use super::caller::Within;
use super::params::{JsonBody, Path};
use super::watch::{self, Watched};
use crate::app::App;
use crate::collection::{Hit, Query, Scope, search as find};
use crate::openai::{
    Attributes, Place, QueryString, SearchItem, SearchPage, SearchRequest,
    VectorStoreSearchResultContentObject,
};
use crate::rag::RagStatus;
use crate::selection::matching;
use crate::store::StoreError;

pub async fn search(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Watched(record): Watched,
    Path(collection): Path<String>,
    RawQuery(query): RawQuery,
    JsonBody(request): JsonBody<SearchRequest>,
) -> Result<Response, ApiError> {
    let with_place = QueryString::parse(query.as_deref())?.word("include", &["place"])?.is_some();
    let collection = app.catalog.find_to_use(&access, &collection)?;
    let began = Instant::now();
    let deadline = began + app.config.rag.deadline;
    let mut scope = Scope { collection, documents: None };
    if let Some(filter) = &request.filter {
        scope = matching(&app.catalog, &scope, filter, deadline).await?;
    }
    let texts: Vec<&str> = request.queries.iter().map(String::as_str).collect();
    let query = Query {
        texts: &texts,
        limit: request.max_num_results,
        deadline,
        floor: crate::collection::Floor::None,
        threshold: request.ranking.score_threshold,
        dense_weight: request.ranking.dense_weight(),
        rerank: request.ranking.wants_reranker(),
    };
    let label = scope.collection.label();
    let found = find(&app.catalog, &[scope], query).await?;
    watch::searched(&app, &record, label, &request.queries, &found, began);
    let status = RagStatus::of(found.by).name();
    let items = found.hits.into_iter().map(|hit| item(hit, with_place));
    let page = SearchPage {
        object: "vector_store.search_results.page".to_owned(),
        data: items.collect::<Result<_, _>>()?,
        search_query: request.queries,
        has_more: false,
        next_page: None,
    };
    Ok(([("x-rag-status", status)], Json(page)).into_response())
}

fn item(hit: Hit, with_place: bool) -> Result<SearchItem, StoreError> {
    let (chunk, score) = (hit.chunk, hit.score.clamp(0.0, 1.0));
    let content = VectorStoreSearchResultContentObject { r#type: "text".to_owned(), text: chunk.chunk.text };
    Ok(SearchItem {
        file_id: chunk.document_id.0,
        filename: chunk.filename,
        score,
        attributes: Attributes::from_json(&chunk.attributes)
            .map_err(|e| StoreError::Damaged(e.to_string()))?,
        content: vec![content],
        place: with_place.then_some(Place { page: chunk.chunk.page, headings: chunk.chunk.headings }),
    })
}
