//! The copy that is kept of a database before it is brought to a newer format version: the way back to the lastro that
//! wrote it. It holds what was deleted since, so it has an end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::connection::connect;
use crate::store::{OpenError, Result, StoreError};

/// For so long there is a way back.
const KEPT_DAYS: u64 = 30;

/// A file beside the database: `lastro.sqlite3.format-2`.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Keeps a database beside itself and goes on with a copy of it, whole and synced before it has its name: one without
/// free pages, and from which pages can be given back. [`OpenError::NoCopy`] without room for it: a data folder is not
/// changed without a way back.
pub(super) fn keep(
    connection: Connection,
    database: &Path,
    format: i64,
) -> std::result::Result<Connection, OpenError> {
    let kept = beside(database, &format!(".format-{format}"));
    let unfinished = beside(&kept, ".new");
    // Of a start that was broken off.
    remove(&unfinished)?;
    let connection = match exchange(connection, database, &kept, &unfinished) {
        Ok(()) => connect(database, OpenFlags::default())?,
        Err(error) => {
            remove(&unfinished)?;
            let bytes = fs::metadata(database).map_or(0, |found| found.len());
            return Err(OpenError::NoCopy { bytes, source: error });
        }
    };
    tracing::info!(
        copy = %kept.display(),
        days = KEPT_DAYS,
        "the database of an older format version is kept for some days, with what is deleted in that time; delete it once all is well"
    );
    Ok(connection)
}

fn exchange(connection: Connection, database: &Path, kept: &Path, unfinished: &Path) -> Result<()> {
    // Its log goes into it: nothing of it may be taken for that of the copy.
    let mode: rusqlite::Result<String> =
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0));
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    sync(unfinished)?;
    drop(connection);
    let folder = database.parent().unwrap_or(Path::new("."));
    // From today on it is kept.
    touch(database)?;
    if mode.as_deref() != Ok("delete") || !link(database, kept)? {
        // The copy is what is kept then, and the database goes on as it is.
        touch(unfinished)?;
        fs::rename(unfinished, kept).map_err(StoreError::io(kept))?;
        return sync(folder);
    }
    sync(folder)?;
    fs::rename(unfinished, database).map_err(StoreError::io(database))?;
    sync(folder)
}

/// Gives a file a second name, in place of what had it. False where the file system has no such thing.
fn link(file: &Path, name: &Path) -> Result<bool> {
    let unfinished = beside(name, ".link");
    remove(&unfinished)?;
    if fs::hard_link(file, &unfinished).is_err() {
        return Ok(false);
    }
    let renamed = fs::rename(&unfinished, name).map_err(StoreError::io(name));
    if renamed.is_err() {
        remove(&unfinished)?;
    }
    renamed.map(|()| true)
}

fn touch(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.set_modified(SystemTime::now())).map_err(StoreError::io(path))
}

/// Removes the copies that were kept for long enough.
pub(super) fn remove_old(database: &Path) -> Result<()> {
    for (path, age) in copies(database)? {
        if age >= Duration::from_secs(KEPT_DAYS * 86_400) {
            remove(&path)?;
            tracing::info!(
                copy = %path.display(),
                days = KEPT_DAYS,
                "the database of an older format version was kept for long enough, and removed"
            );
        }
    }
    Ok(())
}

/// All copies, and how long ago they were made.
fn copies(database: &Path) -> Result<Vec<(PathBuf, Duration)>> {
    let folder = database.parent().unwrap_or(Path::new("."));
    let begin = format!("{}.format-", database.file_name().unwrap_or_default().to_string_lossy());
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder).map_err(StoreError::io(folder))? {
        let path = entry.map_err(StoreError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(format) = name.strip_prefix(&begin) else { continue };
        if !format.is_empty() && format.bytes().all(|b| b.is_ascii_digit()) && path.is_file() {
            let modified =
                fs::metadata(&path).and_then(|found| found.modified()).map_err(StoreError::io(&path))?;
            // One of the future is new.
            copies.push((path, modified.elapsed().unwrap_or_default()));
        }
    }
    Ok(copies)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io(path))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_an_end() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("lastro.sqlite3");
        let path = |ending: &str| beside(&database, ending);
        let names = ["", ".format-2", ".format-3", ".format-mine", "-wal"];
        for name in names {
            fs::write(path(name), "").expect("a file");
            let days = if name == ".format-3" { KEPT_DAYS - 1 } else { KEPT_DAYS + 1 };
            let at = SystemTime::now() - Duration::from_secs(days * 86_400);
            File::open(path(name)).and_then(|file| file.set_modified(at)).expect("a time");
        }
        remove_old(&database)?;
        let left: Vec<_> = names.into_iter().filter(|name| path(name).exists()).collect();
        assert_eq!(left, ["", ".format-3", ".format-mine", "-wal"]);
        Ok(())
    }
}
