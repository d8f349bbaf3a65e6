//! The server that reranks, as searches need it.

use std::time::Instant;

use async_trait::async_trait;

use crate::collection::Reranker;
use crate::upstream::Reranking;

#[async_trait]
impl Reranker for Reranking {
    async fn relevance(&self, question: &str, texts: Vec<String>, deadline: Instant) -> Option<Vec<f32>> {
        Self::relevance(self, question, &texts, deadline).await
    }

    fn depth(&self) -> usize {
        Self::depth(self)
    }
}
