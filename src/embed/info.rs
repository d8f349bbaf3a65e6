//! What the rest of the program knows about a model.

use std::sync::Arc;

use super::calibration::Calibration;
use super::profile::Languages;

/// A model that is ready, wherever it is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// The folder's name.
    pub name: String,
    /// Equal fingerprints mean equal vectors for equal texts; vectors of other fingerprints do not compare.
    pub fingerprint: String,
    /// Length of a vector.
    pub dimensions: usize,
    /// The most tokens that the model reads at a time, special ones and the prefix included.
    pub window: usize,
    /// Tokens of a text that count: the window less special tokens and the longer prefix.
    pub max_tokens: usize,
    pub languages: Languages,
    /// Cosine under which a passage is not relevant, where somebody set one.
    pub floor: Option<f32>,
    /// What tells whether a passage is about a question; none where the model could not embed what it takes.
    pub relevance: Option<Relevance>,
    /// For people: `cpu` or `cuda:0`.
    pub device: String,
}

impl ModelInfo {
    /// Whether texts of this language may be compared by meaning. An unknown language is taken for one that it speaks.
    pub fn speaks(&self, language: Option<&str>) -> bool {
        language.is_none_or(|language| self.languages.speaks(language))
    }
}

/// What tells a passage that is about a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Relevance {
    /// None where it was not measured.
    pub calibration: Option<Calibration>,
    /// A passage's product with it is how alike it is to questions about anything.
    pub anything: Arc<[f32]>,
}

/// Where the model stands.
#[derive(Clone)]
pub enum State {
    Loading,
    Ready(Arc<ModelInfo>),
    /// Why it could not be loaded, with what to do.
    Failed(String),
}
