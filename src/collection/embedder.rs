//! What search needs of an embedding model.

use std::sync::Arc;

use async_trait::async_trait;

/// A loaded model, as far as search is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingModel {
    /// Names weights, tokenizer and pooling: vectors of other fingerprints do not compare.
    pub fingerprint: String,
    /// Length of a vector.
    pub dimensions: usize,
    /// Cosine under which a passage has nothing to do with the question.
    pub floor: f32,
    /// ISO 639-1 codes of the languages it speaks; none for a multilingual model.
    pub languages: Option<Vec<String>>,
}

impl EmbeddingModel {
    /// Whether texts of this language may be compared by meaning. An unknown language is taken for one that it speaks.
    pub fn speaks(&self, language: Option<&str>) -> bool {
        match (&self.languages, language) {
            (Some(languages), Some(language)) => languages.iter().any(|l| l == language),
            _ => true,
        }
    }
}

/// Why a question has no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// No model is configured, or it is not loaded yet: words alone answer.
    #[error("no embedding model is loaded")]
    NotReady,
    /// The model broke.
    #[error("embedding failed: {0}")]
    Failed(String),
}

/// Questions to vectors. Implementations give up their place in the queue when the future is dropped.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The model, once it is loaded.
    fn model(&self) -> Option<Arc<EmbeddingModel>>;
    /// The vector of a question, of length 1.
    async fn embed_question(&self, text: &str) -> Result<Vec<f32>, EmbedderError>;
}
