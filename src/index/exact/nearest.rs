//! The nearest rows, exactly: all are compared by a byte a value, and those that may be among the nearest by all of it.
//!
//! The score of a row's bytes is off by at most a [bound](lastro_kernels::I8Query::bound). So a row whose score is below the
//! k-th best one by more than both rows' bounds is not among the k nearest, and what is left, a few times k, is compared
//! again. Nothing that a scan over whole vectors would find is missed. Of 4,066 chunks of five evaluation sets, embedded by
//! multilingual-e5-small, whose cosines lie near one another, a median of 380 are left where the 100 nearest are wanted, and
//! 200 of these are compared again (200 of the sets' questions).

use std::time::Instant;

use lastro_kernels::Rows as _;

use super::block::Part;
use super::rows::{Rows, look};
use crate::index::filter::Filter;
use crate::index::{IndexError, Scored};

impl Rows {
    /// The nearest rows that the filter admits, at most `k`: best first, equal scores by lower chunk.
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        filter: &Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        let mut candidates = Candidates::new(k);
        let mut scores = Vec::new();
        let mut prepared = None;
        for (number, part) in self.parts().iter().enumerate() {
            look(deadline)?;
            let rows = part.coarse();
            let coarse = prepared.get_or_insert_with(|| rows.query(query));
            let bound = coarse.bound(part.worst());
            part.admitted(filter, |range| {
                rows.dot_range(coarse, range.clone(), &mut scores);
                candidates.consider(number, part, range.start, &scores, bound);
            });
        }
        self.compared_again(query, k, candidates, deadline)
    }

    /// The best of what was left. The first k by what they may score give a k-th score that the others must reach.
    fn compared_again(
        &self,
        query: &[f32],
        k: usize,
        mut candidates: Candidates,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        candidates.prune();
        let mut left = candidates.found;
        let first = k.min(left.len());
        if first < left.len() {
            left.select_nth_unstable_by(first, |one, two| two.at_most.total_cmp(&one.at_most));
        }
        let (first, others) = left.split_at_mut(first);
        let mut best = self.scored(query, first, deadline)?;
        if best.len() == k && !others.is_empty() {
            let worst = best.iter().map(|scored| scored.score).fold(f32::INFINITY, f32::min);
            let others = others.iter().filter(|candidate| candidate.at_most >= worst).copied();
            best.extend(self.scored(query, &mut others.collect::<Vec<_>>(), deadline)?);
        }
        best.sort_unstable_by(|one, two| two.score.total_cmp(&one.score).then(one.chunk.cmp(&two.chunk)));
        best.truncate(k);
        Ok(best)
    }

    /// The scores of candidates, in the order of their places.
    fn scored(
        &self,
        query: &[f32],
        candidates: &mut [Candidate],
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        candidates.sort_unstable_by_key(|candidate| (candidate.part, candidate.row));
        let mut found = Vec::with_capacity(candidates.len());
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        for some in candidates.chunk_by(|one, two| one.part == two.part) {
            look(deadline)?;
            let part = &self.parts()[some[0].part as usize];
            rows.clear();
            rows.extend(some.iter().map(|candidate| candidate.row));
            let fine = part.fine();
            fine.dot_many(&fine.query(query), &rows, &mut scores);
            let chunks = rows.iter().map(|row| part.chunk(*row as usize));
            found.extend(chunks.zip(&scores).map(|(chunk, score)| Scored { chunk, score: *score }));
        }
        Ok(found)
    }

    /// The score of each of these chunks, in their order; `None` for one that is not there.
    pub fn scores(
        &self,
        query: &[f32],
        chunks: &[u64],
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        look(deadline)?;
        let mut wanted: Vec<(u32, u32, usize)> = self
            .locate(chunks)
            .into_iter()
            .zip(0..)
            .filter_map(|(place, at)| place.map(|(part, row)| (part, row, at)))
            .collect();
        wanted.sort_unstable();
        let mut all = vec![None; chunks.len()];
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        for some in wanted.chunk_by(|one, two| one.0 == two.0) {
            look(deadline)?;
            let fine = self.parts()[some[0].0 as usize].fine();
            rows.clear();
            rows.extend(some.iter().map(|(_, row, _)| *row));
            fine.dot_many(&fine.query(query), &rows, &mut scores);
            for ((_, _, at), score) in some.iter().zip(&scores) {
                all[*at] = Some(*score);
            }
        }
        Ok(all)
    }
}

/// A row that may be among the nearest.
#[derive(Clone, Copy)]
struct Candidate {
    part: u32,
    row: u32,
    at_least: f32,
    at_most: f32,
}

/// The rows that may be among the nearest by what was seen of them.
struct Candidates {
    k: usize,
    found: Vec<Candidate>,
    /// So many, and those that cannot be among the nearest any more are dropped.
    full: usize,
    /// What k rows score at least.
    floor: f32,
}

impl Candidates {
    fn new(k: usize) -> Self {
        // One for each row and no more, however many are wanted.
        let full = k.saturating_mul(2).saturating_add(256);
        Self { k, found: Vec::new(), full, floor: f32::NEG_INFINITY }
    }

    /// Considers neighbouring rows from `start` on.
    fn consider(&mut self, number: usize, part: &Part, start: usize, scores: &[f32], bound: f32) {
        let cut = self.floor - bound;
        for (row, score) in (start..).zip(scores) {
            if *score >= cut && part.has(row) {
                let (at_least, at_most) = (score - bound, score + bound);
                self.found.push(Candidate { part: number as u32, row: row as u32, at_least, at_most });
            }
        }
        if self.found.len() >= self.full {
            self.prune();
            self.full = self.full.max(self.found.len().saturating_mul(2));
        }
    }

    fn prune(&mut self) {
        if self.k == 0 || self.found.len() <= self.k {
            return;
        }
        let (_, kth, _) =
            self.found.select_nth_unstable_by(self.k - 1, |one, two| two.at_least.total_cmp(&one.at_least));
        self.floor = self.floor.max(kth.at_least);
        let floor = self.floor;
        self.found.retain(|candidate| candidate.at_most >= floor);
    }
}
