//! One entry of the catalog: who a collection is, what is set for it, and when its documents go.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::indexes::Indexes;
use super::{CollectionError, Settings};
use crate::store::{CollectionId, CollectionRecord, Origin, Revision};
use crate::system::now;

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
    described: RwLock<Described>,
    /// One at a time reads what the store says of it and takes that over.
    pub(super) describing: tokio::sync::Mutex<()>,
    pub(super) indexes: Indexes,
    /// At a revision, tokens that all of its documents together exceed in a prompt.
    exceeds: Mutex<Option<(Revision, u64)>>,
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
            described: RwLock::new(Described::of(record)?),
            describing: tokio::sync::Mutex::default(),
            indexes: Indexes::new(indexes, &record.id),
            exceeds: Mutex::default(),
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

    /// The revision that its words follow, if they are open: [`Self::exceeds`] is noted and asked for it.
    pub fn revision(&self) -> Option<Revision> {
        self.indexes.words.revision()
    }

    /// Whether all of its documents together are known to take more than so many tokens of a prompt. What is deleted counts
    /// until its words are gone.
    pub fn exceeds(&self, tokens: u64) -> bool {
        let known = *self.exceeds.lock();
        known.is_some_and(|(revision, known)| known >= tokens && Some(revision) == self.revision())
    }

    /// Notes that they took more at this revision, which was read before they were counted.
    pub fn note_exceeds(&self, revision: Revision, tokens: u64) {
        let mut known = self.exceeds.lock();
        if !known.is_some_and(|(of, known)| of == revision && known >= tokens) {
            *known = Some((revision, tokens));
        }
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

    /// Whether a graph of its vectors is being built: until it is there, more of them are compared one by one.
    pub fn is_building(&self) -> bool {
        self.indexes.meaning.is_building()
    }

    /// An error for a collection whose documents belong to a folder.
    pub fn check_writable(&self) -> Result<(), CollectionError> {
        match self.origin {
            Origin::Api => Ok(()),
            Origin::Folder => Err(CollectionError::Synced(self.label())),
        }
    }

    /// Takes over what the store says of it, without looking at the indexes.
    pub(super) fn describe(&self, record: &CollectionRecord) -> Result<(), CollectionError> {
        *self.described.write() = Described::of(record)?;
        self.used.fetch_max(record.last_active_at, Ordering::Relaxed);
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
