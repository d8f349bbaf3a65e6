//! The two indexes of one collection, and what is done to both.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::CollectionError;
use super::meaning::Meaning;
use super::runs::Runs;
use super::uses::Uses;
use super::words::Words;
use crate::index::{IndexError, LexicalIndex};
use crate::store::{CollectionId, Revision, Store, StoreError};
use crate::tasks::blocking;

/// What finds the chunks of one collection. Each index follows the store in runs of its own: words take milliseconds where
/// vectors may take seconds, so those who need the words do not wait for the vectors.
pub(super) struct Indexes {
    /// Holds the files of both.
    folder: PathBuf,
    pub words: Words,
    pub meaning: Meaning,
    /// Runs that bring the words up to date.
    pub words_runs: Runs,
    /// Runs that bring the vectors up to date.
    pub meaning_runs: Runs,
    /// Who uses them, so that they are not closed meanwhile.
    pub uses: Uses,
}

impl Indexes {
    /// The indexes of a collection below the folder of all indexes. None is opened yet.
    pub fn new(all: &Path, id: &CollectionId) -> Self {
        let folder = all.join(&id.0);
        Self {
            words: Words::new(LexicalIndex::folder(all, &id.0)),
            meaning: Meaning::new(folder.join("vectors")),
            words_runs: Runs::default(),
            meaning_runs: Runs::default(),
            uses: Uses::default(),
            folder,
        }
    }

    /// Whether the words are open, and behind this revision.
    pub fn words_lag(&self, newest: Revision) -> bool {
        self.words.revision().is_some_and(|revision| revision < newest)
    }

    /// Writes files anew that hold words of removed chunks, once nobody works on them.
    pub async fn purge(&self) -> Result<(), CollectionError> {
        let _nobody_else = self.words_runs.pause().await;
        self.words.purge().await
    }

    /// Compares the files of an index of words with their checksums, with nobody who writes, if it still answers.
    pub async fn check(&self, index: &Arc<LexicalIndex>) -> Result<(), IndexError> {
        let _nobody_writes = self.words_runs.pause().await;
        match self.words.answering().filter(|answering| Arc::ptr_eq(answering, index)) {
            Some(index) => blocking(move || index.check()).await,
            None => Ok(()),
        }
    }

    /// Lets the store forget the removals that both indexes have followed, once no file holds words of them: a start finds
    /// such a file by the removals. `with_vectors` says that there are vectors to
    /// follow them.
    pub async fn forget_removals(
        &self,
        store: &dyn Store,
        id: &CollectionId,
        with_vectors: bool,
    ) -> Result<(), CollectionError> {
        let _nobody_follows = self.words_runs.pause().await;
        let _either = self.meaning_runs.pause().await;
        self.words.purge().await?;
        self.forget_followed(store, id, with_vectors).await
    }

    async fn forget_followed(
        &self,
        store: &dyn Store,
        id: &CollectionId,
        with_vectors: bool,
    ) -> Result<(), CollectionError> {
        // What is not open may stand anywhere, and files that hold removed words are known by the removals.
        let Some(words) = self.words.revision().filter(|_| !self.words.holds_removed()) else {
            return Ok(());
        };
        let until = match self.meaning.revision() {
            Some(meaning) => meaning.min(words),
            None if with_vectors => return Ok(()),
            None => words,
        };
        Ok(store.forget_removals(id, until).await?)
    }

    /// Whether any is open.
    pub fn are_open(&self) -> bool {
        self.words.answering().is_some() || self.meaning.revision().is_some()
    }

    /// When they were used last, if ever. None while somebody uses them, or one of them does work that closing would throw
    /// away.
    pub fn idle_since(&self) -> Option<Option<Instant>> {
        self.uses.idle_since().filter(|_| !self.meaning.is_building())
    }

    /// Bytes that the vectors take where they are in memory.
    pub fn vector_bytes(&self) -> u64 {
        self.meaning.bytes()
    }

    /// Closes both, unless somebody uses or changes them: then, or after an error, they stay open. What is closed holds no
    /// words of removed chunks, and is opened by the next run.
    pub async fn close(
        &self,
        store: &dyn Store,
        id: &CollectionId,
        with_vectors: bool,
    ) -> Result<bool, CollectionError> {
        let (Some(_nobody_follows), Some(_either)) =
            (self.words_runs.try_pause(), self.meaning_runs.try_pause())
        else {
            return Ok(false);
        };
        self.words.purge().await?;
        match self.forget_followed(store, id, with_vectors).await {
            // Removed meanwhile.
            Err(CollectionError::Store(StoreError::NotFound(_))) => {}
            forgotten => forgotten?,
        }
        let dense = {
            let Some(_nobody_begins) = self.uses.nobody() else { return Ok(false) };
            self.words.close();
            self.meaning.take()
        };
        // Who opens it next waits for the pause, and finds it written.
        if let Some(dense) = dense {
            dense.index.close().await?;
        }
        Ok(true)
    }

    /// Deletes both for good, once nobody works on them: who reads vectors then would write them down again.
    pub async fn discard(&self) -> Result<(), CollectionError> {
        let _nobody_else = self.words_runs.pause().await;
        let _either = self.meaning_runs.pause().await;
        self.words.discard().await?;
        drop(self.meaning.take());
        let folder = self.folder.clone();
        Ok(blocking(move || LexicalIndex::remove(&folder)).await?)
    }
}
