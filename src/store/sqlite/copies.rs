//! The copy that is kept of a database before it is brought to a newer format version: the way back to the lastro that
//! wrote it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::{Result, StoreError};

/// A file beside the database: `lastro.sqlite3.format-2`.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Keeps a copy beside the database, whole and synced before it has its name. [`StoreError::NoCopy`] without room for
/// it: a data folder is not changed without a way back.
pub(super) fn keep(connection: &Connection, database: &Path, format: i64) -> Result<()> {
    let copy = beside(database, &format!(".format-{format}"));
    let unfinished = beside(&copy, ".new");
    // Of a start that was broken off.
    remove(&unfinished)?;
    let written = write(connection, &unfinished).and_then(|()| {
        fs::rename(&unfinished, &copy).map_err(StoreError::io(&copy))?;
        sync(copy.parent().unwrap_or(Path::new(".")))
    });
    if let Err(error) = written {
        remove(&unfinished)?;
        let bytes = fs::metadata(database).map_or(0, |found| found.len());
        return Err(StoreError::NoCopy { bytes, source: Box::new(error) });
    }
    tracing::info!(copy = %copy.display(), "the database of an older format version is kept; delete it once all is well");
    Ok(())
}

fn write(connection: &Connection, copy: &Path) -> Result<()> {
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    sync(copy)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io(path))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Io { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
