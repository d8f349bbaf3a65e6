//! What a hit is worth beside the best one, and when the next adds nothing.
//!
//! The constants were fitted on FaQuAD, a SQuAD sample in Portuguese and XQuAD (English, Spanish, and asked across both),
//! 8,946 questions whose answers are strings, with multilingual-e5-small and by words alone: nine runs, each compared
//! with its own first eight hits. Tokens are those of the chunks.
//!
//! - [`ENOUGH`]: the largest whose mean loss over the other corpora is at most half a point lies between .60 and .68,
//!   whichever corpus is held out. At .62 FaQuAD takes 38 % of the tokens for as many answers (by words 40 %, -.2 points),
//!   XQuAD 23 to 37 % (-.2 to -.3; by words 24 %, -.6), the SQuAD sample 57 % (-.7; by words 51 %, -1.5). A bar for the gap
//!   to the best, for the score alone, one that rises with each passage, a share of what all hits have together, and models
//!   of twenty features (logistic, boosted trees) needed more tokens on corpora that they were not fitted to.
//! - [`SENTENCE`]: the answer stands in the first passage of FaQuAD 1 to 2 points more often, in that of the others .1 to 1.2;
//!   from .2 to .4 it makes no difference.
//! - [`NEW`] and [`LEAST`] cost single questions 1 to 3 % of the tokens, and are there for questions of several parts
//!   (tests/integration/passages.rs).
//! - Passages cut down to their best sentences were tried: at half their length they lose 16 to 31 % of the answers that
//!   they held, so whole ones go in.

use super::Candidate;
use super::reading::{Said, Words};

/// What a sentence that says all that the question asks about adds to a hit's score, which is 1 for the best hit.
pub(super) const SENTENCE: f32 = 0.3;
/// A hit adds something if it is worth this part of what the best is worth,
pub(super) const ENOUGH: f32 = 0.62;
/// or this part of that, and has words of the question that no passage before it has,
pub(super) const LEAST: f32 = 0.6;
/// which are this part of those that any hit has.
pub(super) const NEW: f32 = 0.2;

/// How much each word of a question says: the more, the fewer of the hits have it. What is rare in a collection is found
/// first and so is common among its hits; here it is to tell one hit from another.
pub(super) struct Rarity(Vec<f32>);

impl Rarity {
    pub fn among(said: &[Said], words: usize) -> Self {
        let mut having = vec![0usize; words];
        said.iter().flat_map(|said| said.all.numbers()).for_each(|word| having[word] += 1);
        let hits = said.len() as f32;
        let rarity = |having: usize| (1.0 + (hits - having as f32 + 0.5) / (having as f32 + 0.5)).ln();
        // A word that none has tells none from another.
        Self(having.into_iter().map(|having| if having == 0 { 0.0 } else { rarity(having) }).collect())
    }

    /// The part of all that some words say; 0 where nothing says anything.
    pub fn part(&self, words: Words) -> f32 {
        let all: f32 = self.0.iter().sum();
        let some: f32 = words.numbers().filter_map(|word| self.0.get(word)).sum();
        if all > 0.0 { some / all } else { 0.0 }
    }
}

/// What each hit is worth.
pub(super) fn of(hits: &[Candidate<'_>], said: &[Said], rarity: &Rarity) -> Vec<f32> {
    let best = hits.iter().map(|hit| hit.score).fold(0.0, f32::max);
    let worth = |(hit, said): (&Candidate<'_>, &Said)| {
        let score = if best > 0.0 { (hit.score / best).max(0.0) } else { 1.0 };
        let sentence = said.sentences.iter().map(|words| rarity.part(*words)).fold(0.0, f32::max);
        score + SENTENCE * sentence
    };
    hits.iter().zip(said).map(worth).collect()
}
