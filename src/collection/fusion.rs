//! Two rankings into one: a weighted sum of what both legs say of each chunk, on scales that mean the same for every
//! question and collection.
//!
//! Not reciprocal rank fusion, and not scores divided by the best one: where one leg has nothing good (a question in
//! another language than the documents, a model that does not know it), its best is still its best, and drags the other
//! leg down. On absolute scales a weak best is weak.

use super::background::Background;
use super::legs::Candidate;

/// Weight of meaning where the model speaks the collection's language.
const DENSE_WEIGHT: f32 = 0.58;
/// And where it does not.
const DENSE_WEIGHT_FOREIGN: f32 = 0.2;
/// Deviations above the background at which a cosine says all that it can.
const MOST_ABOVE: f32 = 6.0;

/// The default weight of meaning against words.
pub(super) fn default_dense_weight(speaks: bool) -> f32 {
    if speaks { DENSE_WEIGHT } else { DENSE_WEIGHT_FOREIGN }
}

/// What both legs say of one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fused {
    /// 0 to 1.
    pub score: f32,
    /// BM25.
    pub lexical: Option<f32>,
    /// The share of the question's words that the chunk has, each weighed by its rarity: 0 to 1.
    pub coverage: Option<f32>,
    /// Cosine.
    pub dense: Option<f32>,
    /// By how many deviations the cosine lies above those of any chunk of the collection.
    pub above: Option<f32>,
    /// How much more alike it is to the question than to questions about anything.
    pub lift: Option<f32>,
}

/// Fuses what the legs say of a chunk.
pub(super) fn fuse(candidate: &Candidate, background: Option<Background>, dense_weight: f32) -> Fused {
    let words = candidate.words.map_or(0.0, |words| 0.5 * (words.coverage + words.share.min(1.0)));
    let above = candidate.cosine.zip(background).map(|(cosine, background)| background.above(cosine));
    let meaning = match (above, candidate.cosine) {
        (Some(above), _) => (above / MOST_ABOVE).clamp(0.0, 1.0),
        (None, Some(cosine)) => cosine.clamp(0.0, 1.0),
        (None, None) => words,
    };
    Fused {
        score: (1.0 - dense_weight) * words + dense_weight * meaning,
        lexical: candidate.words.map(|words| words.score),
        coverage: candidate.words.map(|words| words.coverage),
        dense: candidate.cosine,
        above,
        lift: candidate.lift(),
    }
}
