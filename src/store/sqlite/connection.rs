//! A connection to the database's file, and what is done with its log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// For a lock that somebody else holds.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn connect(database: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(database, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    // With statistics compiled in, SQLite would prepare a cached statement anew for every bound text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// What was committed and is not in the database's own file yet.
pub(super) fn log_of(database: &Path) -> PathBuf {
    database.with_extension("sqlite3-wal")
}

/// Brings the log into the database's file, waiting so long for those who read. Says whether all of it was.
pub(super) fn checkpoint(connection: &Connection, mode: &str, patience: Duration) -> rusqlite::Result<bool> {
    connection.busy_timeout(patience)?;
    let done =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(PATIENCE)?;
    Ok(!done?)
}
