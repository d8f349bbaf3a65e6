//! The vectors of one collection: which index answers, and how it follows the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::CollectionError;
use crate::embed::ModelInfo;
use crate::index::{VectorBatch, VectorIndex, VectorRow, Vectors, open_vectors, remove_vectors};
use crate::store::{CollectionId, CollectionRecord, Revision, Store};

/// Bringing an index up to date is bounded only by work, not by a waiting client.
const APPLY_DEADLINE: Duration = Duration::from_secs(600);
/// Vectors read at a time: all of a large collection would be in memory twice.
const VECTORS_AT_ONCE: usize = 4096;

/// An index of vectors, and the model that made them.
#[derive(Clone)]
pub(super) struct Dense {
    pub index: Arc<dyn VectorIndex>,
    pub model: Arc<ModelInfo>,
}

impl Dense {
    /// Whether it answers for this model.
    fn is_of(&self, model: &ModelInfo) -> bool {
        self.model.fingerprint == model.fingerprint && !self.index.is_damaged()
    }
}

/// What is found by meaning.
pub(super) struct Meaning {
    folder: PathBuf,
    answering: RwLock<Option<Dense>>,
    /// Since when a question waits for vectors that are not in memory.
    awaited: Mutex<Option<Instant>>,
    /// Bytes of the vectors of the index that answers.
    bytes: AtomicU64,
}

impl Meaning {
    /// Nothing is open. The folder is for an index that outlives the process.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, answering: RwLock::default(), awaited: Mutex::default(), bytes: AtomicU64::new(0) }
    }

    /// The vectors, if they are of this model and there are any.
    pub fn answering(&self, model: &ModelInfo) -> Option<Dense> {
        let dense = self.answering.read().clone()?;
        (dense.is_of(model) && !dense.index.is_empty()).then_some(dense)
    }

    /// Whether there is an index of this model, which may be empty. One whose files are damaged is as good as none.
    pub fn is_open(&self, model: &ModelInfo) -> bool {
        self.answering.read().as_ref().is_some_and(|dense| dense.is_of(model))
    }

    /// How much is left of a time that begins with the first who waits until the index is read: those who come later do not
    /// begin anew.
    pub fn rest_of(&self, patience: Duration) -> Duration {
        let since = *self.awaited.lock().get_or_insert_with(Instant::now);
        patience.saturating_sub(since.elapsed())
    }

    /// Nobody waits any more until the index is read.
    pub fn was_read(&self) {
        *self.awaited.lock() = None;
    }

    /// Whether its index does work that closing would throw away.
    pub fn is_building(&self) -> bool {
        self.answering.read().as_ref().is_some_and(|dense| dense.index.is_building())
    }

    /// Bytes that its vectors take where they are in memory, as they were given.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes the index out of memory, to be closed. The next [`Self::follow`] opens it again.
    pub fn take(&self) -> Option<Dense> {
        self.bytes.store(0, Ordering::Relaxed);
        self.answering.write().take()
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
        model: Arc<ModelInfo>,
    ) -> Result<(), CollectionError> {
        let record = store.collection(id).await?;
        let newest = record.revision;
        let before = self.answering.read().clone();
        let dense = match before.clone().filter(|dense| dense.is_of(&model) && is_of(&record, &*dense.index))
        {
            Some(dense) => dense,
            None => {
                if let Some(before) = before {
                    self.give_up(before).await?;
                }
                Dense { index: self.open(store, &record, &model).await?, model: model.clone() }
            }
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
        let bytes = dense.index.len() * model.dimensions * size_of::<f32>();
        *self.answering.write() = Some(dense);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
        self.was_read();
        Ok(())
    }

    /// Ends what an index does in the folder, which another one is to have. It still answers, unless it is damaged.
    async fn give_up(&self, dense: Dense) -> Result<(), CollectionError> {
        if let Err(error) = dense.index.close().await {
            tracing::debug!(%error, "an index that another one replaces was not closed");
        }
        if dense.index.is_damaged() {
            *self.answering.write() = None;
            remove_vectors(&self.folder).await?;
        }
        Ok(())
    }

    /// The index of this model's vectors, as far as it can be brought to the store's revision.
    async fn open(
        &self,
        store: &dyn Store,
        record: &CollectionRecord,
        model: &ModelInfo,
    ) -> Result<Arc<dyn VectorIndex>, CollectionError> {
        let wanted = Vectors {
            origin: format!("{} {}", store.identity(), model.fingerprint),
            dimensions: model.dimensions,
            expected: store.document_counts(&record.id).await?.chunks as usize,
            folder: self.folder.clone(),
        };
        let index = open_vectors(&wanted).await?;
        let stands = match index.is_empty() {
            true => index.revision() <= record.revision,
            // Rows of no revision are a part of a first fill, of which nobody tells what was removed since.
            false => index.revision() > 0 && is_of(record, &*index),
        };
        if stands {
            return Ok(index);
        }
        // Ahead of the store, or so far behind that nobody knows what was removed.
        remove_vectors(&self.folder).await?;
        Ok(open_vectors(&wanted).await?)
    }

    /// Writes down what the index has not written yet.
    pub async fn close(&self) -> Result<(), CollectionError> {
        let dense = self.answering.read().clone();
        match dense {
            Some(dense) => Ok(dense.index.close().await?),
            None => Ok(()),
        }
    }
}

/// Whether the changes since an index's revision are known.
fn is_of(record: &CollectionRecord, index: &dyn VectorIndex) -> bool {
    (record.removals_since..=record.revision).contains(&index.revision())
}
