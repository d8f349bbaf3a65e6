//! Two rankings into one: a weighted sum of what both legs say of each chunk, on scales that mean the same for every
//! question and collection.
//!
//! Not reciprocal rank fusion, and not scores divided by the best one: where one leg has nothing good (a question in
//! another language than the documents, a model that does not know it), its best is still its best, and drags the other
//! leg down. On absolute scales a weak best is weak.

use super::background::Background;
use super::legs::Candidate;
use crate::embed::{Languages, ModelInfo};

// How the constants were found: chunks of lastro's own cutting, words in two fields as they are indexed, every candidate
// scored by both legs. nDCG@10 of each leg alone, of the sum as it was (each leg divided by its best, weights .5 and .2) and
// with these scales and weights; what is empty was not computed, SciFact is of the 234 questions whose abstracts had vectors:
//
// | documents, question | words | e5 alone | e5, was | e5, is | MiniLM alone | MiniLM, was | MiniLM, is |
// |---|---|---|---|---|---|---|---|
// | FaQuAD (pt, pt) | .922 | .849 | .935 | .945 | .524 | .923 | .929 |
// | SQuAD sample (pt, pt) | .823 | .799 | .873 | .878 | .435 | .822 | .826 |
// | SciFact (en, en) | .713 | | | | .695 | .769 | .762 |
// | Cranfield (en, en) | .378 | .370 | .413 | .408 | .389 | .425 | .431 |
// | XQuAD (en, en) | .967 | .972 | .984 | .986 | .945 | .980 | .981 |
// | XQuAD (es, es) | .966 | .960 | .980 | .981 | .641 | .969 | .970 |
// | XQuAD (en, es) | .379 | .943 | .794 | .944 | .495 | .523 | .554 |
// | XQuAD (en, de) | .490 | .921 | .835 | .927 | .510 | .587 | .591 |
// | XQuAD (es, en) | .434 | .943 | .861 | .944 | .707 | .542 | .757 |
//
// That is 1.045 of the better leg on the mean, and nowhere under it. The scales do most of it. Chosen from a grid by all sets
// but one, the weights are .5 to .65, .7 to .8 and .3, and the sets left out have 1.045 too, none under its better leg. A
// linear model of features of question and rankings (agreement, spread, best score, length) was no better on sets left out
// (1.039), and up to .007 under the better leg.

/// Weight of meaning where the model knows the language of documents and question.
const WEIGHT: f32 = 0.55;
/// Where it knows them, and they differ: the words of the question that the documents have are names.
const WEIGHT_ACROSS: f32 = 0.7;
/// Where it does not know one of them: what is left of meaning is spelling.
const WEIGHT_FOREIGN: f32 = 0.3;
/// Deviations above the background at which meaning has three quarters of all that it can say.
const HIGH_ABOVE: f32 = 7.0;

/// What meaning says of a chunk whose vector nobody asked, as a share of what words say: the mean over the candidates of all
/// sets above, .4 to .9 by set. More would favour a collection without vectors over one with them.
const UNSEEN: f32 = 0.6;

