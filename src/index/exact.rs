//! Every vector is compared: exact, and up to tens of thousands of chunks the fastest.

mod block;
mod nearest;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};

use self::rows::Rows;
use super::filter::Filter;
use super::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};
use super::{IndexError, Scored};
use crate::tasks::blocking;

/// An exact scan in memory: 3 bytes a dimension and chunk, of which a search reads one.
/// They hold 24 binary digits of each vector's largest value, as `f32` does: a score is as near to the true cosine as one
/// that is computed of the vectors themselves.
/// It ends with the process: one that is opened is empty.
pub struct ExactScan {
    origin: String,
    dimensions: usize,
    shared: Arc<Shared>,
}

/// What searches and changes share.
#[derive(Default)]
struct Shared {
    /// A search takes a reference to what is there and lets go of the lock; so no search waits for a change, nor the other
    /// way round.
    now: RwLock<Arc<Moment>>,
    /// Held by the one who makes the next moment.
    changing: Mutex<()>,
}

/// The index at one revision.
#[derive(Default)]
struct Moment {
    revision: u64,
    rows: Rows,
}

impl Shared {
    fn now(&self) -> Arc<Moment> {
        self.now.read().clone()
    }
}

impl ExactScan {
    /// An empty index.
    pub fn new(vectors: &Vectors) -> Self {
        Self { origin: vectors.origin.clone(), dimensions: vectors.dimensions, shared: Arc::default() }
    }

    /// All rows as they are at the moment.
    pub(super) fn rows(&self) -> Vec<VectorRow> {
        self.shared.now().rows.all()
    }

    /// An error for a vector that cannot be compared with those here.
    pub(super) fn check(&self, vector: &[f32]) -> Result<(), IndexError> {
        if vector.len() != self.dimensions || vector.is_empty() {
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

#[async_trait]
impl VectorIndex for ExactScan {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn revision(&self) -> u64 {
        self.shared.now().revision
    }

    fn len(&self) -> usize {
        self.shared.now().rows.len()
    }

    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError> {
        for row in &batch.added {
            self.check(&row.vector)?;
        }
        let (shared, dimensions) = (self.shared.clone(), self.dimensions);
        let work = move || {
            let _alone = shared.changing.lock();
            let before = shared.now();
            let rows = before.rows.changed(dimensions, &batch.removed, &batch.added, deadline)?;
            *shared.now.write() = Arc::new(Moment { revision: batch.revision, rows });
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
        let now = self.shared.now();
        blocking(move || now.rows.nearest(&query, k, &filter, deadline)).await
    }

    async fn score(
        &self,
        query: Arc<[f32]>,
        chunks: Arc<[u64]>,
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        self.check(&query)?;
        let now = self.shared.now();
        blocking(move || now.rows.scores(&query, &chunks, deadline)).await
    }

    async fn close(&self) -> Result<(), IndexError> {
        Ok(())
    }
}
