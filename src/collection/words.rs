//! The words of one collection: which index answers, and how it follows the store.

use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::{CollectionError, Settings, with_headings};
use crate::index::{IndexError, Languages, LexicalBatch, LexicalIndex, LexicalRow};
use crate::store::{ChunkMark, CollectionRecord, Revision, Store, room};
use crate::tasks::blocking;

/// Bytes of text read at a time: all of a large collection would be in memory at once.
const TEXT_AT_ONCE: usize = 8 << 20;
/// Room that even a small index takes while it is built.
const LEAST_ROOM: u64 = 2 << 20;

/// What is found by words. One at a time calls what changes it; any number search meanwhile.
pub(super) struct Words {
    folder: PathBuf,
    answering: RwLock<Option<Answering>>,
    /// What a search found out about the index that answers.
    trust: Mutex<Trust>,
    /// Whether leftovers of the last process were removed.
    cleared: AtomicBool,
}

#[derive(Clone)]
struct Answering {
    index: Arc<LexicalIndex>,
    revision: Revision,
}

/// How far an index is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// As it is in memory.
    #[default]
    Full,
    /// Once it is opened anew, and its files agree with their checksums.
    Checked,
    /// Not at all: it is built from the store.
    None,
}

impl Trust {
    /// The next step down.
    pub fn less(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Checked),
            Self::Checked => Some(Self::None),
            Self::None => None,
        }
    }
}

