//! Originals that no record names, kept for days before they are removed: `trash/<sha256>`.
//!
//! When a file came there is its time of change.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::folder::is_name;
use crate::store::{Result, StoreError};

/// The folder. It is made when the first file comes.
#[derive(Clone, Debug)]
pub(in crate::store) struct Trash {
    folder: PathBuf,
}

/// A file in the trash.
#[derive(Clone, Debug)]
pub(in crate::store) struct Discarded {
    pub sha256: String,
    pub bytes: u64,
    pub since: SystemTime,
}

impl Trash {
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join("trash") }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }

    /// Whether an original is here.
    pub fn holds(&self, sha256: &str) -> bool {
        self.path(sha256).exists()
    }

    /// Moves an original here.
    pub fn take(&self, original: &Path, sha256: &str) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(StoreError::io(&self.folder))?;
        let place = self.path(sha256);
        // The time first: a file that lies here with that of its upload would be removed at once.
        File::open(original)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .and_then(|()| fs::rename(original, place))
            .map_err(StoreError::io(original))
    }

    /// Moves an original back to its place, and says whether it was here.
    pub fn give_back(&self, sha256: &str, place: &Path) -> Result<bool> {
        match fs::rename(self.path(sha256), place) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io(self.path(sha256))(error)),
        }
    }

    /// Removes an original for good, if it is here.
    pub fn remove(&self, sha256: &str) -> Result<()> {
        match fs::remove_file(self.path(sha256)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io(self.path(sha256))(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes what was here for as long as `kept`. Says how many.
    pub fn empty(&self, kept: Duration) -> Result<usize> {
        let mut emptied = 0;
        for discarded in self.content()? {
            // One of the future stays: a clock that was wrong is no reason to remove anything.
            if discarded.since.elapsed().is_ok_and(|age| age >= kept) {
                self.remove(&discarded.sha256)?;
                emptied += 1;
            }
        }
        Ok(emptied)
    }

    /// What is here.
    pub fn content(&self) -> Result<Vec<Discarded>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(StoreError::io(&self.folder))?,
        };
        let mut content = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io(&self.folder))?;
            let name = entry.file_name().into_string().ok();
            let Some(sha256) = name.filter(|name| is_name(name)) else { continue };
            let found = entry.metadata().map_err(StoreError::io(entry.path()))?;
            let since = found.modified().map_err(StoreError::io(entry.path()))?;
            content.push(Discarded { sha256, bytes: found.len(), since });
        }
        Ok(content)
    }
}
