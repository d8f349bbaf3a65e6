//! The folder of a lexical index: what is opened, how a new one is built beside it, and how it takes its place.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tantivy::directory::error::OpenReadError;
use tantivy::{Index, TantivyError};

use super::super::IndexError;
use super::{Languages, LexicalIndex, schema};

/// Raised when the fields or the analysis change: an index of another format is rebuilt.
const FORMAT: u32 = 3;
/// The file that says what the index was made for. tantivy knows nothing of it.
const MARKER: &str = "format";
/// Bytes that a small index takes while it is written.
const ROOM: usize = 1 << 20;
/// Bytes of files that are compared with their checksums whenever an index is opened: it takes milliseconds.
const CHECKED_AT_ONCE: u64 = 16 << 20;

/// What an index is made for.
fn marker(store: &str, languages: &str) -> String {
    format!("lexical {FORMAT} {store} {languages}")
}

/// The languages of an index of this format that was made for this store.
fn languages_of(text: &str, store: &str) -> Option<Languages> {
    text.strip_prefix(&marker(store, "")).map(Languages::read)
}

/// What the folder of an index says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Up to which changes were written. Those that changed no word may not be.
    pub revision: u64,
    /// Whether files hold words of removed chunks.
    pub holds_removed: bool,
}

/// The part of tantivy's `meta.json` that a [`Glance`] needs.
#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    payload: Option<String>,
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    deletes: Option<IgnoredAny>,
}

impl LexicalIndex {
    /// What the folder of an index says of it, which is not opened. None where there is none, or one of another format or
    /// made from another store.
    pub fn glance(folder: &Path, store: &str) -> Result<Option<Glance>, IndexError> {
        let read = |name: &str| match fs::read(folder.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        };
        let (Some(text), Some(meta)) = (read(MARKER)?, read("meta.json")?) else { return Ok(None) };
        if languages_of(&String::from_utf8_lossy(&text), store).is_none() {
            return Ok(None);
        }
        let meta: Meta = serde_json::from_slice(&meta).map_err(|e| IndexError::Damaged(e.to_string()))?;
        Ok(Some(Glance {
            revision: meta.payload.and_then(|payload| payload.parse().ok()).unwrap_or(0),
            holds_removed: meta.segments.iter().any(|segment| segment.deletes.is_some()),
        }))
    }

    /// Where a collection's index lies under the folder of all indexes.
    pub fn folder(indexes: &Path, collection: &str) -> PathBuf {
        indexes.join(collection).join("lexical")
    }

    /// Opens the index in a folder. Small files are compared with their checksums, large ones by [`Self::check`]: an index
    /// opens in the same time whatever its size. None where there is none, or one of another format or made from another
    /// store, which says nothing about this one.
    pub fn open(folder: &Path, store: &str) -> Result<Option<Self>, IndexError> {
        let text = match fs::read(folder.join(MARKER)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let Some(languages) = languages_of(&String::from_utf8_lossy(&text), store) else { return Ok(None) };
        let opened = Self::with(folder.to_owned(), Index::open_in_dir(folder)?, languages)?;
        if Self::size(folder)? <= CHECKED_AT_ONCE {
            opened.check()?;
        } else {
            opened.unchecked.store(true, Ordering::Relaxed);
        }
        // What a process left that ended while it wrote. Where that cannot be noted now, the index answers all the same.
        match opened.collect_garbage() {
            Err(IndexError::Io(error)) => {
                tracing::warn!(%error, folder = %folder.display(), "files that no index needs stay for now");
            }
            collected => collected?,
        }
        Ok(Some(opened))
    }

    /// Whether it was opened without [`Self::check`].
    pub fn is_unchecked(&self) -> bool {
        self.unchecked.load(Ordering::Relaxed)
    }

    /// Compares all files with their checksums, which reads them. Who writes meanwhile removes files: where one was gone
    /// before it was compared, and is not of the index any more, it is [`IndexError::Busy`].
    pub fn check(&self) -> Result<(), IndexError> {
        let damaged = match self.index.validate_checksum() {
            Err(TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(gone)))
                if !self.names(&gone)? =>
            {
                return Err(IndexError::Busy);
            }
            checked => checked?,
        };
        if let Some(path) = damaged.iter().next() {
            return Err(IndexError::Damaged(format!("checksum of {}", path.display())));
        }
        self.unchecked.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a file is of the index as it stands now.
    pub(super) fn names(&self, file: &Path) -> Result<bool, IndexError> {
        let files = self.index.load_metas()?.list_segment_files();
        Ok(file.file_name().is_some_and(|name| files.contains(Path::new(name))))
    }

    /// Begins an empty index beside a folder. It takes the folder's place by [`Self::take_place`], and until then what
    /// is there goes on answering.
    pub fn begin_beside(folder: &Path, store: &str, languages: Languages) -> Result<Self, IndexError> {
        let beside = beside(folder);
        remove_folder(&beside)?;
        fs::create_dir_all(&beside)?;
        let index = Index::create_in_dir(&beside, schema().0)?;
        fs::write(beside.join(MARKER), marker(store, &languages.text()))?;
        Self::with(beside, index, languages)
    }

    /// Puts an index that was begun beside a folder into its place. Who still searches in the old one finishes there.
    pub fn take_place(self, folder: &Path) -> Result<Self, IndexError> {
        let (beside, languages) = (self.folder.clone(), self.languages.clone());
        drop(self);
        let old = old(folder);
        remove_folder(&old)?;
        match fs::rename(folder, &old) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        // Killed here, the next start finds no index, and builds one.
        fs::rename(&beside, folder)?;
        let opened = Self::with(folder.to_owned(), Index::open_in_dir(folder)?, languages)?;
        remove_folder(&old)?;
        Ok(opened)
    }

    /// Removes what a rebuild left that did not come to its end.
    pub fn clear_leftovers(folder: &Path) -> Result<(), IndexError> {
        remove_folder(&beside(folder))?;
        remove_folder(&old(folder))
    }

    /// Deletes an index's folder, or all of a collection's.
    pub fn remove(folder: &Path) -> Result<(), IndexError> {
        remove_folder(folder)
    }

    /// Bytes of an index's files.
    pub fn size(folder: &Path) -> Result<u64, IndexError> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            read => read?,
        };
        let mut bytes = 0;
        for entry in entries {
            match entry?.metadata() {
                Ok(file) => bytes += file.len(),
                // Removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    /// Whether an index could be built anew beside a folder now: an error of writing, where there is no room.
    pub fn check_room(folder: &Path) -> Result<(), IndexError> {
        let probe = folder.with_extension("probe");
        fs::create_dir_all(probe.parent().unwrap_or(folder))?;
        let written = fs::write(&probe, vec![0; ROOM]);
        fs::remove_file(&probe)?;
        Ok(written?)
    }
}

fn beside(folder: &Path) -> PathBuf {
    folder.with_extension("new")
}

fn old(folder: &Path) -> PathBuf {
    folder.with_extension("old")
}

fn remove_folder(folder: &Path) -> Result<(), IndexError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
