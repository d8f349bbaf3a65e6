//! How a model's cosines tell whether a passage is about a question.

use serde::{Deserialize, Serialize};

/// Least *lifts* of a passage that is about a question. A lift is how much more alike a passage is to the question than
/// to questions about anything ([`super::generic`]): cosines of a model lie in a band of their own, and a passage that is
/// near to all questions says nothing to one.
///
/// `lastro calibrate` measures them for a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Of a passage that has none of the question's words.
    pub without_words: f32,
    /// Of one that has all of them. Between the two, each word counts by its rarity.
    pub with_words: f32,
    /// Where the question is in another language than the passage, and words say nothing.
    pub other_language: f32,
}

impl Calibration {
    /// all-MiniLM-L6-v2.
    ///
    /// Measured over Cranfield, XQuAD-en and the sample collection `debian`: of 450 English questions of their own 0.0 %
    /// are lost, and 91 % of 990 others told (the other sets' and general ones; 84 % where each pair of sets counts the
    /// same). With each set judged by thresholds from the others 1.8 % are lost. Of SciFact's first 200, which nothing was
    /// chosen by, none is. It was trained on English: where a question is in another language its lifts tell little, and
    /// the threshold is one under which 1 % of XQuAD's Spanish questions over English texts lie, and 8 % of the others.
    pub const MINILM: Self = Self { without_words: 0.43, with_words: 0.03, other_language: 0.1 };
    /// multilingual-e5-small, with weights that had been stored in 4 bits.
    ///
    /// Measured over FaQuAD, SQuAD-pt, Cranfield, XQuAD in English and Spanish, and both sample collections: of 1,278
    /// questions of their own in the documents' language 0.4 % are lost, and 88 % of 2,483 others told (83 % where each
    /// pair of sets counts the same). With each set judged by thresholds from the others 0.9 % are lost. Of 91 of SciFact
    /// none is, after `without_words` was lowered because of two of them. Of 770 questions in another language (XQuAD asked in Spanish and German of
    /// English texts, in English of Spanish ones) 0.9 % are lost, most of them German ones that were taken for English, and
    /// 44 % of 8,752 others told.
    ///
    /// Mean and deviation of the collection's own cosines, which move with the question, add nothing to the lift: as many
    /// are told with them and without. Cosines in place of lifts tell 3 % fewer, and in another language half as many.
    pub const E5_SMALL: Self = Self { without_words: 0.1, with_words: 0.0, other_language: 0.008 };

    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<&'static str> {
        let Self { without_words, with_words, other_language } = *self;
        if [without_words, with_words, other_language].iter().any(|lift| !(-2.0..=2.0).contains(lift)) {
            return Some("a lift lies between -2 and 2");
        }
        (without_words <= with_words).then_some("without_words must be above with_words")
    }
}
