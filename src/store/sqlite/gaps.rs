//! What SQLite leaves in its pages of rows that it moved.
//!
//! `secure_delete` writes over a row where it lies when it is deleted. Where pages are split or merged before, rows move
//! to another page, and their bytes stay in the unused middle of the one that they left, out of SQLite's sight: text
//! that is deleted afterwards can still be read there from the file. Nothing is ever read back from that middle, so it may
//! be written over beside SQLite while nobody writes.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::log_of;
use crate::store::{Result, StoreError};

/// Bytes before the first page's own.
const HEAD_OF_THE_FILE: usize = 100;

/// An empty file beside the database, there from a start to a clean stop. The log does not tell of a kill in between: it
/// is cut while the server runs, soon after each removal.
fn note(database: &Path) -> PathBuf {
    database.with_extension("sqlite3-open")
}

/// Whether the last process did not come to its end: pages may hold something that it removed. To be asked before the
/// database is opened, which reads the log.
pub(super) fn was_killed(database: &Path) -> bool {
    fs::metadata(log_of(database)).is_ok_and(|log| log.len() > 0)
        || note(database).try_exists().unwrap_or(true)
}

/// Notes that somebody may remove something from now on.
pub(super) fn begin(database: &Path) {
    if let Err(error) = File::create(note(database)) {
        tracing::warn!(%error, "a kill of this process will not be noticed by the next");
    }
}

/// Notes that the end was reached.
pub(super) fn end(database: &Path) -> Result<()> {
    let note = note(database);
    match fs::remove_file(&note) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io(&note)(error)),
        _ => Ok(()),
    }
}

/// Writes over the unused middle of all pages with rows or keys, for so long. Says whether that was enough. The log is
/// empty, and nobody writes any more.
pub(super) fn clear(connection: &Connection, database: &Path, patience: Duration) -> Result<bool> {
    let began = Instant::now();
    let size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let mut page = vec![0; size as usize];
    let file = OpenOptions::new().read(true).write(true).open(database).map_err(StoreError::io(database))?;
    let mut pages = connection.prepare("SELECT pageno FROM dbstat WHERE pagetype <> 'overflow'")?;
    let mut pages = pages.query([])?;
    while let Some(row) = pages.next()? {
        if began.elapsed() > patience {
            return Ok(false);
        }
        let number: u32 = row.get(0)?;
        let start = u64::from(number.saturating_sub(1)) * u64::from(size);
        file.read_exact_at(&mut page, start).map_err(StoreError::io(database))?;
        let Some(unused) = unused(&page, if number == 1 { HEAD_OF_THE_FILE } else { 0 }) else { continue };
        let at = start + unused.start as u64;
        let unused = &mut page[unused];
        if unused.iter().any(|byte| *byte != 0) {
            unused.fill(0);
            file.write_all_at(unused, at).map_err(StoreError::io(database))?;
        }
    }
    file.sync_data().map_err(StoreError::io(database))?;
    Ok(true)
}

/// What lies between the places of a page's cells and the first of them, as SQLite's file format has it.
fn unused(page: &[u8], header: usize) -> Option<Range<usize>> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let places = match page.get(header)? {
        2 | 5 => header + 12,
        10 | 13 => header + 8,
        _ => return None,
    };
    let begin = places + 2 * number(header + 3)?;
    let end = match number(header + 5)? {
        0 => 65_536,
        end => end,
    };
    (begin < end && end <= page.len()).then_some(begin..end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::{OpenFlags, params};

    use super::*;
    use crate::store::sqlite::connection::{checkpoint, connect};
    use crate::store::sqlite::{DATABASE, SqliteStore};
    use crate::store::{Housekeeping, OpenError};

    type Result<T> = std::result::Result<T, OpenError>;

    const ROWS: usize = 2_000;
    const PATIENCE: Duration = Duration::from_secs(60);

    /// In another order than that of the numbers, so that pages are split in their middle.
    fn order() -> impl Iterator<Item = usize> {
        (0..ROWS).map(|n| n * 7 % ROWS)
    }

    fn stays(row: usize) -> bool {
        row.is_multiple_of(3)
    }

    fn text(row: usize) -> String {
        format!("m{row:04}x").repeat(1 + row * 7 % 200)
    }

    /// Rows that were deleted and of which the file still holds text.
    fn traces(database: &Path) -> BTreeSet<usize> {
        let bytes = std::fs::read(database).expect("a file");
        let row = |part: &[u8]| match part {
            [b'm', digits @ .., b'x'] => std::str::from_utf8(digits).ok()?.parse::<usize>().ok(),
            _ => None,
        };
        bytes.windows(6).filter_map(row).filter(|row| !stays(*row)).collect()
    }

    #[tokio::test]
    async fn a_start_notices_a_kill_though_the_log_was_cut() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DATABASE);
        let store = SqliteStore::open(folder.path())?;
        store.close().await?;
        drop(store);
        assert!(!was_killed(&path), "it came to its end");
        let store = SqliteStore::open(folder.path())?;
        assert!(store.tidy().await?);
        drop(store);
        assert!(was_killed(&path), "it did not");
        let store = SqliteStore::open(folder.path())?;
        store.close().await?;
        drop(store);
        assert!(!was_killed(&path));
        Ok(())
    }

    #[test]
    fn nothing_is_left_of_rows_that_were_moved_and_deleted() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sqlite3");
        let mut connection = connect(&path, OpenFlags::default())?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.execute_batch("CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT)")?;
        let t = connection.transaction()?;
        for row in order() {
            t.execute("INSERT INTO a (id, text) VALUES (?1, ?2)", params![row as i64, text(row)])?;
        }
        t.commit()?;
        let t = connection.transaction()?;
        for row in order().filter(|row| !stays(*row)) {
            t.execute("DELETE FROM a WHERE id = ?1", [row as i64])?;
        }
        t.commit()?;
        assert!(checkpoint(&connection, "TRUNCATE", PATIENCE)?);
        assert!(!traces(&path).is_empty(), "SQLite leaves nothing any more: this module can go");
        assert!(!clear(&connection, &path, Duration::ZERO)?);
        assert!(clear(&connection, &path, PATIENCE)?);
        assert_eq!(traces(&path), BTreeSet::new());
        drop(connection);
        let connection = connect(&path, OpenFlags::default())?;
        let well: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        assert_eq!(well, "ok");
        for row in order().filter(|row| stays(*row)) {
            let found: String =
                connection.query_row("SELECT text FROM a WHERE id = ?1", [row as i64], |row| row.get(0))?;
            assert_eq!(found, text(row));
        }
        Ok(())
    }
}
