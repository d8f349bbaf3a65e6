//! A model that a test or a benchmark plays.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use super::batch::Reply;
use super::error::EmbedError;
use super::info::ModelInfo;

/// The vector of a text, which may be late, or never come.
pub type Answer = fn(&str) -> BoxFuture<'static, Result<Vec<f32>, EmbedError>>;

/// A model that is ready at once and answers each text by a function.
pub struct Played {
    pub info: Arc<ModelInfo>,
    pub answer: Answer,
}

impl Played {
    pub async fn answer(&self, texts: &[String]) -> Reply {
        join_all(texts.iter().map(|text| (self.answer)(text))).await
    }
}
