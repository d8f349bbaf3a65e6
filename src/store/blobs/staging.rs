//! Uploads on their way to the disk: written, hashed and synced before any record names them.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::folder::{is_hexadecimal, list};
use crate::store::room;
use crate::store::{Result, StoreError};
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
pub(super) struct Staging {
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

impl StagedBlob {
    /// Moves the bytes to this path, where they stay.
    pub(super) fn keep_at(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(StoreError::io(path))?;
        self.kept = true;
        Ok(())
    }
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
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join("staging") }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn check_room(&self, more: u64) -> Result<()> {
        let found = room(&self.folder).map_err(StoreError::io(&self.folder))?;
        match found.free_bytes.saturating_sub(more) > found.total_bytes.div_euclid(REST_OF).min(MOST_REST) {
            true => Ok(()),
            false => Err(StoreError::io(&self.folder)(std::io::ErrorKind::StorageFull.into())),
        }
    }

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

    /// Removes uploads that were never committed, and nothing that is not ours. Called before anything can be staged.
    pub fn clear(&self) -> Result<()> {
        for path in list(&self.folder)? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.len() == 2 * NAME_BYTES && is_hexadecimal(name)) && path.is_file()
            {
                fs::remove_file(&path).map_err(StoreError::io(&path))?;
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_staged_is_cleared() -> Result<()> {
        let data = tempfile::tempdir().expect("a folder");
        let staging = Staging::of(data.path());
        fs::create_dir_all(&staging.folder).expect("a folder");
        let ours = "0123456789abcdef01234567";
        for name in [ours, "notes.txt", "0123456789ABCDEF01234567", "0123"] {
            fs::write(staging.folder.join(name), "half").expect("a file");
        }
        fs::create_dir(staging.folder.join("abcdefabcdefabcdefabcdef")).expect("a folder");
        staging.clear()?;
        assert_eq!(list(&staging.folder)?.len(), 4);
        assert!(!staging.folder.join(ours).exists());
        Ok(())
    }
}
