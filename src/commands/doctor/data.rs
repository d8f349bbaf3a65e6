//! The data folder and the disk that it lies on.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::mounts::{Fitness, mount_of};
use super::report::{Report, size};
use crate::commands::connection;
use crate::store::room;

/// Less room than this is soon none.
const LITTLE_ROOM: u64 = 1 << 30;
/// Files that must still be possible.
const FEW_FILES: u64 = 10_000;

pub fn check(data: &Path, report: &mut Report) {
    let Some(standing) = folder(data, report) else { return };
    disk(data, &standing, report);
    mount(&standing, report);
    if data.is_dir() {
        modes(data, report);
    }
}

/// Whether the folder is there, or can be made, and written. Gives the part of its path that exists.
fn folder(data: &Path, report: &mut Report) -> Option<PathBuf> {
    let shown = data.display();
    let (standing, message) = match fs::metadata(data) {
        Ok(found) if found.is_dir() => (data.to_owned(), format!("{shown} can be written")),
        Ok(_) => {
            report.fail("data folder", format!("{shown} is a file"), "name a folder with --data");
            return None;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).to_owned();
            if !parent.is_dir() {
                let advice =
                    "make that folder, mount the disk that should be there, or name another with --data";
                report.fail("data folder", format!("{} is not there", parent.display()), advice);
                return None;
            }
            (parent, format!("{shown} will be made at the first start"))
        }
        Err(error) => {
            report.fail(
                "data folder",
                format!("{shown}: {error}"),
                "look at the rights of the folders above it, and at the mount",
            );
            return None;
        }
    };
    match write_probe(&standing) {
        Ok(()) => report.ok("data folder", message),
        Err(error) => {
            let advice = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "give it to the user that lastro runs as (chown), or run lastro as its owner"
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    "mount it so that it can be written (a container: a volume that is not read-only)"
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free room there: nothing can be uploaded until then"
                }
                _ => "look at the disk and its mount",
            };
            report.fail("data folder", format!("{} cannot be written: {error}", standing.display()), advice);
        }
    }
    Some(standing)
}

/// Writes a page and takes it away again.
fn write_probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".lastro-doctor-{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| {
            file.write_all(&[0; 4_096])?;
            file.sync_all()
        });
    match (written, fs::remove_file(&path)) {
        (Ok(()), removed) => removed,
        (Err(error), _) => Err(error),
    }
}

fn disk(data: &Path, standing: &Path, report: &mut Report) {
    let found = match room(standing) {
        Ok(found) => found,
        Err(error) => {
            let advice = "look at the disk and its mount";
            return report.warn(
                "disk",
                format!("the free room of {} is not told: {error}", standing.display()),
                advice,
            );
        }
    };
    let used = bytes_below(data);
    let message = format!("{} free, {} used by the data folder", size(found.free_bytes), size(used));
    if found.free_bytes < LITTLE_ROOM.max(used) {
        let advice = "make room before it is full: uploads are then refused (507), and a new format version needs room for a copy of the database";
        report.warn("disk", message, advice);
    } else {
        report.ok("disk", message);
    }
    if let Some(files) = found.free_files.filter(|files| *files < FEW_FILES) {
        let advice = "the file system runs out of inodes: remove small files, or use another";
        report.warn("disk", format!("only {files} more files can be made"), advice);
    }
}

/// Bytes of the files below a folder, as far as they can be seen.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    each.sum()
}

fn mount(standing: &Path, report: &mut Report) {
    // Linux alone tells.
    let Ok(mountinfo) = fs::read("/proc/self/mountinfo") else { return };
    let Ok(path) = fs::canonicalize(standing) else { return };
    let Some(mount) = mount_of(&path, &String::from_utf8_lossy(&mountinfo)) else { return };
    let message = format!("{} is {}, mounted at {}", path.display(), mount.kind, mount.point.display());
    match mount.fitness() {
        Fitness::Good => report.ok("file system", message),
        Fitness::Memory => report.warn("file system", message, "all is lost with a restart of the machine or container: use a disk for what is to stay"),
        Fitness::Network => report.warn("file system", message, "SQLite's write-ahead log is not safe on a network file system: use a local disk or a block volume"),
        Fitness::Bucket => report.fail("file system", message, "a bucket has no locks and no partial writes, and the database breaks on it: use a disk or a block volume"),
    }
}

/// People's documents are for nobody else's eyes.
fn modes(data: &Path, report: &mut Report) {
    let mode = |path: &Path| Some(fs::metadata(path).ok()?.permissions().mode() & 0o777);
    let mut private = true;
    if let Some(mode) = mode(data).filter(|mode| mode & 0o007 != 0) {
        private = false;
        let message = format!("{} is open to every user of this machine (mode {mode:o})", data.display());
        report.warn("permissions", message, format!("chmod 700 {}", data.display()));
    }
    let server = data.join(connection::NAME);
    if let Some(mode) = mode(&server).filter(|mode| mode & 0o077 != 0) {
        private = false;
        let message = format!("{} holds a key and is open to others (mode {mode:o})", server.display());
        report.fail(
            "permissions",
            message,
            "start the server anew: it writes the file with mode 600 and another key",
        );
    }
    if private {
        report.ok("permissions", "the data folder is for its owner alone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::report::Status;

    fn said(report: &Report, check: &str) -> (Status, String) {
        let found = report.findings().iter().find(|finding| finding.check == check);
        let found = found.unwrap_or_else(|| panic!("nothing of {check}: {report:?}"));
        (found.status, found.to_string())
    }

    #[test]
    fn a_folder_is_there_or_can_be_made() {
        let home = tempfile::tempdir().expect("a folder");
        let data = home.path().join("data");
        let mut report = Report::new(true);
        check(&data, &mut report);
        assert_eq!(said(&report, "data folder").0, Status::Ok);
        assert!(!data.exists(), "looking makes nothing");

        let mut report = Report::new(true);
        check(&data.join("missing"), &mut report);
        let (status, text) = said(&report, "data folder");
        assert!(status == Status::Fail && text.contains("mount"), "{text}");

        fs::write(&data, "a file").expect("a file");
        let mut report = Report::new(true);
        check(&data, &mut report);
        assert_eq!(said(&report, "data folder").0, Status::Fail);
    }

    #[test]
    fn what_others_can_read_is_told() {
        let home = tempfile::tempdir().expect("a folder");
        let set =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        set(home.path(), 0o700);
        let mut report = Report::new(true);
        check(home.path(), &mut report);
        assert_eq!(said(&report, "permissions").0, Status::Ok);
        assert_eq!(fs::read_dir(home.path()).expect("the folder").count(), 0, "the probe is gone");

        set(home.path(), 0o755);
        let mut report = Report::new(true);
        check(home.path(), &mut report);
        assert!(said(&report, "permissions").1.contains("chmod 700"));

        let server = home.path().join("server.json");
        fs::write(&server, "{}").expect("a file");
        set(home.path(), 0o700);
        set(&server, 0o644);
        let mut report = Report::new(true);
        check(home.path(), &mut report);
        assert_eq!(said(&report, "permissions").0, Status::Fail);
    }
}
