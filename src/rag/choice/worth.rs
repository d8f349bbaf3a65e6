//! What a hit is worth beside the best one, and when the next adds nothing.

use super::Candidate;
use super::reading::{Said, Words};

/// What a sentence that says all that the question asks about adds to a hit's score, which is 1 for the best hit.
pub(super) const SENTENCE: f32 = 0.3;
/// A hit adds something if it is worth this part of what the best is worth,
pub(super) const ENOUGH: f32 = 0.65;
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
