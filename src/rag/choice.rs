//! Which hits go before the question, and in which passages: hits and their texts in, passages out, nothing asked.
//!
//! Hits are taken best first, as long as each adds something. What an earlier passage says already is left out;
//! neighbours in a document become one passage; and a document, or a family of texts made after one pattern, does not
//! fill all places while others have something to say.

mod copies;
mod joined;
mod parts;
mod reading;
mod worth;

use serde::Serialize;

use crate::collection::Hit;
use crate::store::{DocumentKey, NewChunk};
use crate::words::{asked, end};
use copies::{Copies, Likeness};
use joined::Joined;
pub(super) use joined::LONGEST_JOINED;
use reading::{Asked, Said, Words};
use worth::{ENOUGH, ENOUGH_FOR_A_PART, LEAST, NEW, Rarity};

/// Once a document or a family has half of the places, its next hit counts as if it had this part of its score: so much
/// worse may one of another be that goes before it.
const CROWDED: f32 = 0.7;
/// Of two copies whose scores are this close, the newer one is shown.
const SAME_SCORE: f32 = 0.98;
/// Of a long text with a question in it, so many bytes of its end are looked at.
const LOOKED_AT: usize = 16 << 10;

/// How many passages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// As many as add something, and no more than this.
    AtMost(usize),
    /// So many, as far as there are.
    Exactly(usize),
}

impl Wanted {
    fn most(self) -> usize {
        match self {
            Self::AtMost(most) | Self::Exactly(most) => most,
        }
    }

    /// The most of them, whether they add something or not.
    pub fn exactly(self) -> Self {
        Self::Exactly(self.most())
    }

    /// How many hits are looked at for them: some are copies of others, or neighbours.
    pub fn candidates(self) -> usize {
        2 * self.most()
    }
}

/// A hit, as far as the choice looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub document: DocumentKey,
    pub chunk: &'a NewChunk,
    pub score: f32,
}

impl<'a> From<&'a Hit> for Candidate<'a> {
    fn from(hit: &'a Hit) -> Self {
        Self { document: hit.chunk.document, chunk: &hit.chunk.chunk, score: hit.score }
    }
}

/// How many hits were found, and what became of those that are no passage of their own in the prompt. In JSON as traces
/// and previews show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Considered {
    pub found: usize,
    /// In the prompt, within the passage of a neighbour.
    pub joined: usize,
    /// They say what a passage of the prompt says.
    pub copies: usize,
    /// They add too little.
    pub adds_little: usize,
    /// More than were wanted.
    pub beyond: usize,
    /// The model's window has no room for them.
    pub no_room: usize,
}

impl Considered {
    /// What became of those that are no passage of their own, by name.
    pub fn left_out(&self) -> [(&'static str, usize); 5] {
        let Self { found: _, joined, copies, adds_little, beyond, no_room } = *self;
        [
            ("joined", joined),
            ("copies", copies),
            ("adds_little", adds_little),
            ("beyond", beyond),
            ("no_room", no_room),
        ]
    }
}

/// Which hits were chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Each passage as hits by their numbers, in the document's order. The best passage comes first.
    pub passages: Vec<Vec<usize>>,
    pub considered: Considered,
    /// Whether more were wanted than these hits gave.
    pub is_short: bool,
}

/// Chooses from hits, which come best first.
pub(super) fn choose(question: &str, hits: &[Candidate<'_>], wanted: Wanted) -> Choice {
    let mut choosing = Choosing::new(question, hits, wanted);
    while choosing.passages.len() < wanted.most()
        && let Some(at) = choosing.next()
    {
        choosing.consider(at);
    }
    choosing.done()
}

/// A choice that is being made.
struct Choosing<'a> {
    hits: &'a [Candidate<'a>],
    wanted: Wanted,
    asked: Asked,
    /// What each hit has of the question, and what it is worth.
    said: Vec<Said>,
    worth: Vec<f32>,
    rarity: Rarity,
    /// What is worth so much adds something.
    enough: f32,
    waiting: Vec<Waiting>,
    passages: Joined<'a>,
    copies: Copies,
    /// Words of the question that the passages have.
    covered: Words,
    considered: Considered,
}

