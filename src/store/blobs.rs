//! The original bytes of files, named by their SHA-256, apart from the store's records.
//!
//! Where they lie is this module's alone: files `blobs/ab/<sha256>` of the data folder, written and synced before they are
//! named. A store adopts bytes within the transaction that names them, and removes them after the commit of the one that
//! forgets them, so that a record never names what is not there.

mod folder;
mod staging;
mod trash;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, access};
use tokio::io::{AsyncRead, ReadBuf};

use self::folder::{is_name, list, sync_if_there};
use self::staging::Staging;
use self::trash::Trash;
use super::{Result, StoreError};
use crate::tasks;

pub(super) use self::folder::sync_folder;
pub use self::staging::{BlobWriter, StagedBlob};

/// The originals, with those that are being uploaded and those in the trash. Cheap to clone.
///
/// [`Self::adopt`], [`Self::remove`] and [`Self::discard`] are a store's own, and block: it calls them from its one writer,
/// so that a removal never meets an addition of the same bytes.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
    staging: Staging,
    trash: Trash,
}

/// A file among the originals.
#[derive(Clone, Debug)]
pub struct Original {
    pub sha256: String,
    pub bytes: u64,
    pub modified: SystemTime,
}

/// The bytes of an original, from the first one on.
#[derive(Debug)]
pub struct BlobReader(tokio::fs::File);

impl AsyncRead for BlobReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

/// An original as a local file, for as long as this is held.
#[derive(Debug)]
pub struct LocalBlob(PathBuf);

impl AsRef<Path> for LocalBlob {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Blobs {
    /// Opens the originals of a data folder, and clears away uploads that a process before left unfinished. The folder is
    /// this process's alone.
    pub fn open(data: &Path) -> Result<Self> {
        let blobs = Self::of(data);
        for path in [blobs.folder.as_path(), blobs.staging.folder()] {
            fs::create_dir_all(path).map_err(StoreError::io(path))?;
        }
        // What a crash left unsynced: an original is acknowledged only in a folder that stays.
        sync_folder(&blobs.folder)?;
        blobs.staging.clear()?;
        Ok(blobs)
    }

    /// The originals of a data folder, which may not be there.
    pub(super) fn of(data: &Path) -> Self {
        Self { folder: data.join("blobs"), staging: Staging::of(data), trash: Trash::of(data) }
    }

    /// [`StoreError::Full`] where so many bytes more would leave the disk without the rest that the database needs.
    pub fn check_room(&self, more: u64) -> Result<()> {
        self.staging.check_room(more)
    }

    /// Whether an original could be stored now: its place can be written, and a page of an upload.
    pub async fn check_writable(&self) -> Result<()> {
        let folder = self.folder.clone();
        let may_write = move || {
            // Where it may be a mount of its own.
            let may_write = access(&folder, Access::WRITE_OK | Access::EXEC_OK);
            may_write.map_err(|error| StoreError::io(folder)(error.into()))
        };
        tasks::blocking(may_write).await?;
        let mut probe = self.begin().await?;
        probe.write(&[0; 4_096]).await?;
        probe.flush().await
    }

    /// Starts an upload.
    pub async fn begin(&self) -> Result<BlobWriter> {
        self.staging.begin().await
    }

    /// Stages bytes at once.
    pub async fn stage(&self, bytes: &[u8]) -> Result<StagedBlob> {
        self.check_room(bytes.len() as u64)?;
        let mut writer = self.begin().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Opens an original for reading. [`StoreError::Unavailable`] where it is missing.
    pub async fn read(&self, sha256: &str) -> Result<BlobReader> {
        let path = self.path(sha256);
        Ok(BlobReader(tokio::fs::File::open(&path).await.map_err(StoreError::io(path))?))
    }

    /// An original as a file that another process can open. Whether it is there is not looked at.
    pub fn local(&self, sha256: &str) -> LocalBlob {
        LocalBlob(self.path(sha256))
    }

    /// Gives staged bytes their name, durably. Blocks.
    pub fn adopt(&self, staged: StagedBlob) -> Result<()> {
        let sha256 = staged.sha256.clone();
        let folder = self.make_folder(&sha256)?;
        staged.keep_at(&folder.join(&sha256))?;
        sync_folder(&folder)?;
        // It is back in its place.
        self.trash.remove(&sha256)
    }

    /// Whether an original lies in its place, or in the trash.
    pub fn holds(&self, sha256: &str) -> bool {
        self.path(sha256).exists() || self.trash.holds(sha256)
    }

    /// Removes originals for good, durably, wherever they lie. Gives those that are gone. Blocks.
    pub fn remove<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        let remove = |sha256: &str| {
            let path = self.path(sha256);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io(path)(error)),
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

    /// Removes what was in the trash for as long as `kept`. Says how many.
    pub async fn empty_trash(&self, kept: Duration) -> Result<usize> {
        let trash = self.trash.clone();
        tasks::blocking(move || trash.empty(kept)).await
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn trash(&self) -> &Trash {
        &self.trash
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

    /// Moves an original that no record names to the trash. Blocks.
    pub fn discard(&self, sha256: &str) -> Result<()> {
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

    /// All originals. What has no name of theirs is not ours. Blocks.
    pub fn all(&self) -> Result<Vec<Original>> {
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