/// The weight of meaning against words for a question over documents of a language. The question's own language is not
/// looked for: `known`, the share of the question that the documents' words are, tells whether it is theirs.
pub(super) fn dense_weight(model: &ModelInfo, language: Option<&str>, known: f32) -> f32 {
    let another = match &model.languages {
        _ if !model.speaks(language) => return WEIGHT_FOREIGN,
        Languages::Only(languages) if languages.len() == 1 => WEIGHT_FOREIGN,
        Languages::Only(_) | Languages::Multilingual => WEIGHT_ACROSS,
    };
    another + (WEIGHT - another) * known
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
    // What is no number says nothing, and sorts nowhere.
    let cosine = candidate.cosine.filter(|cosine| cosine.is_finite());
    let above = cosine.zip(background).map(|(cosine, background)| background.above(cosine));
    let meaning = match (above, cosine) {
        (Some(above), _) => (above / HIGH_ABOVE).max(0.0).tanh(),
        (None, Some(cosine)) => cosine.clamp(0.0, 1.0),
        (None, None) => UNSEEN * words,
    };
    Fused {
        score: (1.0 - dense_weight) * words + dense_weight * meaning,
        lexical: candidate.words.map(|words| words.score),
        coverage: candidate.words.map(|words| words.coverage),
        dense: cosine,
        above,
        lift: candidate.lift(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Match;

    const BACKGROUND: Background = Background { middle: 0.7, spread: 0.05 };

    fn words(score: f32, coverage: f32) -> Option<Match> {
        Some(Match { chunk: 1, score, share: coverage, coverage, words: 0.0 })
    }

    fn score(words: Option<Match>, cosine: Option<f32>, weight: f32) -> f32 {
        fuse(&Candidate { words, cosine, anything: None }, Some(BACKGROUND), weight).score
    }

    #[test]
    fn a_weak_best_is_weak_and_scores_are_of_0_to_1() {
        // One common word of the question, against a cosine far above what the collection says to anything.
        assert!(score(words(9.0, 0.1), Some(0.7), 0.5) < score(None, Some(0.95), 0.5));
        assert!(score(words(0.9, 0.9), Some(0.7), 0.5) > score(None, Some(0.75), 0.5));
        for cosine in [None, Some(f32::NAN), Some(-1.0), Some(0.7), Some(1.0)] {
            for found in [None, words(0.0, 0.0), words(99.0, 1.0)] {
                for weight in [0.0, 0.5, 1.0] {
                    for background in [None, Some(BACKGROUND)] {
                        let fused =
                            fuse(&Candidate { words: found, cosine, anything: None }, background, weight);
                        assert!((0.0..=1.0).contains(&fused.score), "{fused:?}");
                    }
                }
            }
        }
        let all = Match { share: 3.0, ..words(9.0, 1.0).expect("a match") };
        assert_eq!(score(Some(all), None, 0.0), 1.0, "words that are repeated are no more than all");
    }

    #[test]
    fn the_weight_decides_which_leg_is_believed() {
        let (by_words, by_meaning) = ((words(9.0, 0.9), Some(0.7)), (words(1.0, 0.2), Some(0.9)));
        let first =
            |weight| score(by_words.0, by_words.1, weight) > score(by_meaning.0, by_meaning.1, weight);
        assert!(first(0.1) && !first(0.9));
    }

    #[test]
    fn a_chunk_without_a_vector_is_between_those_that_meaning_praises_and_blames() {
        let bare = score(words(9.0, 0.5), None, 0.5);
        assert_eq!(score(words(9.0, 0.5), None, 0.0), 0.5);
        assert!(
            score(words(9.0, 0.5), Some(0.95), 0.5) > bare && score(words(9.0, 0.5), Some(0.7), 0.5) < bare
        );
    }

    #[test]
    fn the_weight_knows_the_languages() {
        let model = |languages| ModelInfo {
            name: "m".into(),
            fingerprint: "f".into(),
            dimensions: 2,
            window: 9,
            max_tokens: 9,
            languages,
            floor: None,
            relevance: None,
            device: "cpu".into(),
        };
        let english = model(Languages::Only(vec!["en".into()]));
        let all = model(Languages::Multilingual);
        for (model, language, known, expected) in [
            (&english, Some("en"), 1.0, WEIGHT),
            (&english, None, 1.0, WEIGHT),
            (&english, Some("en"), 0.0, WEIGHT_FOREIGN),
            (&english, Some("pt"), 1.0, WEIGHT_FOREIGN),
            (&all, Some("pt"), 1.0, WEIGHT),
            (&all, Some("pt"), 0.0, WEIGHT_ACROSS),
        ] {
            assert!((dense_weight(model, language, known) - expected).abs() < 1e-6, "{language:?} {known}");
        }
    }
}
