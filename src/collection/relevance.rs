//! Whether a hit is about the question at all.

use super::fusion::Fused;
use crate::embed::ModelInfo;

/// A chunk with the question's words may be this much less alike in meaning than the floor.
const WORDS_MARGIN: f32 = 0.05;

/// What is known beside the hit, where vectors were asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub model: &'a ModelInfo,
    /// The collection's own floor.
    pub floor: Option<f32>,
    /// The collection's language.
    pub language: Option<&'a str>,
}

/// Whether a hit may be shown.
pub(super) fn is_relevant(asked: &Asked<'_>, hit: &Fused) -> bool {
    let floor = asked.floor.unwrap_or(asked.model.floor);
    match (hit.lexical, hit.dense) {
        (Some(_), Some(dense)) => !asked.model.speaks(asked.language) || dense >= floor - WORDS_MARGIN,
        (Some(_), None) => true,
        (None, Some(dense)) => dense >= floor,
        (None, None) => false,
    }
}
