//! Original bytes as content-addressed files: `blobs/ab/<sha256>`, written and synced before they are named.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::room;
use super::trash::Trash;
use super::{Result, StoreError};
use crate::system::random_hex;

/// Random bytes of the name of a file that is staged.
const NAME_BYTES: usize = 12;

/// Uploads leave this part of the disk free, for the database and its indexes.
const REST_OF: u64 = 512;
/// And never more than this.
const MOST_REST: u64 = 64 << 20;
/// Bytes of an upload between two looks at the disk.
const LOOK_AFTER: u64 = 4 << 20;

/// The folder where uploads are written before they are committed.
#[derive(Clone, Debug)]
pub struct Staging {
    folder: PathBuf,
}

/// Bytes on disk, synced and hashed, that no document owns yet. Dropped without being committed, they are removed.
#[derive(Debug)]
pub struct StagedBlob {
    pub sha256: String,
    pub bytes: u64,
    path: PathBuf,
    kept: bool,
}

impl Drop for StagedBlob {
    fn drop(&mut self) {
        if !self.kept {
            // What stays behind is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An upload being written.
#[derive(Debug)]
pub struct BlobWriter {
    file: tokio::fs::File,
    hash: Sha256,
    staged: StagedBlob,
    staging: Staging,
}

impl Staging {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// An error of a full disk where so many bytes more would leave it without the rest that the database needs.
    pub fn check_room(&self, more: u64) -> Result<()> {
        let found = room(&self.folder).map_err(StoreError::io(&self.folder))?;
        match found.free_bytes.saturating_sub(more) > found.total_bytes.div_euclid(REST_OF).min(MOST_REST) {
            true => Ok(()),
            false => Err(StoreError::Io { path: self.folder.clone(), source: ErrorKind::StorageFull.into() }),
        }
    }

    /// Starts an upload.
    pub async fn begin(&self) -> Result<BlobWriter> {
        let name = random_hex(NAME_BYTES).map_err(|e| StoreError::Worker(e.to_string()))?;
        let path = self.folder.join(name);
        let file = tokio::fs::File::create_new(&path).await.map_err(StoreError::io(&path))?;
        Ok(BlobWriter {
            file,
            hash: Sha256::new(),
            staged: StagedBlob { sha256: String::new(), bytes: 0, path, kept: false },
            staging: self.clone(),
        })
    }

    /// Stages bytes at once.
    pub async fn stage(&self, bytes: &[u8]) -> Result<StagedBlob> {
        self.check_room(bytes.len() as u64)?;
        let mut writer = self.begin().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }
}

impl BlobWriter {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let looks = |bytes: u64| bytes.div_ceil(LOOK_AFTER);
        if looks(self.staged.bytes + bytes.len() as u64) > looks(self.staged.bytes) {
            self.staging.check_room(bytes.len() as u64)?;
        }
        self.hash.update(bytes);
        self.staged.bytes += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(StoreError::io(&self.staged.path))
    }

    /// Waits until the system has taken what was written.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.file.flush().await.map_err(StoreError::io(&self.staged.path))
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.staged.bytes
    }

    /// Syncs to the disk.
    pub async fn finish(mut self) -> Result<StagedBlob> {
        self.flush().await?;
        self.file.sync_all().await.map_err(StoreError::io(&self.staged.path))?;
        self.staged.sha256 = hex::encode(self.hash.finalize());
        Ok(self.staged)
    }
}

/// Named blobs. Calls that change it are made by the one writer, so that a removal never meets an addition.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    pub(super) trash: Trash,
}

/// A file among the originals.
#[derive(Clone, Debug)]
pub(super) struct Original {
    pub sha256: String,
    pub bytes: u64,
    pub modified: SystemTime,
}

impl Blobs {
    pub(super) fn open(data: &Path) -> Result<(Self, Staging)> {
        let blobs = Self::of(data);
        let staging = data.join("staging");
        for path in [&blobs.folder, &staging] {
            fs::create_dir_all(path).map_err(StoreError::io(path))?;
        }
        // What a crash left unsynced: an original is acknowledged only in a folder that stays.
        sync_folder(&blobs.folder)?;
        Ok((blobs, Staging::new(staging)))
    }

    /// The originals of a data folder, which may not be there.
    pub(super) fn of(data: &Path) -> Self {
        Self { folder: data.join("blobs"), trash: Trash::of(data) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        self.folder_of(sha256).join(sha256)
    }

    fn folder_of(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256.get(..2).unwrap_or("00"))
    }

