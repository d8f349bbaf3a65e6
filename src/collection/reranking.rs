//! A search, with its first hits in the order of a reranker.

use std::time::Instant;

use super::one_thread;
use super::reranker::Reranker;
use super::search::{Found, Hit, Query};
use super::{Catalog, CollectionError, Scope, with_headings};

/// Searches the scopes together. Where a reranker is wanted and there, it decides which of the first hits are the best,
/// and how good they are.
pub async fn search(catalog: &Catalog, scopes: &[Scope], query: Query<'_>) -> Result<Found, CollectionError> {
    let Some(reranker) = catalog.reranker().filter(|_| query.rerank && query.limit > 0) else {
        return one_thread::search(catalog, scopes, query).await;
    };
    let wide = Query { limit: query.limit.max(reranker.depth()), threshold: None, ..query };
    let mut found = one_thread::search(catalog, scopes, wide).await?;
    rerank(reranker, &query, &mut found).await;
    if let Some(threshold) = query.threshold {
        found.hits.retain(|hit| hit.score >= threshold);
    }
    found.hits.truncate(query.limit);
    Ok(found)
}

/// Puts the first hits into the reranker's order, and gives them its scores. Those behind stay behind. Where the reranker
/// says nothing, everything stays as it is.
async fn rerank(reranker: &dyn Reranker, query: &Query<'_>, found: &mut Found) {
    let depth = reranker.depth().min(found.hits.len());
    // The order of one is known.
    if depth < 2 {
        found.reranked = true;
        return;
    }
    let (first, others) = found.hits.split_at_mut(depth);
    let text = |hit: &Hit| with_headings(&hit.chunk.chunk.headings, &hit.chunk.chunk.text);
    let (texts, question) = (first.iter().map(text).collect(), query.texts.join("\n"));
    let started = Instant::now();
    let relevance = reranker.relevance(&question, texts, query.deadline).await;
    found.timings.rerank = Some(started.elapsed());
    let Some(relevance) = relevance.filter(|relevance| relevance.len() == depth) else { return };
    for (hit, relevance) in first.iter_mut().zip(relevance) {
        hit.score = relevance;
    }
    // Equally relevant ones keep their order.
    first.sort_by(|a, b| b.score.total_cmp(&a.score));
    let least = first[depth - 1].score;
    for hit in others {
        hit.score = hit.score.min(least);
    }
    found.reranked = true;
}