/// A hit that may still be taken.
struct Waiting {
    hit: usize,
    /// Its worth, or less where its document or family has many places.
    turn: f32,
    is_crowded: bool,
}

impl<'a> Choosing<'a> {
    fn new(question: &str, hits: &'a [Candidate<'a>], wanted: Wanted) -> Self {
        let text = end(question, LOOKED_AT);
        // As many words as are looked for are those of the question, before those of a letter around it.
        let asked = Asked::of(&[asked(question), text].join(" "));
        let said: Vec<Said> = hits.iter().map(|hit| asked.said_by(&hit.chunk.text)).collect();
        let rarity = Rarity::among(&said, asked.len());
        let worth = worth::of(hits, &said, &rarity);
        let enough = if parts::has_parts(text) { ENOUGH_FOR_A_PART } else { ENOUGH };
        let waiting = worth.iter().enumerate();
        Self {
            hits,
            wanted,
            asked,
            said,
            enough: enough * worth.iter().copied().fold(0.0, f32::max),
            waiting: waiting.map(|(hit, worth)| Waiting { hit, turn: *worth, is_crowded: false }).collect(),
            worth,
            rarity,
            passages: Joined::new(hits),
            copies: Copies::default(),
            covered: Words::default(),
            considered: Considered { found: hits.len(), ..Considered::default() },
        }
    }

    /// The place of the best that waits; of equals the first.
    fn next(&self) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, one) in self.waiting.iter().enumerate() {
            if best.is_none_or(|best| one.turn > self.waiting[best].turn) {
                best = Some(at);
            }
        }
        best
    }

    /// Takes a hit, leaves it out, or puts it back behind others.
    fn consider(&mut self, at: usize) {
        let Waiting { hit, is_crowded, .. } = self.waiting[at];
        if !self.adds(hit) {
            self.considered.adds_little += 1;
            self.waiting.remove(at);
            return;
        }
        let text = self.asked.shingles(&self.hits[hit].chunk.text);
        let likeness = self.copies.likeness(&text);
        if let Likeness::Copy(of) = likeness {
            self.considered.copies += 1;
            self.waiting.remove(at);
            if self.is_newer(hit, of) && self.copies.replace(of, hit, text) {
                self.passages.replace(of, hit);
            }
            return;
        }
        let of_document = self.passages.of_document(self.hits[hit].document);
        let places = of_document.max(self.copies.of_family(likeness));
        if !is_crowded && places >= self.wanted.most().div_ceil(2) {
            self.waiting[at] = Waiting { hit, turn: self.worth[hit] * CROWDED, is_crowded: true };
            return;
        }
        self.waiting.remove(at);
        self.covered = self.covered.and(self.said[hit].all);
        self.copies.add(hit, text, likeness);
        self.passages.add(hit);
    }

    /// Whether a hit adds something to what was chosen.
    fn adds(&self, hit: usize) -> bool {
        match self.wanted {
            Wanted::Exactly(_) => true,
            Wanted::AtMost(_) if self.worth[hit] >= self.enough => true,
            Wanted::AtMost(_) => {
                let new = self.said[hit].all.without(self.covered);
                self.worth[hit] >= self.enough * LEAST && self.rarity.part(new) >= NEW
            }
        }
    }

    /// Whether a copy is as good as what it is a copy of, and newer.
    fn is_newer(&self, copy: usize, of: usize) -> bool {
        let (before, after) = (&self.hits[of], &self.hits[copy]);
        after.document > before.document && after.score >= SAME_SCORE * before.score
    }

    fn done(self) -> Choice {
        let mut considered = self.considered;
        considered.joined = self.passages.joined();
        considered.beyond = self.waiting.len();
        let is_short = considered.adds_little == 0 && self.passages.len() < self.wanted.most();
        Choice { passages: self.passages.into_lists(), considered, is_short }
    }
}

#[cfg(test)]
mod tests;
