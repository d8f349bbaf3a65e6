//! What a search reads: a graph, the rows of it that are gone, and what was added since, which is compared one by one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lastro_kernels::Rows;

use super::admitted::{self, Way};
use super::file::Base;
use super::table::Table;
use super::walk::{Late, Walkers};
use crate::index::exact::ExactScan;
use crate::index::filter::Filter;
use crate::index::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};
use crate::index::{IndexError, Scored, choice};

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: usize = 4096;
/// Up to so many rows are compared with all of their digits at once; of more, those that their codes put first.
const FINE_AT_ONCE: usize = 4096;

/// One generation, as far as changes were applied to it.
pub(super) struct State {
    pub generation: u64,
    pub base: Option<Arc<Base>>,
    /// A bit for each row of the graph that is gone.
    dead: Vec<AtomicU64>,
    dead_rows: AtomicUsize,
    pub tail: ExactScan,
}

impl State {
    /// A generation before any change.
    pub async fn new(generation: u64, base: Option<Base>, wanted: &Vectors) -> Result<Self, IndexError> {
        let rows = base.as_ref().map_or(0, Base::rows);
        let tail = ExactScan::new(wanted);
        if let Some(base) = &base {
            let nothing = VectorBatch { revision: base.revision(), ..VectorBatch::default() };
            tail.apply(nothing, far()).await?;
        }
        let dead = (0..rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { generation, base: base.map(Arc::new), dead, dead_rows: AtomicUsize::new(0), tail })
    }

