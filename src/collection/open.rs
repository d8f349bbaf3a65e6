//! One open collection: its settings, and its two indexes brought up to the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::{CollectionError, EmbeddingModel, Settings};
use crate::index::{
    ExactScan, IndexError, LexicalBatch, LexicalIndex, LexicalRow, VectorBatch, VectorIndex, VectorRow,
};
use crate::store::{CollectionId, CollectionRecord, Origin, Store};
use crate::system::now;

/// Bringing an index up to date is bounded only by work, not by a waiting client.
const APPLY_DEADLINE: Duration = Duration::from_secs(600);
/// Vectors read at a time: all of a large collection would be in memory twice.
const VECTORS_AT_ONCE: usize = 4096;

/// A collection that can be searched. Its indexes may lag behind the store and never lie:
/// what they find is read back from the store before it is shown.
pub struct Collection {
    pub id: CollectionId,
    pub origin: Origin,
    /// In the order of creation.
    pub number: i64,
    /// The key that made it.
    pub(super) owner: Option<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When it was last asked or changed, which is written down now and then.
    used: AtomicI64,
    written_use: AtomicI64,
    folder: PathBuf,
    described: RwLock<Described>,
    indexes: RwLock<Indexes>,
    /// One at a time brings the lexical index up to date.
    syncing_words: tokio::sync::Mutex<()>,
    /// And one at a time the vectors: who needs the words does not wait for these.
    syncing_meaning: tokio::sync::Mutex<()>,
}

struct Described {
    name: String,
    language: Option<String>,
    settings: Arc<Settings>,
    description: Option<String>,
    metadata: String,
    expires_days: Option<u32>,
    expired: bool,
}

impl Described {
    fn of(record: &CollectionRecord) -> Result<Self, CollectionError> {
        Ok(Self {
            name: record.name.clone(),
            language: record.language.clone(),
            settings: Arc::new(Settings::from_json(&record.settings)?),
            description: record.description.clone(),
            metadata: record.metadata.clone(),
            expires_days: record.expires_days,
            expired: record.expired,
        })
    }
}

/// When a collection's documents go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Days after the last use.
    pub days: u32,
    /// Seconds since 1970.
    pub at: i64,
}

const SECONDS_OF_A_DAY: i64 = 86_400;

#[derive(Clone, Default)]
struct Indexes {
    lexical: Option<Lexical>,
    dense: Option<Dense>,
}

#[derive(Clone)]
struct Lexical {
    index: Arc<LexicalIndex>,
    language: Option<String>,
    revision: u64,
}

#[derive(Clone)]
pub(super) struct Dense {
    pub index: Arc<dyn VectorIndex>,
    pub model: Arc<EmbeddingModel>,
}

impl Collection {
    pub(super) fn new(record: &CollectionRecord, indexes: &Path) -> Result<Self, CollectionError> {
        Ok(Self {
            id: record.id.clone(),
            origin: record.origin,
            number: record.number,
            owner: record.owner.clone(),
            created_at: record.created_at,
            used: AtomicI64::new(record.last_active_at),
            written_use: AtomicI64::new(record.last_active_at),
            folder: LexicalIndex::folder(indexes, &record.id.0),
            described: RwLock::new(Described::of(record)?),
            indexes: RwLock::default(),
            syncing_words: tokio::sync::Mutex::default(),
            syncing_meaning: tokio::sync::Mutex::default(),
        })
    }

    /// What people call it, which may be nothing, or what others are called too.
    pub fn name(&self) -> String {
        self.described.read().name.clone()
    }

    pub(super) fn name_is(&self, name: &str) -> bool {
        self.described.read().name == name
    }

    /// Its name where that can stand in a path, a header and a model's name, and its id otherwise.
    pub fn label(&self) -> String {
        let described = self.described.read();
        if is_handle(&described.name) { described.name.clone() } else { self.id.0.clone() }
    }