    /// Makes the folder of an original, durably.
    fn make_folder(&self, sha256: &str) -> Result<PathBuf> {
        let folder = self.folder_of(sha256);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(folder),
            made => made.map_err(StoreError::io(&folder))?,
        }
        if let Err(error) = sync_folder(&self.folder) {
            // It is made and synced by the next: one that is there is not synced again.
            let _ = fs::remove_dir(&folder);
            return Err(error);
        }
        Ok(folder)
    }

    /// Gives staged bytes their name, durably.
    pub(super) fn adopt(&self, mut staged: StagedBlob) -> Result<()> {
        let folder = self.make_folder(&staged.sha256)?;
        let path = folder.join(&staged.sha256);
        fs::rename(&staged.path, &path).map_err(StoreError::io(&path))?;
        staged.kept = true;
        sync_folder(&folder)?;
        // It is back in its place.
        self.trash.remove(&staged.sha256)
    }

    /// Whether an original lies in its place, or in the trash.
    pub(super) fn holds(&self, sha256: &str) -> bool {
        self.path(sha256).exists() || self.trash.holds(sha256)
    }

    /// Removes originals for good, durably, wherever they lie. Gives those that are gone.
    pub(super) fn remove<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        let remove = |sha256: &str| {
            let path = self.path(sha256);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::Io { path, source }),
                _ => self.trash.remove(sha256),
            }
        };
        let mut gone = Vec::new();
        for sha256 in names {
            match remove(sha256) {
                Ok(()) => gone.push(sha256.as_str()),
                Err(error) => tracing::warn!(%error, "an original that was deleted stays until the next try"),
            }
        }
        let mut folders: BTreeMap<PathBuf, Result<()>> = BTreeMap::new();
        gone.retain(|sha256| {
            let folder = self.folder_of(sha256);
            folders.entry(folder).or_insert_with_key(|folder| sync_if_there(folder)).is_ok()
        });
        gone
    }

    /// Moves an original that no record names to the trash.
    pub(super) fn discard(&self, sha256: &str) -> Result<()> {
        self.trash.take(&self.path(sha256), sha256)
    }

    /// Brings an original back from the trash, if it is there and missing here.
    pub(super) fn recover(&self, sha256: &str) -> Result<bool> {
        if self.path(sha256).exists() {
            self.trash.remove(sha256)?;
            return Ok(false);
        }
        let folder = self.make_folder(sha256)?;
        let back = self.trash.give_back(sha256, &folder.join(sha256))?;
        if back {
            sync_folder(&folder)?;
        }
        Ok(back)
    }

    /// All originals. What has no name of theirs is not ours.
    pub(super) fn all(&self) -> Result<Vec<Original>> {
        let mut all = Vec::new();
        for folder in list(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            for path in list(&folder)? {
                let Some(sha256) =
                    path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name))
                else {
                    continue;
                };
                let found = match path.metadata() {
                    // Removed meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    found => found.map_err(StoreError::io(&path))?,
                };
                let modified = found.modified().map_err(StoreError::io(&path))?;
                all.push(Original { sha256: sha256.to_owned(), bytes: found.len(), modified });
            }
        }
        Ok(all)
    }
}

/// Whether a file may be called so among the originals.
pub(super) fn is_name(name: &str) -> bool {
    name.len() == 64 && is_hexadecimal(name)
}

fn is_hexadecimal(name: &str) -> bool {
    name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes uploads that were never committed, and nothing that is not ours. Called before anything can be staged.
pub(super) fn clear_staging(staging: &Staging) -> Result<()> {
    for path in list(&staging.folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.len() == 2 * NAME_BYTES && is_hexadecimal(name)) && path.is_file() {
            fs::remove_file(&path).map_err(StoreError::io(&path))?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries
            .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
            .map_err(StoreError::io(folder)),
    }
}

fn sync_if_there(folder: &Path) -> Result<()> {
    if folder.exists() { sync_folder(folder) } else { Ok(()) }
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(StoreError::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_staged_is_cleared() -> Result<()> {
        let data = tempfile::tempdir().expect("a folder");
        let (_, staging) = Blobs::open(data.path())?;
        let ours = "0123456789abcdef01234567";
        for name in [ours, "notes.txt", "0123456789ABCDEF01234567", "0123"] {
            fs::write(staging.folder.join(name), "half").expect("a file");
        }
        fs::create_dir(staging.folder.join("abcdefabcdefabcdefabcdef")).expect("a folder");
        clear_staging(&staging)?;
        assert_eq!(list(&staging.folder)?.len(), 4);
        assert!(!staging.folder.join(ours).exists());
        Ok(())
    }
}
