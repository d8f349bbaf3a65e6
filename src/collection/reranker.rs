//! What is needed of a model that reads question and passage together.

use std::time::Instant;

use async_trait::async_trait;

/// What says how relevant texts are.
#[async_trait]
pub trait Reranker: Send + Sync {
    /// How relevant each text is to the question, from 0 to 1, in the order of the texts. `None` where that is not known
    /// by then, or not at all: the implementation says why in the log.
    async fn relevance(&self, question: &str, texts: Vec<String>, deadline: Instant) -> Option<Vec<f32>>;
    /// How many texts it is given for one question.
    fn depth(&self) -> usize;
}