    pub fn description(&self) -> Option<String> {
        self.described.read().description.clone()
    }

    /// JSON object of the client's own.
    pub fn metadata(&self) -> String {
        self.described.read().metadata.clone()
    }

    /// Notes that it is used.
    pub fn touch(&self) {
        self.used.fetch_max(now(), Ordering::Relaxed);
    }

    /// When it was last used, in seconds since 1970.
    pub fn last_active_at(&self) -> i64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The last use, if that is not written down yet.
    pub(super) fn take_use(&self) -> Option<i64> {
        let used = self.last_active_at();
        (self.written_use.swap(used, Ordering::Relaxed) < used).then_some(used)
    }

    /// When its documents go, if they ever do.
    pub fn expiry(&self) -> Option<Expiry> {
        let days = self.described.read().expires_days?;
        Some(Expiry { days, at: self.last_active_at() + i64::from(days) * SECONDS_OF_A_DAY })
    }

    /// Whether its time is over.
    pub fn is_expired(&self) -> bool {
        self.described.read().expired || self.expiry().is_some_and(|expiry| expiry.at <= now())
    }

    /// What is set for it.
    pub fn settings(&self) -> Arc<Settings> {
        self.described.read().settings.clone()
    }

    /// Its language, once known.
    pub fn language(&self) -> Option<String> {
        self.described.read().language.clone()
    }

    /// An error for a collection whose documents belong to a folder.
    pub fn check_writable(&self) -> Result<(), CollectionError> {
        match self.origin {
            Origin::Api => Ok(()),
            Origin::Folder => Err(CollectionError::Synced(self.label())),
        }
    }

    pub(super) fn lexical(&self) -> Option<Arc<LexicalIndex>> {
        self.indexes.read().lexical.as_ref().map(|l| l.index.clone())
    }

    /// The vectors, if they are of this model and there are any.
    pub(super) fn dense(&self, model: &EmbeddingModel) -> Option<Dense> {
        let dense = self.indexes.read().dense.clone()?;
        (dense.model.fingerprint == model.fingerprint && !dense.index.is_empty()).then_some(dense)
    }

    /// Brings the lexical index to the store's revision, opening or rebuilding it where needed. That takes milliseconds
    /// where the vectors may take seconds.
    pub(super) async fn sync_words(&self, store: &dyn Store) -> Result<(), CollectionError> {
        let _one_at_a_time = self.syncing_words.lock().await;
        let record = store.collection(&self.id).await?;
        *self.described.write() = Described::of(&record)?;
        self.sync_lexical(store, &record).await
    }

    /// Takes over what the store says of it, without looking at the indexes.
    pub(super) fn describe(&self, record: &CollectionRecord) -> Result<(), CollectionError> {
        *self.described.write() = Described::of(record)?;
        self.used.fetch_max(record.last_active_at, Ordering::Relaxed);
        Ok(())
    }

    /// Throws the lexical index away, so that the next [`Self::sync`] builds it from the store.
    pub(super) async fn discard_lexical(&self) -> Result<(), CollectionError> {
        let _one_at_a_time = self.syncing_words.lock().await;
        self.indexes.write().lexical = None;
        let folder = self.folder.clone();
        blocking(move || LexicalIndex::remove(&folder)).await
    }

    /// The same where it is damaged. An index that could not be written for want of room is none: it stays.
    pub(super) async fn rebuild_lexical(&self) -> Result<(), CollectionError> {
        let folder = self.folder.clone();
        blocking(move || LexicalIndex::check_room(&folder)).await?;
        self.discard_lexical().await
    }