impl Words {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            answering: RwLock::default(),
            trust: Mutex::default(),
            cleared: AtomicBool::new(false),
        }
    }

    /// The index, once there is one. It may lag, and goes on answering while another one is built.
    pub fn answering(&self) -> Option<Arc<LexicalIndex>> {
        self.answering.read().as_ref().map(|answering| answering.index.clone())
    }

    /// The index, where its files are still to be compared with their checksums.
    pub fn unchecked(&self) -> Option<Arc<LexicalIndex>> {
        self.answering().filter(|index| index.is_unchecked())
    }

    /// Takes the index out of memory. The next [`Self::follow`] opens it again.
    pub fn close(&self) {
        *self.answering.write() = None;
    }

    /// Where the index that answers stands.
    pub fn revision(&self) -> Option<Revision> {
        self.answering.read().as_ref().map(|answering| answering.revision)
    }

    /// Notes that an index broke in a search: it answers no more, and the next [`Self::follow`] believes it no further
    /// than this.
    pub fn distrust(&self, index: &Arc<LexicalIndex>, trust: Trust) {
        let mut answering = self.answering.write();
        // Another one may have taken its place.
        if answering.as_ref().is_some_and(|answering| Arc::ptr_eq(&answering.index, index)) {
            *answering = None;
            let mut known = self.trust.lock();
            *known = trust.max(*known);
        }
    }

    /// Brings the index to the store's revision, opening it where it was not. It is built anew where there is none, or one
    /// of other languages or another store, or a damaged one; and for no other reason.
    pub async fn follow(&self, store: &dyn Store, record: &CollectionRecord) -> Result<(), CollectionError> {
        let mut trust = std::mem::take(&mut *self.trust.lock());
        loop {
            match self.follow_trusting(store, record, trust).await {
                Err(CollectionError::Index(IndexError::Damaged(error))) if trust < Trust::None => {
                    trust = trust.less().unwrap_or(Trust::None);
                    tracing::warn!(error, collection = record.id.0, next = ?trust, "lexical index is damaged");
                }
                Err(error) => {
                    let mut known = self.trust.lock();
                    *known = trust.max(*known);
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn follow_trusting(
        &self,
        store: &dyn Store,
        record: &CollectionRecord,
        trust: Trust,
    ) -> Result<(), CollectionError> {
        if trust > Trust::Full {
            *self.answering.write() = None;
        }
        let current = self.answering.read().clone();
        let found = match current {
            None if trust < Trust::None => self.open(store, record, trust).await?,
            current => current,
        };
        match found {
            Some(found) if *found.index.languages() == languages(record)? => {
                let filled = match found.revision < record.revision {
                    true => fill(store, record, &found.index, found.revision).await,
                    false => Ok(found.revision),
                };
                // One that comes no further now answers as far as it came, also one that was just opened.
                if !matches!(filled, Err(CollectionError::Index(IndexError::Damaged(_)))) {
                    let revision = *filled.as_ref().unwrap_or(&found.revision);
                    self.answer(found.index, revision);
                }
                filled?;
            }
            found => {
                // One of other languages finds less, and does not lie.
                let answers = found.is_some();
                if let Some(found) = found {
                    self.answer(found.index, found.revision);
                }
                let (index, revision) = self.build(store, record, answers).await?;
                self.answer(index, revision);
            }
        }
        Ok(())
    }

    fn answer(&self, index: Arc<LexicalIndex>, revision: Revision) {
        *self.answering.write() = Some(Answering { index, revision });
    }

    async fn open(
        &self,
        store: &dyn Store,
        record: &CollectionRecord,
        trust: Trust,
    ) -> Result<Option<Answering>, CollectionError> {
        let (folder, identity) = (self.folder.clone(), store.identity().to_owned());
        let clear = !self.cleared.swap(true, Ordering::Relaxed);
        let all = trust == Trust::Checked;
        let (oldest, newest) = (record.removals_since, record.revision);
        let opened = blocking(move || {
            if clear {
                LexicalIndex::clear_leftovers(&folder)?;
            }
            let Some(index) = LexicalIndex::open(&folder, &identity)? else { return Ok(None) };
            if all && index.is_unchecked() {
                index.check()?;
            }
            let revision = index.revision()?;
            // Ahead of the store, it belongs to another past; far behind, it holds what nobody knows to have been removed.
            Ok::<_, IndexError>(
                (revision <= newest && (revision >= oldest || index.is_empty()))
                    .then(|| Answering { index: Arc::new(index), revision }),
            )
        });
        Ok(opened.await?)
    }

    async fn build(
        &self,
        store: &dyn Store,
        record: &CollectionRecord,
        other_answers: bool,
    ) -> Result<(Arc<LexicalIndex>, Revision), CollectionError> {
        let (folder, identity) = (self.folder.clone(), store.identity().to_owned());
        let languages = languages(record)?;
        let begun = blocking(move || {
            make_room(&folder, other_answers)?;
            LexicalIndex::begin_beside(&folder, &identity, languages)
        })
        .await?;
        let begun = Arc::new(begun);
        let filled = fill(store, record, &begun, 0).await;
        let folder = self.folder.clone();
        match filled {
            Ok(revision) => {
                let begun = Arc::into_inner(begun)
                    .ok_or_else(|| CollectionError::Worker("an index that nobody knows is in use".into()))?;
                let index = blocking(move || begun.take_place(&folder)).await?;
                Ok((Arc::new(index), revision))
            }
            Err(error) => {
                drop(begun);
                if let Err(left) = blocking(move || LexicalIndex::clear_leftovers(&folder)).await {
                    tracing::warn!(error = %left, collection = record.id.0, "an unfinished index stays for now");
                }
                Err(error)
            }
        }
    }

    /// Whether files hold words of removed chunks.
    pub fn holds_removed(&self) -> bool {
        self.answering().is_some_and(|index| index.holds_removed())
    }

    /// Writes those files anew, where there are some.
    pub async fn purge(&self) -> Result<(), CollectionError> {
        match self.answering().filter(|index| index.holds_removed()) {
            Some(index) => Ok(blocking(move || index.purge()).await?),
            None => Ok(()),
        }
    }

    /// Deletes the index for good.
    pub async fn discard(&self) -> Result<(), CollectionError> {
        *self.answering.write() = None;
        let folder = self.folder.clone();
        let removed = blocking(move || {
            LexicalIndex::clear_leftovers(&folder)?;
            LexicalIndex::remove(&folder)
        });
        Ok(removed.await?)
    }
}

/// The languages of a collection's documents: the one that is set for it, else each document's own. Of one that does
/// not show its own, it is the first that was detected.
fn languages(record: &CollectionRecord) -> Result<Languages, CollectionError> {
    let set = Settings::from_json(&record.settings)?.language;
    Ok(match (set, record.language.clone()) {
        (Some(set), _) => Languages::Only(set),
        (None, Some(first)) => Languages::OwnOr(first),
        (None, None) => Languages::Own,
    })
}

/// Takes over all changes after a revision, part by part.
async fn fill(
    store: &dyn Store,
    record: &CollectionRecord,
    index: &Arc<LexicalIndex>,
    since: Revision,
) -> Result<Revision, CollectionError> {
    let mut mark = ChunkMark::at(since);
    loop {
        let changes = store.chunk_changes(&record.id, mark, TEXT_AT_ONCE).await?;
        mark = changes.until;
        // A revision raised by vectors alone changes no word: nothing to write, unless there is no revision yet.
        let nothing = changes.removed.is_empty() && changes.added.is_empty();
        if !nothing {
            let added = changes.added.into_iter().map(|chunk| LexicalRow {
                chunk: chunk.id,
                document: chunk.document,
                language: chunk.language,
                text: with_headings(&chunk.headings, &chunk.text),
            });
            let batch =
                LexicalBatch { revision: mark.revision, removed: changes.removed, added: added.collect() };
            let index = index.clone();
            blocking(move || index.apply(&batch)).await?;
        }
        if !changes.more {
            return Ok(mark.revision);
        }
    }
}

/// Makes sure of the room for an index beside the present one. One that does not answer gives its own.
fn make_room(folder: &std::path::Path, answers: bool) -> Result<(), IndexError> {
    LexicalIndex::check_room(folder)?;
    // As large as the present one, and again while its parts are put together.
    let wanted = 2 * LexicalIndex::size(folder)? + LEAST_ROOM;
    let parent = folder.parent().unwrap_or(folder);
    if room(parent)?.free_bytes >= wanted {
        return Ok(());
    }
    if answers {
        let short = format!("building it anew beside the present one takes {wanted} bytes");
        return Err(Error::new(ErrorKind::StorageFull, short).into());
    }
    LexicalIndex::remove(folder)
}
