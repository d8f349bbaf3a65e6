//! How everything stands, for metrics.

use std::time::{Duration, Instant};

use super::App;
use crate::embed::State;
use crate::store::{Holdings, StoreError, room};
use crate::telemetry::{CollectionSize, Standing};

/// What takes less is looked up whenever somebody asks.
const LONG: Duration = Duration::from_millis(50);
/// What takes longer is looked up for one part of so many of the time.
const SHARE: u32 = 20;

impl App {
    /// What is looked up when metrics are read.
    pub async fn standing(&self, deadline: Instant) -> Result<Standing, StoreError> {
        let holdings = self.holdings(deadline).await?;
        let ended = self.ingest.ended();
        let model = self.embeddings.as_ref();
        let collections = holdings.collections.into_iter().map(|held| CollectionSize {
            collection: held.id.0,
            documents: held.documents,
            chunks: held.chunks,
            bytes: held.bytes,
        });
        Ok(Standing {
            upstream_errors: self.upstream.failures().counts(),
            upstream_up: self.upstream.failures().is_up(),
            rerank_failures: self.reranking.as_ref().map(|reranking| reranking.failures()),
            queued_documents: holdings.jobs,
            completed_documents: ended.completed,
            failed_documents: ended.failed,
            queued_texts: model.map_or(0, |model| model.waiting() as u64),
            collections: collections.collect(),
            open_collections: self.catalog.open_collections() as u64,
            model_ready: model.map(|model| matches!(model.state(), State::Ready(_))),
            free_bytes: free_bytes(&self.config.data),
        })
    }
}

/// What the store held a moment ago, and what it took to find out.
pub(super) struct Looked {
    at: Instant,
    took: Duration,
    holdings: Holdings,
}

impl Looked {
    /// To count what many collections hold takes a small share of the time, however often somebody asks.
    fn holds(&self) -> bool {
        self.took >= LONG && self.at.elapsed() < self.took * SHARE
    }
}

impl App {
    async fn holdings(&self, deadline: Instant) -> Result<Holdings, StoreError> {
        if let Some(looked) = self.looked.lock().as_ref().filter(|looked| looked.holds()) {
            return Ok(looked.holdings.clone());
        }
        let began = Instant::now();
        let holdings = self.store.holdings(deadline).await?;
        let looked = Looked { at: Instant::now(), took: began.elapsed(), holdings: holdings.clone() };
        *self.looked.lock() = Some(looked);
        Ok(holdings)
    }
}

/// Room for users other than root on a folder's file system.
fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    match room(folder) {
        Ok(room) => Some(room.free_bytes),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "the free space is not known");
            None
        }
    }
}
