//! What the folders of blobs have in common: how files are named in them, listed, and made durable.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::{Result, StoreError};

/// Whether a file may be called so among the originals.
pub(super) fn is_name(name: &str) -> bool {
    name.len() == 64 && is_hexadecimal(name)
}

pub(super) fn is_hexadecimal(name: &str) -> bool {
    name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The paths in a folder; none where it is missing.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries
            .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
            .map_err(StoreError::io(folder)),
    }
}

pub(super) fn sync_if_there(folder: &Path) -> Result<()> {
    if folder.exists() { sync_folder(folder) } else { Ok(()) }
}

/// Brings the names in a folder to the disk.
pub(in crate::store) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(StoreError::io(folder))
}
