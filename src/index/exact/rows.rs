//! The rows of an index as they are at one moment: a value that never changes, of which the next is made.

use std::time::Instant;

use super::block::Part;
use crate::index::IndexError;
use crate::index::vectors::VectorRow;

/// The most rows of a block: what is copied at once, and between two looks at the clock.
const MOST: usize = 1024;

/// All rows. Blocks are shared with the rows before, so that a change costs little more than what it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    parts: Vec<Part>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
    }

    /// All rows, as they were.
    pub fn all(&self) -> Vec<VectorRow> {
        self.parts.iter().flat_map(Part::whole_rows).collect()
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// These rows after a change: removals first, then additions, which replace older rows of the same chunks. All vectors
    /// have been checked.
    pub fn changed(
        &self,
        dimensions: usize,
        removed: &[u64],
        added: &[VectorRow],
        deadline: Instant,
    ) -> Result<Self, IndexError> {
        look(deadline)?;
        let mut next = self.clone();
        // By chunk, the last of each.
        let mut sorted: Vec<&VectorRow> = added.iter().collect();
        sorted.sort_by_key(|row| row.chunk);
        let sorted: Vec<&VectorRow> = sorted
            .chunk_by(|one, two| one.chunk == two.chunk)
            .filter_map(|same| same.last().copied())
            .collect();
        let mut gone: Vec<u64> = removed.iter().copied().chain(sorted.iter().map(|row| row.chunk)).collect();
        gone.sort_unstable();
        gone.dedup();
        next.remove(&gone, deadline)?;
        for some in sorted.chunks(MOST) {
            look(deadline)?;
            next.parts.push(Part::of(dimensions, some));
        }
        next.fold(deadline)?;
        Ok(next)
    }

    /// Removes chunks, given in order, where they are.
    fn remove(&mut self, chunks: &[u64], deadline: Instant) -> Result<(), IndexError> {
        for part in &mut self.parts {
            let rows: Vec<usize> =
                within(part, chunks, |chunk| *chunk).iter().filter_map(|chunk| part.find(*chunk)).collect();
            if rows.is_empty() {
                continue;
            }
            *part = part.without(&rows);
            if part.is_sparse() && part.live() > 0 {
                look(deadline)?;
                *part = part.compacted();
            }
        }
        self.parts.retain(|part| part.live() > 0);
        Ok(())
    }

    /// Merges small blocks, each with the one before it unless that is much larger: a row is copied a few times until its
    /// block is full, and there are never many small ones.
    fn fold(&mut self, deadline: Instant) -> Result<(), IndexError> {
        let mut folded: Vec<Part> = Vec::with_capacity(self.parts.len());
        for mut part in self.parts.drain(..) {
            while let Some(before) = folded.last() {
                let together = before.live() + part.live();
                if together > MOST || before.live() > 2 * part.live() {
                    break;
                }
                look(deadline)?;
                part = before.merged(&part);
                folded.pop();
            }
            folded.push(part);
        }
        self.parts = folded;
        Ok(())
    }

    /// The part and the row of each chunk, in their order; `None` for one that is not there.
    pub(super) fn locate(&self, chunks: &[u64]) -> Vec<Option<(u32, u32)>> {
        let mut sorted: Vec<(u64, usize)> = chunks.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let mut places = vec![None; chunks.len()];
        for (number, part) in self.parts.iter().enumerate() {
            for (chunk, at) in within(part, &sorted, |(chunk, _)| *chunk) {
                if let Some(row) = part.find(*chunk) {
                    places[*at] = Some((number as u32, row as u32));
                }
            }
        }
        places
    }
}

/// Those of some things in the order of their chunks that may lie in a part.
fn within<'a, T>(part: &Part, things: &'a [T], chunk: impl Fn(&T) -> u64) -> &'a [T] {
    let Some((first, last)) = part.ends() else { return &[] };
    let rest = &things[things.partition_point(|thing| chunk(thing) < first)..];
    &rest[..rest.partition_point(|thing| chunk(thing) <= last)]
}

/// Fails once the deadline has passed.
pub(super) fn look(deadline: Instant) -> Result<(), IndexError> {
    if Instant::now() >= deadline { Err(IndexError::Deadline) } else { Ok(()) }
}