    async fn sync_lexical(
        &self,
        store: &dyn Store,
        record: &CollectionRecord,
    ) -> Result<(), CollectionError> {
        let current = self.indexes.read().lexical.clone();
        let mut lexical = match current {
            Some(lexical) if lexical.language == record.language && lexical.revision <= record.revision => {
                lexical
            }
            _ => self.open_lexical(record).await?,
        };
        if lexical.revision < record.revision {
            let changes = store.chunk_changes(&self.id, lexical.revision).await?;
            let batch = LexicalBatch {
                revision: changes.revision,
                removed: changes.removed,
                added: changes
                    .added
                    .into_iter()
                    .map(|chunk| LexicalRow {
                        chunk: chunk.id,
                        document: chunk.document,
                        text: with_headings(&chunk.headings, &chunk.text),
                    })
                    .collect(),
            };
            lexical.revision = batch.revision;
            // A revision raised by vectors alone changes no word: nothing to write.
            if !batch.removed.is_empty() || !batch.added.is_empty() {
                let index = lexical.index.clone();
                blocking(move || index.apply(&batch)).await?;
            }
        }
        self.indexes.write().lexical = Some(lexical);
        Ok(())
    }

    async fn open_lexical(&self, record: &CollectionRecord) -> Result<Lexical, CollectionError> {
        // The old one lets go of its files first.
        self.indexes.write().lexical = None;
        let (folder, language, newest) = (self.folder.clone(), record.language.clone(), record.revision);
        let (index, revision) = blocking({
            let language = language.clone();
            move || {
                let index = LexicalIndex::open(&folder, language.as_deref())?;
                let revision = index.revision()?;
                if revision <= newest {
                    return Ok((index, revision));
                }
                // Ahead of the store: it belongs to another past.
                drop(index);
                LexicalIndex::remove(&folder)?;
                Ok((LexicalIndex::open(&folder, language.as_deref())?, 0))
            }
        })
        .await?;
        Ok(Lexical { index: Arc::new(index), language, revision })
    }

    /// Brings the vectors of a model to the store's revision. Those that are read for the first time are searched once
    /// all of them are there: a part of them would hide what the rest would find.
    pub(super) async fn sync_meaning(
        &self,
        store: &dyn Store,
        model: Arc<EmbeddingModel>,
    ) -> Result<(), CollectionError> {
        let _one_at_a_time = self.syncing_meaning.lock().await;
        let newest = store.collection(&self.id).await?.revision;
        let current = self.indexes.read().dense.clone();
        let dense = match current {
            Some(dense)
                if dense.model.fingerprint == model.fingerprint && dense.index.revision() <= newest =>
            {
                dense
            }
            _ => Dense { index: Arc::new(ExactScan::new(model.dimensions)), model: model.clone() },
        };
        while dense.index.revision() < newest {
            let since = dense.index.revision();
            let changes = store.vector_changes(&self.id, &model.fingerprint, since, VECTORS_AT_ONCE).await?;
            let added = changes
                .added
                .into_iter()
                .map(|(chunk, document, vector)| VectorRow { chunk, document, vector })
                .collect();
            let batch = VectorBatch { revision: changes.revision, removed: changes.removed, added };
            dense.index.apply(batch, Instant::now() + APPLY_DEADLINE).await?;
        }
        self.indexes.write().dense = Some(dense);
        Ok(())
    }
}

/// Whether a name can stand in a path, a header and a model's name, and is no id.
pub fn is_handle(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && !name.starts_with("vs_")
}

/// What is indexed of a chunk, by words and by meaning: its place first.
pub fn with_headings(headings: &[String], text: &str) -> String {
    if headings.is_empty() {
        return text.to_owned();
    }
    format!("{}\n{text}", headings.join(" > "))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, CollectionError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        // tantivy panics on some damaged files.
        Err(error) => Err(IndexError::Damaged(error.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_handle;

    #[test]
    fn names_are_safe_in_paths_headers_and_model_names() {
        for good in ["a", "handbook", "lei-13.709_2018", "9"] {
            assert!(is_handle(good), "{good}");
        }
        for bad in ["", "vs_1", ".", "..", "-a", "a b", "a/b", "a,b", "a@b", "ação", &"x".repeat(65)] {
            assert!(!is_handle(bad), "{bad}");
        }
    }
}
