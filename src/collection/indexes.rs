//! The two indexes of one collection, and what is done to both.

use std::path::{Path, PathBuf};

use super::CollectionError;
use super::meaning::Meaning;
use super::runs::Runs;
use super::words::Words;
use crate::index::LexicalIndex;
use crate::store::{CollectionId, Revision, Store};
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

    /// Lets the store forget the removals that both indexes have followed.
    pub async fn forget_removals(&self, store: &dyn Store, id: &CollectionId) -> Result<(), CollectionError> {
        let _nobody_follows = self.words_runs.pause().await;
        let _either = self.meaning_runs.pause().await;
        // An index that is yet to be read begins with what there is then.
        let Some(words) = self.words.revision() else { return Ok(()) };
        let until = self.meaning.revision().map_or(words, |meaning| meaning.min(words));
        Ok(store.forget_removals(id, until).await?)
    }

    /// Deletes both for good, once nobody works on the words.
    pub async fn discard(&self) -> Result<(), CollectionError> {
        let _nobody_else = self.words_runs.pause().await;
        self.words.discard().await?;
        let folder = self.folder.clone();
        Ok(blocking(move || LexicalIndex::remove(&folder)).await?)
    }
}
