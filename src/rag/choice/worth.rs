//! What a hit is worth beside the best one, and when the next adds nothing.
//!
//! The constants were fitted on FaQuAD, a SQuAD sample in Portuguese and XQuAD (English, Spanish, and asked across English,
//! Spanish and German), 10,136 questions whose answers are strings, with multilingual-e5-small, and on three of them by words
//! alone. Each is compared with the first eight hits of the ranking of lastro 0.1, 1,300 to 1,460 tokens of chunks.
//!
//! - [`ENOUGH`]: at .62 FaQuAD takes 40 % of the tokens for as many answers, the SQuAD sample 62 % (-.5 points), XQuAD 25 to
//!   28 % (-.2), asked across languages 45 to 47 % (-.3 to +.8). At .66 it is 36 % (0), 56 % (-.7), 23 to 25 % (-.3), 40 to
//!   42 % (-.3 to +.8). With one corpus held out the largest at which the others lose half a point on the mean is .66 and
//!   more: .62 is what the SQuAD sample asks for, whose paragraphs are of few articles and alike. By words alone .62 takes
//!   24 to 53 %, for -.2, -.6 and -1.5 points. A bar for the gap to the best, for the score alone, one that rises with each
//!   passage, a share of what all hits have together, and models of twenty features (logistic, boosted trees) needed more
//!   tokens on corpora that they were not fitted to.
//! - [`SENTENCE`]: the answer stands in the first passage of FaQuAD 1 to 2 points more often, in that of the others .1 to 1.2;
//!   from .2 to .4 it makes no difference.
//! - [`NEW`] and [`LEAST`] cost single questions 1 to 3 % of the tokens, and are there for questions of several parts
//!   (tests/integration/passages.rs).
//! - [`ENOUGH_FOR_A_PART`] is what the comparisons there take (.54 to .56, where .58 loses one); some 1 % of the questions of
//!   the corpora are taken for such.
//! - Passages cut down to their best sentences were tried: at half their length they lose 16 to 31 % of the answers that
//!   they held, so whole ones go in.

use super::Candidate;
use super::reading::{Said, Words};

/// What a sentence that says all that the question asks about adds to a hit's score, which is 1 for the best hit.
pub(super) const SENTENCE: f32 = 0.3;
/// A hit adds something if it is worth this part of what the best is worth,
pub(super) const ENOUGH: f32 = 0.62;
/// this part, where the question has several parts: the best is worth much for one of them,
pub(super) const ENOUGH_FOR_A_PART: f32 = 0.54;
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
