//! The store itself: its state behind a mutex, and what a commit is.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use lastro::store::{Blobs, OpenError, Result, StagedBlob, Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::state::{State, fresh_id};

/// A store that ends with its process. Nothing in it is fast: each commit copies all that there is.
///
/// Calls block, for as long as it takes to name or to remove an original.
pub struct MemoryStore {
    identity: String,
    blobs: Blobs,
    /// Whether no original was there before it: none is another store's.
    pub(super) is_alone: bool,
    state: Mutex<State>,
    pub(super) removed: Notify,
}

impl MemoryStore {
    /// Makes an empty one, with the originals in this folder.
    pub fn open(data: &Path) -> std::result::Result<Self, OpenError> {
        let blobs = Blobs::open(data)?;
        Ok(Self {
            identity: fresh_id("")?,
            is_alone: blobs.all()?.is_empty(),
            blobs,
            state: Mutex::default(),
            removed: Notify::new(),
        })
    }

    /// Reads: what is seen is one moment.
    pub(super) fn read<T>(&self, work: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        work(&self.state.lock())
    }

    /// Reads, unless it is too late.
    pub(super) fn read_before<T>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&State) -> Result<T>,
    ) -> Result<T> {
        if Instant::now() >= deadline { Err(StoreError::Deadline) } else { self.read(work) }
    }

    /// Writes: all of it, or nothing where it fails.
    pub(super) fn write<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.commit(None, work)
    }

    /// Writes, and gives bytes their name before a record has it.
    pub(super) fn write_bytes<T>(
        &self,
        bytes: StagedBlob,
        work: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.commit(Some(bytes), work)
    }

    /// The work is done on a copy, which takes the place of the state. Bytes that no record names any more go after that.
    fn commit<T>(&self, bytes: Option<StagedBlob>, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(StoreError::Closed);
        }
        let mut next = state.clone();
        let value = work(&mut next)?;
        if let Some(bytes) = bytes {
            self.blobs.adopt(bytes)?;
        }
        let before = std::mem::replace(&mut *state, next);
        let (named_before, named) = (before.originals(), state.originals());
        let gone: Vec<String> = named_before.difference(&named).cloned().collect();
        self.blobs.remove(&gone);
        if !before.holdings().is_subset(&state.holdings()) {
            self.removed.notify_one();
        }
        Ok(value)
    }
}

impl Store for MemoryStore {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn blobs(&self) -> &Blobs {
        &self.blobs
    }
}

impl State {
    /// Names of the bytes that files have.
    pub fn originals(&self) -> BTreeSet<String> {
        self.files.iter().map(|file| file.record.sha256.clone()).collect()
    }
}
