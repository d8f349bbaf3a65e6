//! Which hits go before the question, and in which passages: hits and their texts in, passages out, nothing asked.
//!
//! Hits are taken best first, as long as each adds something. What an earlier passage says already is left out;
//! neighbours in a document become one passage; and a document, or a family of texts made after one pattern, does not
//! fill all places while others have something to say.

mod copies;
mod reading;
mod worth;

use serde::Serialize;

use crate::collection::Hit;
use crate::store::{DocumentKey, NewChunk};
use copies::{Copies, Likeness};
use reading::{Asked, Said, Shingles, Words};
use worth::{ENOUGH, LEAST, NEW, Rarity};

/// Neighbouring chunks are shown as one passage up to this many bytes.
pub(super) const LONGEST_JOINED: usize = 4_000;
/// Chunks with no more bytes between them are neighbours: what separates two paragraphs.
const WIDEST_GAP: u64 = 8;
/// Once a document or a family has half of the places, its next hit counts as if it had this part of its score: so much
/// worse may one of another be that goes before it.
const CROWDED: f32 = 0.7;
/// Of two copies whose scores are this close, the newer one is shown.
const SAME_SCORE: f32 = 0.98;

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
    let asked = Asked::of(question);
    let said: Vec<Said> = hits.iter().map(|hit| asked.said_by(&hit.chunk.text)).collect();
    let rarity = Rarity::among(&said, asked.len());
    let worth = worth::of(hits, &said, &rarity);
    let enough = worth.iter().copied().fold(0.0, f32::max) * ENOUGH;
    let mut choosing = Choosing { hits, passages: Vec::new(), copies: Copies::default() };
    let mut considered = Considered { found: hits.len(), ..Considered::default() };
    let mut covered = Words::default();
    let mut waiting: Vec<Waiting> = worth
        .iter()
        .enumerate()
        .map(|(hit, worth)| Waiting { hit, turn: *worth, is_crowded: false })
        .collect();
    while choosing.passages.len() < wanted.most()
        && let Some(at) = next(&waiting)
    {
        let Waiting { hit, is_crowded, .. } = waiting[at];
        let adds = match wanted {
            Wanted::Exactly(_) => true,
            Wanted::AtMost(_) => {
                let new = rarity.part(said[hit].all.without(covered));
                worth[hit] >= enough || (worth[hit] >= enough * LEAST && new >= NEW)
            }
        };
        if !adds {
            considered.adds_little += 1;
            waiting.remove(at);
            continue;
        }
        let text = asked.shingles(&hits[hit].chunk.text);
        let likeness = choosing.copies.likeness(&text);
        if let Likeness::Copy(of) = likeness {
            considered.copies += 1;
            waiting.remove(at);
            choosing.renew(of, hit, text);
            continue;
        }
        let share = wanted.most().div_ceil(2);
        let places = choosing.places_of(hits[hit].document).max(choosing.copies.of_family(likeness));
        if !is_crowded && places >= share {
            waiting[at] = Waiting { hit, turn: worth[hit] * CROWDED, is_crowded: true };
            continue;
        }
        waiting.remove(at);
        covered = covered.and(said[hit].all);
        choosing.take(hit, text, likeness);
    }
    let taken: usize = choosing.passages.iter().map(Vec::len).sum();
    considered.joined = taken - choosing.passages.len();
    considered.beyond = waiting.len();
    let is_short = considered.adds_little == 0 && choosing.passages.len() < wanted.most();
    Choice { passages: choosing.passages, considered, is_short }
}

/// A hit that may still be taken.
struct Waiting {
    hit: usize,
    /// Its worth, or less where its document or family has many places.
    turn: f32,
    is_crowded: bool,
}

/// The place of the best; of equals the first.
fn next(waiting: &[Waiting]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, one) in waiting.iter().enumerate() {
        if best.is_none_or(|best| one.turn > waiting[best].turn) {
            best = Some(at);
        }
    }
    best
}

/// What was chosen so far.
struct Choosing<'a> {
    hits: &'a [Candidate<'a>],
    passages: Vec<Vec<usize>>,
    copies: Copies,
}

impl Choosing<'_> {
    /// Takes a hit, into the passage of its neighbours where there are any.
    fn take(&mut self, hit: usize, text: Shingles, likeness: Likeness) {
        self.copies.add(hit, text, likeness);
        let mut own = vec![hit];
        let mut place = None;
        for at in (0..self.passages.len()).rev() {
            let mut joined = [self.passages[at].as_slice(), &own].concat();
            joined.sort_by_key(|hit| self.hits[*hit].chunk.start);
            if self.is_one_passage(&joined) {
                // The later ones of several that it connects are now in the first.
                if let Some(later) = place.replace(at) {
                    self.passages.remove(later);
                }
                own = joined;
            }
        }
        match place {
            Some(at) => self.passages[at] = own,
            None => self.passages.push(own),
        }
    }

    /// Whether hits, in their order, are neighbours and together no longer than a passage may be.
    fn is_one_passage(&self, hits: &[usize]) -> bool {
        let pairs = || hits.iter().zip(&hits[1..]).map(|(one, next)| (&self.hits[*one], &self.hits[*next]));
        let neighbours = |(one, next): (&Candidate<'_>, &Candidate<'_>)| {
            one.document == next.document && are_neighbours(one.chunk, next.chunk)
        };
        let new = pairs().map(|(one, next)| next.chunk.text_after(one.chunk.end).len());
        let bytes = hits.first().map_or(0, |first| self.hits[*first].chunk.text.len()) + new.sum::<usize>();
        bytes <= LONGEST_JOINED && pairs().all(neighbours)
    }

    fn places_of(&self, document: DocumentKey) -> usize {
        self.passages.iter().filter(|hits| self.hits[hits[0]].document == document).count()
    }

    /// Shows a copy in place of the chosen hit that it is a copy of, if it is as good and newer.
    fn renew(&mut self, old: usize, new: usize, text: Shingles) {
        let (before, after) = (&self.hits[old], &self.hits[new]);
        let is_newer = after.document > before.document && after.score >= SAME_SCORE * before.score;
        if is_newer
            && self.copies.replace(old, new, text)
            && let Some(alone) = self.passages.iter_mut().find(|hits| **hits == [old])
        {
            *alone = vec![new];
        }
    }
}

/// Whether the second chunk goes on where the first ends, or repeats its end. Pages and headings stay as exact as they are
/// for each of them; one that repeats the end of another may stand deeper in the same section.
fn are_neighbours(one: &NewChunk, next: &NewChunk) -> bool {
    if next.start < one.end {
        return next.headings.starts_with(&one.headings) || one.headings.starts_with(&next.headings);
    }
    let adjoin = next.start <= one.end.saturating_add(WIDEST_GAP);
    adjoin && one.last_page == next.page && one.headings == next.headings
}

#[cfg(test)]
mod tests;
