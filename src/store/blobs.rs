//! Original bytes as content-addressed files: `blobs/ab/<sha256>`, written and synced before they are named.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::{Result, StoreError};
use crate::system::random_hex;

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
}

impl Staging {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Starts an upload.
    pub async fn begin(&self) -> Result<BlobWriter> {
        let name = random_hex(12).map_err(|e| StoreError::Worker(e.to_string()))?;
        let path = self.folder.join(name);
        let file = tokio::fs::File::create_new(&path).await.map_err(StoreError::io(&path))?;
        Ok(BlobWriter {
            file,
            hash: Sha256::new(),
            staged: StagedBlob { sha256: String::new(), bytes: 0, path, kept: false },
        })
    }

    /// Stages bytes at once.
    pub async fn stage(&self, bytes: &[u8]) -> Result<StagedBlob> {
        let mut writer = self.begin().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }
}

impl BlobWriter {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
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
}

impl Blobs {
    pub(super) fn open(data: &Path) -> Result<(Self, Staging)> {
        let folder = data.join("blobs");
        let staging = data.join("staging");
        for path in [&folder, &staging] {
            fs::create_dir_all(path).map_err(StoreError::io(path))?;
        }
        Ok((Self { folder }, Staging::new(staging)))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        let prefix = sha256.get(..2).unwrap_or("00");
        self.folder.join(prefix).join(sha256)
    }

    /// Gives staged bytes their name, durably.
    pub(super) fn adopt(&self, mut staged: StagedBlob) -> Result<()> {
        let path = self.path(&staged.sha256);
        let parent = path.parent().unwrap_or(&self.folder);
        if !parent.exists() {
            fs::create_dir_all(parent).map_err(StoreError::io(parent))?;
            sync_folder(&self.folder)?;
        }
        fs::rename(&staged.path, &path).map_err(StoreError::io(&path))?;
        staged.kept = true;
        sync_folder(parent)
    }

    pub(super) fn remove(&self, sha256: &str) -> Result<()> {
        let path = self.path(sha256);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::Io { path, source: e }),
            _ => Ok(()),
        }
    }

    /// Names of blobs that were there before `before`.
    pub(super) fn older_than(&self, before: SystemTime) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for folder in list(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            for path in list(&folder)? {
                let modified = path.metadata().and_then(|m| m.modified()).map_err(StoreError::io(&path))?;
                if modified < before
                    && let Some(name) = path.file_name().and_then(|n| n.to_str())
                {
                    names.push(name.to_owned());
                }
            }
        }
        Ok(names)
    }
}

/// Removes uploads that were never committed. Called before anything can be staged.
pub(super) fn clear_staging(staging: &Staging) -> Result<()> {
    for path in list(&staging.folder)? {
        fs::remove_file(&path).map_err(StoreError::io(&path))?;
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(StoreError::io(folder))
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(StoreError::io(folder))
}
