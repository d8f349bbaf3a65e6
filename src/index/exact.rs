//! Every vector is compared: exact, and up to tens of thousands of chunks the fastest.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::RwLock;

use super::filter::Filter;
use super::vectors::{VectorBatch, VectorIndex, Vectors};
use super::{IndexError, Scored};
use crate::tasks::blocking;

/// An exact scan in memory: 4 bytes a dimension and chunk.
/// It ends with the process: one that is opened is empty.
pub struct ExactScan {
    origin: String,
    dimensions: usize,
    rows: Arc<RwLock<Rows>>,
}

#[derive(Default)]
struct Rows {
    revision: u64,
    chunks: Vec<u64>,
    documents: Vec<i64>,
    /// One row after the other.
    matrix: Vec<f32>,
    place: HashMap<u64, usize>,
}

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: usize = 4096;

impl ExactScan {
    /// An empty index.
    pub fn new(vectors: &Vectors) -> Self {
        Self { origin: vectors.origin.clone(), dimensions: vectors.dimensions, rows: Arc::default() }
    }

    fn check(&self, vector: &[f32]) -> Result<(), IndexError> {
        if vector.len() != self.dimensions {
            let (found, wanted) = (vector.len(), self.dimensions);
            return Err(IndexError::Vector(format!("{found} dimensions instead of {wanted}")));
        }
        if vector.iter().all(|x| x.is_finite()) {
            Ok(())
        } else {
            Err(IndexError::Vector("a value is not finite".into()))
        }
    }
}

impl Rows {
    fn remove(&mut self, chunk: u64, dimensions: usize) {
        let Some(row) = self.place.remove(&chunk) else { return };
        let last = self.chunks.len() - 1;
        self.chunks.swap_remove(row);
        self.documents.swap_remove(row);
        if row != last {
            self.matrix.copy_within(last * dimensions.., row * dimensions);
            self.place.insert(self.chunks[row], row);
        }
        self.matrix.truncate(last * dimensions);
    }

    fn add(&mut self, chunk: u64, document: i64, vector: &[f32]) {
        self.place.insert(chunk, self.chunks.len());
        self.chunks.push(chunk);
        self.documents.push(document);
        self.matrix.extend_from_slice(vector);
    }

    fn scan(
        &self,
        query: &[f32],
        k: usize,
        filter: &Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        let mut best: BinaryHeap<Worst> = BinaryHeap::with_capacity(k + 1);
        let arch = pulp::Arch::new();
        for start in (0..self.chunks.len()).step_by(ROWS_PER_LOOK) {
            if Instant::now() >= deadline {
                return Err(IndexError::Deadline);
            }
            let end = (start + ROWS_PER_LOOK).min(self.chunks.len());
            arch.dispatch(|| {
                for row in start..end {
                    if !filter.admits(self.documents[row]) {
                        continue;
                    }
                    let vector = self.vector(row, query.len());
                    let found = Worst(Scored { chunk: self.chunks[row], score: dot(query, vector) });
                    if best.len() < k {
                        best.push(found);
                    } else if best.peek().is_some_and(|worst| found < *worst) {
                        best.pop();
                        best.push(found);
                    }
                }
            });
        }
        Ok(best.into_sorted_vec().into_iter().map(|Worst(scored)| scored).collect())
    }

    fn scores(
        &self,
        query: &[f32],
        chunks: &[u64],
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        let mut scores = Vec::with_capacity(chunks.len());
        let arch = pulp::Arch::new();
        for some in chunks.chunks(ROWS_PER_LOOK) {
            if Instant::now() >= deadline {
                return Err(IndexError::Deadline);
            }
            arch.dispatch(|| {
                let rows = some.iter().map(|chunk| self.place.get(chunk));
                scores.extend(rows.map(|row| row.map(|row| dot(query, self.vector(*row, query.len())))));
            });
        }
        Ok(scores)
    }

    fn vector(&self, row: usize, dimensions: usize) -> &[f32] {
        &self.matrix[row * dimensions..(row + 1) * dimensions]
    }
}

/// Ordered so that the greatest is the one to drop first: lowest score, then highest id.
#[derive(PartialEq)]
struct Worst(Scored);

impl Eq for Worst {}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.score.total_cmp(&self.0.score).then(self.0.chunk.cmp(&other.0.chunk))
    }
}

/// Sixteen sums side by side, which the compiler turns into whichever vector instructions are dispatched to.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[async_trait]
impl VectorIndex for ExactScan {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn revision(&self) -> u64 {
        self.rows.read().revision
    }

    fn len(&self) -> usize {
        self.rows.read().chunks.len()
    }

    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError> {
        for row in &batch.added {
            self.check(&row.vector)?;
        }
        let (rows, dimensions) = (self.rows.clone(), self.dimensions);
        let work = move || {
            let mut rows = rows.write();
            // Checked under the lock and before the first change: what is begun is finished.
            if Instant::now() >= deadline {
                return Err(IndexError::Deadline);
            }
            for chunk in &batch.removed {
                rows.remove(*chunk, dimensions);
            }
            for row in &batch.added {
                rows.remove(row.chunk, dimensions);
                rows.add(row.chunk, row.document, &row.vector);
            }
            rows.revision = batch.revision;
            Ok(())
        };
        blocking(work).await
    }

    async fn search(
        &self,
        query: Arc<[f32]>,
        k: usize,
        filter: Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        self.check(&query)?;
        if k == 0 {
            return Ok(Vec::new());
        }
        let rows = self.rows.clone();
        blocking(move || rows.read().scan(&query, k, &filter, deadline)).await
    }

    async fn score(
        &self,
        query: Arc<[f32]>,
        chunks: Arc<[u64]>,
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        self.check(&query)?;
        let rows = self.rows.clone();
        blocking(move || rows.read().scores(&query, &chunks, deadline)).await
    }

    async fn close(&self) -> Result<(), IndexError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        super::super::conformance::vector_index(
            async |vectors: &Vectors| Ok(Arc::new(ExactScan::new(vectors)) as Arc<dyn VectorIndex>),
            false,
        )
        .await;
    }
}
