//! Whether a passage, and anything at all, is about a question.
//!
//! Some text is always nearest, and some word is always shared, so that neither says it. What does: how much more alike a
//! passage is to this question than to questions about anything (its *lift*), and which share of the question's words it
//! has, each weighed by its rarity. A model's [`Calibration`] puts the two on one scale; without vectors the words decide.

use super::legs::Candidate;
use crate::embed::{Calibration, ModelInfo};
use crate::words::is_in;

/// By words alone, the least share of a question's words, each weighed by its rarity, that a passage about it has.
///
/// Of 1,278 questions over their own documents (FaQuAD, SQuAD-pt, Cranfield, XQuAD in English and Spanish, the sample
/// collections) 0.4 % have none with so much, and of 2,718 others in the same language 54 %: words tell less than vectors.
/// Of SciFact's first 300 1.3 % have none; because of them it is not .33, at which 2.7 % had none.
const COVERED: f32 = 0.3;
/// By words alone, a passage with this share of the question's words is about it however common they are: what a collection
/// is about is common in it, and a greeting before the question is in none.
///
/// On FaQuAD, SQuAD-pt, Cranfield and XQuAD-en, asked of their own documents and of one another's in the same language (250
/// questions a pair), it loses none and lets through 0 to 5 % more of the others; from 0.55 on it lets none through.
const MOST_WORDS: f32 = 0.5;
/// A question that says more than so many words that no chunk has tells a story beside: it counts as if it said so much.
///
/// Half of those questions say more than 4.2. Without this 5 % of SciFact's are lost, and 60 % of the others told.
const WHOLE_QUESTION: f32 = 4.0;
/// Once a passage is about the question, others may fall short by this share of what words make up.
///
/// Of the right passages among the first eight so many were lost with this margin (without it): SQuAD-pt 0.4 % (2.9),
/// XQuAD-en 0.4 (3.2), XQuAD-es 1.7 (4.0), FaQuAD 0.4 (1.5), while of the wrong ones 13, 64, 51 and 11 % left.
const BESIDE_ANOTHER: f32 = 0.2;
/// In fewer chunks no word is rare: what they lack counts the less.
const FEW_CHUNKS: usize = 20;
/// A chunk with the question's words may be this much less alike in meaning than a floor that was set.
const WORDS_MARGIN: f32 = 0.05;
/// At this floor and under it nothing is left out.
const NO_FLOOR: f32 = -1.0;

/// What a question is asked of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub question: &'a str,
    /// What embedded it, where vectors answered.
    pub model: Option<&'a ModelInfo>,
    /// A cosine that somebody set for the collection.
    pub floor: Option<f32>,
    /// The collection's language.
    pub language: Option<&'a str>,
    /// The share of the question that the collection knows, each word weighed by its rarity.
    pub known: f32,
    /// How much the question says: as much as so many words that no chunk has.
    pub weight: f32,
    /// Chunks of the collection, as far as they were counted.
    pub chunks: usize,
}

/// By what passages are judged.
enum Scale {
    /// Everything is shown.
    None,
    Floor {
        cosine: f32,
        /// Whether the model's vectors are believed where there are words.
        speaks: bool,
    },
    Words,
    Lift(Calibration),
    /// The question is in another language than the passages.
    LiftAlone(Calibration),
}

/// Judges the passages of one collection.
pub(super) struct Judge {
    scale: Scale,
    /// What a share of the question's words is multiplied by.
    counts: f32,
}

impl Judge {
    pub fn of(asked: &Asked<'_>) -> Self {
        let floor = asked.floor.or_else(|| asked.model?.floor);
        let speaks = |model: &ModelInfo| model.speaks(asked.language);
        let scale = match (floor, asked.model) {
            (Some(floor), _) if floor <= NO_FLOOR => Scale::None,
            (Some(cosine), Some(model)) => Scale::Floor { cosine, speaks: speaks(model) },
            (_, Some(model)) if speaks(model) => {
                let calibration = model.relevance.as_ref().and_then(|relevance| relevance.calibration);
                let is_another = |language| !is_in(asked.question, language, asked.known);
                match calibration {
                    None => Scale::None,
                    Some(calibration) if asked.language.is_some_and(is_another) => {
                        Scale::LiftAlone(calibration)
                    }
                    Some(calibration) => Scale::Lift(calibration),
                }
            }
            _ => Scale::Words,
        };
        let in_few = FEW_CHUNKS as f32 / asked.chunks.clamp(1, FEW_CHUNKS) as f32;
        let in_long = (asked.weight / WHOLE_QUESTION).max(1.0);
        Self { scale, counts: in_few * in_long }
    }

    /// How far a passage is above what is about the question, 0 being just enough and 1 what all words are worth.
    pub fn margin(&self, candidate: &Candidate) -> f32 {
        let covered = candidate.words.map(|words| (words.coverage * self.counts).min(1.0));
        let has_most = candidate.words.map_or(f32::NEG_INFINITY, |found| found.words - MOST_WORDS);
        let by_words = covered.map_or(f32::NEG_INFINITY, |covered| (covered - COVERED).max(has_most));
        match self.scale {
            Scale::None => 0.0,
            Scale::Words => by_words,
            Scale::Floor { cosine: floor, speaks } => match (covered, candidate.cosine) {
                (Some(_), Some(cosine)) if speaks => passes(cosine >= floor - WORDS_MARGIN),
                (Some(_), _) => 0.0,
                (None, cosine) => passes(cosine.is_some_and(|cosine| cosine >= floor)),
            },
            Scale::Lift(calibration) | Scale::LiftAlone(calibration) => match candidate.lift() {
                None => by_words,
                Some(lift) => {
                    let worth = calibration.without_words - calibration.with_words;
                    let least = match self.scale {
                        Scale::LiftAlone(_) => calibration.other_language,
                        _ => calibration.without_words - worth * covered.unwrap_or_default(),
                    };
                    (lift - least) / worth
                }
            },
        }
    }
}

fn passes(passes: bool) -> f32 {
    if passes { 0.0 } else { f32::NEG_INFINITY }
}

/// Leaves what is about the question, by each one's margin: nothing, unless one of them is about it without doubt.
pub(super) fn keep_relevant<T>(judged: &mut Vec<T>, margin: impl Fn(&T) -> f32) {
    let least = if judged.iter().any(|one| margin(one) >= 0.0) { -BESIDE_ANOTHER } else { f32::INFINITY };
    judged.retain(|one| margin(one) >= least);
}

#[cfg(test)]
mod tests;