    /// Applies changes. What is added is there before what it replaces is gone.
    pub async fn apply(&self, batch: VectorBatch) -> Result<(), IndexError> {
        let gone: Vec<u64> = match &self.base {
            Some(_) => batch.removed.iter().copied().chain(batch.added.iter().map(|row| row.chunk)).collect(),
            None => Vec::new(),
        };
        self.tail.apply(batch, far()).await?;
        let Some(base) = &self.base else { return Ok(()) };
        for row in gone.into_iter().filter_map(|chunk| base.row_of(chunk)) {
            let bit = 1 << (row % 64);
            if let Some(word) = self.dead.get(row as usize / 64)
                && word.fetch_or(bit, Ordering::AcqRel) & bit == 0
            {
                self.dead_rows.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn is_dead(&self, row: u32) -> bool {
        let word = self.dead.get(row as usize / 64);
        word.is_none_or(|word| word.load(Ordering::Acquire) >> (row % 64) & 1 == 1)
    }

    /// How many rows the graph has, and how many of them are gone.
    pub fn graph_rows(&self) -> (usize, usize) {
        (self.base.as_ref().map_or(0, |base| base.rows()), self.dead_rows.load(Ordering::Relaxed))
    }

    pub fn len(&self) -> usize {
        let (rows, dead) = self.graph_rows();
        rows - dead.min(rows) + self.tail.len()
    }

    /// The chunks of the graph that are gone.
    pub fn dead_chunks(&self) -> Vec<u64> {
        let Some(base) = &self.base else { return Vec::new() };
        let rows = base.chunks().iter().enumerate();
        rows.filter(|(row, _)| self.is_dead(*row as u32)).map(|(_, chunk)| *chunk).collect()
    }

    pub fn revision(&self) -> u64 {
        self.tail.revision()
    }

    /// The rows that were added since the graph was built.
    pub fn tail_rows(&self) -> Vec<VectorRow> {
        self.tail.rows()
    }

    /// The rows of the graph that are left, one at a time.
    pub fn live_rows(&self) -> impl Iterator<Item = u32> {
        (0..self.graph_rows().0 as u32).filter(|row| !self.is_dead(*row))
    }

    /// A row of the graph with all of its digits.
    pub fn row(&self, row: u32) -> Option<VectorRow> {
        let base = self.base.as_ref()?;
        let (chunk, document) = (base.chunks().get(row as usize)?, base.documents().get(row as usize)?);
        let vector = base.fine()?.decode(row as usize);
        Some(VectorRow { chunk: *chunk, document: *document, vector })
    }

    /// Adds rows of the graph to a table, as they are.
    pub fn copy_rows(&self, rows: &[u32], table: &mut Table) {
        let Some(base) = &self.base else { return };
        let Some(fine) = base.fine() else { return };
        let (chunks, documents, scales) = (base.chunks(), base.documents(), base.scales());
        for row in rows.iter().map(|row| *row as usize).filter(|row| *row < base.rows()) {
            let (codes, rest) = fine.row(row);
            table.push_coded(chunks[row], documents[row], scales[row], codes, rest);
        }
    }

    /// The nearest chunks of the graph that the filter admits.
    pub fn search(
        &self,
        walkers: &Walkers,
        query: &[f32],
        k: usize,
        filter: &Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        let Some(base) = &self.base else { return Ok(Vec::new()) };
        if Instant::now() >= deadline {
            return Err(IndexError::Deadline);
        }
        if let Way::Scan(rows) = admitted::way(base, filter, deadline)? {
            return self.scan(base, query, k, rows, deadline);
        }
        let graph = base.graph();
        let coded = graph.rows.query(query);
        let documents = base.documents();
        let admits = |row: u32| {
            !self.is_dead(row) && documents.get(row as usize).is_some_and(|document| filter.admits(*document))
        };
        let late = || Instant::now() >= deadline;
        let width = choice::width(k);
        let found = walkers
            .with(|walker| walker.walk(&graph, &coded, width, admits, late))
            .map_err(|Late| IndexError::Deadline)?;
        if found.len() < k {
            // The walk may have lost some of the few that there are.
            let rows = admitted::rows_of(base, filter, deadline)?;
            if rows.len() > found.len() {
                return self.scan(base, query, k, rows, deadline);
            }
        }
        let rows = found.into_iter().map(|(row, _)| row).collect();
        Ok(self.scored(base, query, k, rows))
    }

    /// The nearest of these rows.
    fn scan(
        &self,
        base: &Base,
        query: &[f32],
        k: usize,
        mut rows: Vec<u32>,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        rows.retain(|row| !self.is_dead(*row));
        if rows.len() > FINE_AT_ONCE {
            let coded_rows = base.graph().rows;
            let coded = coded_rows.query(query);
            let (mut scores, mut best) = (Vec::new(), Vec::with_capacity(rows.len()));
            for some in rows.chunks(ROWS_PER_LOOK) {
                if Instant::now() >= deadline {
                    return Err(IndexError::Deadline);
                }
                coded_rows.dot_many(&coded, some, &mut scores);
                best.extend(scores.iter().copied().zip(some.iter().copied()));
            }
            let enough = (k * 4).max(FINE_AT_ONCE / 4).min(best.len() - 1);
            best.select_nth_unstable_by(enough, |a, b| b.0.total_cmp(&a.0));
            best.truncate(enough + 1);
            rows = best.into_iter().map(|(_, row)| row).collect();
        }
        Ok(self.scored(base, query, k, rows))
    }

    /// The best of these rows by all of their digits.
    fn scored(&self, base: &Base, query: &[f32], k: usize, rows: Vec<u32>) -> Vec<Scored> {
        let Some(fine) = base.fine() else { return Vec::new() };
        let (chunks, mut scores) = (base.chunks(), Vec::new());
        fine.dot_many(&fine.query(query), &rows, &mut scores);
        let scored = rows.iter().zip(&scores).filter(|(_, score)| score.is_finite());
        let scored = scored
            .filter_map(|(row, score)| Some(Scored { chunk: *chunks.get(*row as usize)?, score: *score }));
        let mut best: Vec<Scored> = scored.collect();
        sort(&mut best);
        best.truncate(k);
        best
    }

    /// The cosine of each of these chunks that is in the graph.
    pub fn score(
        &self,
        query: &[f32],
        chunks: &[u64],
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        let Some(base) = &self.base else { return Ok(vec![None; chunks.len()]) };
        let Some(fine) = base.fine() else { return Ok(vec![None; chunks.len()]) };
        let query = fine.query(query);
        let (mut all, mut scores) = (Vec::with_capacity(chunks.len()), Vec::new());
        for some in chunks.chunks(ROWS_PER_LOOK) {
            if Instant::now() >= deadline {
                return Err(IndexError::Deadline);
            }
            let row = |chunk: &u64| base.row_of(*chunk).filter(|row| !self.is_dead(*row));
            let rows: Vec<Option<u32>> = some.iter().map(row).collect();
            // What is not there is a row that is not there either.
            let places: Vec<u32> = rows.iter().map(|row| row.unwrap_or(u32::MAX)).collect();
            fine.dot_many(&query, &places, &mut scores);
            let scored = rows.iter().zip(&scores);
            all.extend(scored.map(|(row, score)| row.and(Some(*score).filter(|score| score.is_finite()))));
        }
        Ok(all)
    }
}

/// Two rankings as one. A chunk of both is the first's.
pub(super) fn merged(mut first: Vec<Scored>, second: Vec<Scored>, k: usize) -> Vec<Scored> {
    if !first.is_empty() {
        let known: HashSet<u64> = first.iter().map(|scored| scored.chunk).collect();
        first.extend(second.into_iter().filter(|scored| !known.contains(&scored.chunk)));
        sort(&mut first);
        first.truncate(k);
        return first;
    }
    second
}

/// Best first, equal scores by lower id.
fn sort(found: &mut [Scored]) {
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
}

/// What is begun is finished: the deadline was looked at before.
pub(super) fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
