//! The vectors of one collection: which index answers, and how it follows the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::{CollectionError, EmbeddingModel};
use crate::index::{ExactScan, VectorBatch, VectorIndex, VectorRow};
use crate::store::{CollectionId, Revision, Store};

/// Bringing an index up to date is bounded only by work, not by a waiting client.
const APPLY_DEADLINE: Duration = Duration::from_secs(600);
/// Vectors read at a time: all of a large collection would be in memory twice.
const VECTORS_AT_ONCE: usize = 4096;

/// An index of vectors, and the model that made them.
#[derive(Clone)]
pub(super) struct Dense {
    pub index: Arc<dyn VectorIndex>,
    pub model: Arc<EmbeddingModel>,
}

/// What is found by meaning.
#[derive(Default)]
pub(super) struct Meaning {
    answering: RwLock<Option<Dense>>,
}

impl Meaning {
    /// The vectors, if they are of this model and there are any.
    pub fn answering(&self, model: &EmbeddingModel) -> Option<Dense> {
        let dense = self.answering.read().clone()?;
        (dense.model.fingerprint == model.fingerprint && !dense.index.is_empty()).then_some(dense)
    }

    /// The revision at which the index stands, if there is one.
    pub fn revision(&self) -> Option<Revision> {
        self.answering.read().as_ref().map(|dense| dense.index.revision())
    }

    /// Brings the vectors of a model to the store's revision. Those that are read for the first time are searched once
    /// all of them are there: a part of them would hide what the rest would find. One at a time does this.
    pub async fn follow(
        &self,
        store: &dyn Store,
        id: &CollectionId,
        model: Arc<EmbeddingModel>,
    ) -> Result<(), CollectionError> {
        let record = store.collection(id).await?;
        let newest = record.revision;
        let current = self.answering.read().clone();
        let dense = match current {
            Some(dense)
                if dense.model.fingerprint == model.fingerprint
                    && (record.removals_since..=newest).contains(&dense.index.revision()) =>
            {
                dense
            }
            _ => Dense { index: Arc::new(ExactScan::new(model.dimensions)), model: model.clone() },
        };
        while dense.index.revision() < newest {
            let since = dense.index.revision();
            let changes = store.vector_changes(id, &model.fingerprint, since, VECTORS_AT_ONCE).await?;
            let added = changes
                .added
                .into_iter()
                .map(|(chunk, document, vector)| VectorRow { chunk, document, vector })
                .collect();
            let batch = VectorBatch { revision: changes.revision, removed: changes.removed, added };
            dense.index.apply(batch, Instant::now() + APPLY_DEADLINE).await?;
        }
        *self.answering.write() = Some(dense);
        Ok(())
    }
}
