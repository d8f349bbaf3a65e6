//! What the calls of an index and the work behind them share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::file::Base;
use super::folder;
use super::log::{Head, Log};
use super::state::State;
use super::walk::Walkers;
use crate::index::IndexError;
use crate::index::choice::{Choice, Standing};
use crate::index::vectors::{VectorBatch, VectorRow, Vectors};
use crate::tasks::blocking;

/// Rows of one record, where all that is in memory is written down.
const ROWS_OF_A_RECORD: usize = 4096;

pub(super) struct Shared {
    pub wanted: Vectors,
    pub choice: Choice,
    /// What a search reads. It is replaced as a whole, so that none waits.
    pub state: RwLock<Arc<State>>,
    /// Who changes something holds this.
    pub writer: Mutex<Writer>,
    pub walkers: Walkers,
    /// Whether a file turned out to be damaged: nothing is answered any more.
    pub damaged: AtomicBool,
    pub building: AtomicBool,
    /// After a build that failed, how many chunks there must be for another one.
    pub not_before: AtomicUsize,
    /// Set when nobody wants what is under way.
    pub stop: AtomicBool,
}

#[derive(Default)]
pub(super) struct Writer {
    /// The changes since the graph was built, or all of them; none where there is too little to keep.
    pub log: Option<Log>,
    /// The changes since a build began, which it has not seen.
    pub unseen: Option<Vec<VectorBatch>>,
}

impl Shared {
    pub fn state(&self) -> Arc<State> {
        self.state.read().clone()
    }

    pub fn standing(&self, state: &State, writer: &Writer) -> Standing {
        let (rows, dead) = state.graph_rows();
        Standing {
            graph: state.base.is_some().then_some(rows),
            dead,
            tail: state.len() - (rows - dead),
            written: writer.log.as_ref().map_or(0, Log::rows),
        }
    }

    /// Notes that a graph's file is damaged: what it holds is to be read from the store again.
    pub fn found_damaged(&self, base: &Base) -> IndexError {
        self.damaged.store(true, Ordering::Release);
        let file = base.path().display().to_string();
        tracing::error!(
            file,
            "a vector index is damaged: it answers no more, and is built anew from the store"
        );
        IndexError::Damaged(file)
    }

    /// Begins a log with all that is not in the graph.
    pub async fn begin_log(&self, state: &State) -> Result<Log, IndexError> {
        let revision = state.revision();
        let head = self.head(state);
        let batches = batches(state.dead_chunks(), state.tail_rows(), head.revision, revision);
        let (folder, generation) = (self.wanted.folder.clone(), state.generation);
        blocking(move || {
            std::fs::create_dir_all(&folder)?;
            Log::create(&folder::log_path(&folder, generation), &head, &batches)
        })
        .await
    }

    /// What the log of this generation is of.
    pub fn head(&self, state: &State) -> Head {
        Head {
            origin: self.wanted.origin.clone(),
            dimensions: self.wanted.dimensions as u32,
            of_graph: state.base.is_some(),
            revision: state.base.as_ref().map_or(0, |base| base.revision()),
        }
    }
}

/// Changes that lead from one revision to another, in records that are not too long. Where a part of them is lost, what is
/// left is of the first revision.
pub(super) fn batches(removed: Vec<u64>, rows: Vec<VectorRow>, from: u64, to: u64) -> Vec<VectorBatch> {
    let mut batches = vec![VectorBatch { revision: from, removed, added: Vec::new() }];
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let added = rows.by_ref().take(ROWS_OF_A_RECORD).collect();
        batches.push(VectorBatch { revision: from, removed: Vec::new(), added });
    }
    if let Some(last) = batches.last_mut() {
        last.revision = to;
    }
    batches
}
