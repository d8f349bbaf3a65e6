//! Neighbouring chunks of a document as one passage.

use super::Candidate;
use crate::store::{DocumentKey, NewChunk};

/// Neighbouring chunks are shown as one passage up to this many bytes.
pub(in crate::rag) const LONGEST_JOINED: usize = 4_000;
/// Chunks with no more bytes between them are neighbours: what separates two paragraphs.
const WIDEST_GAP: u64 = 8;

/// Passages of hits, the first that was taken first. Each is a list of hits by their numbers, in the document's order.
pub(super) struct Joined<'a> {
    hits: &'a [Candidate<'a>],
    lists: Vec<Vec<usize>>,
}

impl<'a> Joined<'a> {
    pub fn new(hits: &'a [Candidate<'a>]) -> Self {
        Self { hits, lists: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// How many hits are in the passage of another.
    pub fn joined(&self) -> usize {
        self.lists.iter().map(|hits| hits.len() - 1).sum()
    }

    pub fn into_lists(self) -> Vec<Vec<usize>> {
        self.lists
    }

    /// How many passages are of a document.
    pub fn of_document(&self, document: DocumentKey) -> usize {
        self.lists.iter().filter(|hits| self.hits[hits[0]].document == document).count()
    }

    /// Adds a hit, to the passage of its neighbours where there are any.
    pub fn add(&mut self, hit: usize) {
        let mut own = vec![hit];
        let mut place = None;
        for at in (0..self.lists.len()).rev() {
            let mut both = [self.lists[at].as_slice(), &own].concat();
            both.sort_by_key(|hit| self.hits[*hit].chunk.start);
            if self.is_one_passage(&both) {
                // What it connects is one passage, at the place of the first.
                if let Some(later) = place.replace(at) {
                    self.lists.remove(later);
                }
                own = both;
            }
        }
        match place {
            Some(at) => self.lists[at] = own,
            None => self.lists.push(own),
        }
    }

    /// Puts a hit in the place of another, if that is a passage of its own.
    pub fn replace(&mut self, old: usize, new: usize) {
        if let Some(alone) = self.lists.iter_mut().find(|hits| **hits == [old]) {
            *alone = vec![new];
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
