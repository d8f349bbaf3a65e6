//! A graph of near vectors (HNSW), for many chunks.
//!
//! A generation is a graph in a file, which never changes, and what was added and removed since. hnsw_rs builds graphs; the
//! file is read where it lies, by code of ours. Once much has changed, the next generation is built beside it.
//!
//! | file | what it is |
//! |---|---|
//! | [`state`] | what a search reads: graph, rows that are gone, rows that were added |
//! | [`walk`], [`layer`] | the search of a graph |
//! | [`admitted`] | filters: walked through, or all that is admitted compared |
//! | [`rebuild`] | the next generation |
//! | [`build`], [`refine`], [`repair`], [`threads`], [`table`] | a graph out of rows |
//! | [`folder`], [`file`], [`header`], [`log`] | the files |

mod admitted;
mod build;
mod file;
mod folder;
mod header;
mod layer;
mod log;
mod rebuild;
mod refine;
mod repair;
mod shared;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod walk;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::sync::Mutex;

use self::shared::{Shared, Writer, batches};
use self::state::{State, merged};
use super::choice::Choice;
use super::filter::Filter;
use super::vectors::{VectorBatch, VectorIndex, Vectors};
use super::{IndexError, Scored};
use crate::tasks::{blocking, to_its_end};

/// Vectors that are compared one by one while they are few, and searched by a graph once they are many.
pub struct Hnsw {
    shared: Arc<Shared>,
}

impl Hnsw {
    /// Opens what is kept of these vectors: what of it is damaged or foreign is removed.
    pub(super) async fn open(wanted: &Vectors, choice: Choice) -> Result<Self, IndexError> {
        let vectors = wanted.clone();
        let found = match blocking(move || folder::open(&vectors)).await {
            // What cannot be kept there can be searched all the same, once it was read from the store.
            Err(IndexError::Io(error)) => {
                tracing::warn!(%error, folder = %wanted.folder.display(), "no files of a vector index can be read");
                folder::Found::default()
            }
            found => found?,
        };
        let state = State::new(found.generation, found.base, wanted).await?;
        for batch in found.batches {
            state.apply(batch).await?;
        }
        let shared = Arc::new(Shared {
            wanted: wanted.clone(),
            choice,
            state: RwLock::new(Arc::new(state)),
            writer: Mutex::new(Writer { log: found.log, unseen: None }),
            walkers: Default::default(),
            damaged: Default::default(),
            building: Default::default(),
            not_before: Default::default(),
            stop: Default::default(),
        });
        check_in_background(&shared);
        rebuild::consider(&shared).await;
        Ok(Self { shared })
    }

    fn usable(&self) -> Result<Arc<State>, IndexError> {
        if self.shared.damaged.load(Ordering::Acquire) {
            return Err(IndexError::Damaged(self.shared.wanted.folder.display().to_string()));
        }
        Ok(self.shared.state())
    }
}

/// Reads all of a graph once, while it answers already: each place that it names is looked at before it is used, so that
/// damage can mislead it, and no worse, until then.
fn check_in_background(shared: &Arc<Shared>) {
    if let Some(base) = shared.state().base.clone() {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || {
            if base.check(&shared.stop) == Some(false) {
                shared.found_damaged(&base);
            }
        });
    }
}

impl Drop for Hnsw {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl VectorIndex for Hnsw {
    fn origin(&self) -> &str {
        &self.shared.wanted.origin
    }

    fn revision(&self) -> u64 {
        self.shared.state().revision()
    }

    fn len(&self) -> usize {
        self.shared.state().len()
    }

    fn is_damaged(&self) -> bool {
        self.shared.damaged.load(Ordering::Acquire)
    }

    fn is_building(&self) -> bool {
        self.shared.building.load(Ordering::Acquire)
    }

    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError> {
        let state = self.usable()?;
        for row in &batch.added {
            state.tail.check(&row.vector)?;
        }
        let shared = self.shared.clone();
        to_its_end(async move { apply(&shared, batch, deadline).await }).await
    }

    async fn search(
        &self,
        query: Arc<[f32]>,
        k: usize,
        filter: Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        let state = self.usable()?;
        state.tail.check(&query)?;
        if k == 0 {
            return Ok(Vec::new());
        }
        if state.base.is_none() {
            return state.tail.search(query, k, filter, deadline).await;
        }
        let (walked, shared) = (state.clone(), self.shared.clone());
        let (vector, admitted) = (query.clone(), filter.clone());
        let graph = blocking(move || walked.search(&shared.walkers, &vector, k, &admitted, deadline));
        let tail = async {
            match state.tail.is_empty() {
                true => Ok(Vec::new()),
                false => state.tail.search(query, k, filter, deadline).await,
            }
        };
        let (tail, graph) = tokio::try_join!(tail, graph)?;
        Ok(merged(tail, graph, k))
    }

    async fn score(
        &self,
        query: Arc<[f32]>,
        chunks: Arc<[u64]>,
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        let state = self.usable()?;
        state.tail.check(&query)?;
        let tail = state.tail.score(query.clone(), chunks.clone(), deadline);
        if state.base.is_none() {
            return tail.await;
        }
        let scored = state.clone();
        let graph = blocking(move || scored.score(&query, &chunks, deadline));
        let (tail, graph) = tokio::try_join!(tail, graph)?;
        Ok(tail.into_iter().zip(graph).map(|(tail, graph)| tail.or(graph)).collect())
    }

    async fn close(&self) -> Result<(), IndexError> {
        let shared = self.shared.clone();
        // What is being built is built anew: it would take longer than anybody waits.
        shared.stop.store(true, Ordering::Relaxed);
        to_its_end(async move {
            let mut writer = shared.writer.lock().await;
            let state = shared.state();
            if writer.log.is_none() && keeps(&shared, &state) {
                writer.log = Some(shared.begin_log(&state).await?);
            }
            let Some(log) = writer.log.take() else { return Ok(()) };
            let (log, synced) = blocking(move || {
                let synced = log.sync();
                Ok::<_, IndexError>((log, synced))
            })
            .await?;
            writer.log = Some(log);
            synced
        })
        .await
    }
}

/// Whether there is so much that it is kept.
fn keeps(shared: &Shared, state: &State) -> bool {
    !shared.damaged.load(Ordering::Acquire)
        && (state.base.is_some() || (state.len() >= shared.choice.keep_from && state.revision() > 0))
}

/// Writes changes down, and applies them.
async fn apply(shared: &Arc<Shared>, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError> {
    {
        let mut writer = shared.writer.lock().await;
        // Looked at before the first change: what is begun is finished.
        if Instant::now() >= deadline {
            return Err(IndexError::Deadline);
        }
        let state = shared.state();
        if let Some(mut log) = writer.log.take() {
            let (removed, added) = (batch.removed.clone(), batch.added.clone());
            let written = batches(removed, added, state.revision(), batch.revision);
            let (log, appended) = blocking(move || {
                let appended = log.append(&written);
                Ok::<_, IndexError>((log, appended))
            })
            .await?;
            writer.log = Some(log);
            appended?;
        }
        if let Some(unseen) = &mut writer.unseen {
            unseen.push(batch.clone());
        }
        state.apply(batch).await?;
        if writer.log.is_none() && keeps(shared, &state) {
            match shared.begin_log(&state).await {
                Ok(log) => writer.log = Some(log),
                // It answers all the same, and is read from the store at the next start.
                Err(error) => tracing::warn!(%error, "a vector index is not kept"),
            }
        }
    }
    rebuild::consider(shared).await;
    Ok(())
}
