//! How much room a folder's disk has.

use std::io;
use std::path::Path;

/// Room on the disk of a folder, for who may not use what is kept for the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Files that can still be made; none where the file system does not count them.
    pub free_files: Option<u64>,
}

/// The room around a path that exists (`man 3 statvfs`).
pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Room {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        free_files: (found.f_files > 0).then_some(found.f_favail),
    })
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn a_folder_has_room_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = room(folder.path()).expect("its disk");
        assert!(found.free_bytes > 0 && found.total_bytes >= found.free_bytes, "{found:?}");
        assert!(room(&folder.path().join("missing")).is_err());
    }
}
