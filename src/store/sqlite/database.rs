//! The database's connections, and work on threads that may block: one transaction at a time writes, several read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction};
use rustix::fs::{Access, access};
use tokio::sync::Notify;

use super::lineage::Lineage;
use super::writer::Writer;
use super::{DATABASE, DERIVED, copies, gaps, originals, schema, upkeep};
use crate::store::blobs::{self, Blobs};
use crate::store::{Result, Staging, Store, StoreError};
use crate::tasks;

/// [`Store`] on SQLite. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    writer: Mutex<Writer>,
    pub(super) identity: String,
    /// Told when something was removed.
    pub(super) removed: Notify,
    /// Whether something was removed since pages were last looked through for what is left of it.
    may_hold_removed: AtomicBool,
    readers: Mutex<Vec<Connection>>,
    pub(super) database: PathBuf,
    /// Device and number of the database's file.
    place: (u64, u64),
    pub(super) blobs: Blobs,
    pub(super) staging: Staging,
}

/// For a lock that somebody else holds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The log is cut to this once it was read into the database.
const LOG_BYTES: i64 = 16 << 20;
/// For those who read, at a stop, and then for what pages still hold.
const SETTLED: Duration = Duration::from_secs(5);
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 16;

/// What was committed and is not in the database's own file yet.
pub(super) fn log_of(database: &Path) -> PathBuf {
    database.with_extension("sqlite3-wal")
}

impl SqliteStore {
    /// Opens the data folder, creating it or bringing it to the newest format. The caller holds its [`DataLock`].
    pub fn open(data: &Path) -> Result<Self> {
        let database = data.join(DATABASE);
        // The last process did not come to its end: who knows what it removed.
        let was_killed = std::fs::metadata(log_of(&database)).is_ok_and(|log| log.len() > 0);
        let mut writer = connect(&database, OpenFlags::default())?;
        // Before anything is changed.
        let format = schema::check(&writer)?;
        let (blobs, staging) = Blobs::open(data)?;
        blobs::clear_staging(&staging)?;
        if (1..schema::newest()).contains(&format) {
            writer = copies::keep(writer, &database, format)?;
        }
        // For a new database, which has no page yet.
        writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        // What is deleted is written over.
        writer.pragma_update(None, "secure_delete", true)?;
        // A step that a power cut takes back is taken again: the disk need not be waited for after each.
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        schema::migrate(&mut writer)?;
        // FULL: a commit in WAL mode is on the disk when it returns.
        writer.pragma_update(None, "synchronous", "FULL")?;
        let derived = data.join(DERIVED);
        std::fs::create_dir_all(&derived).map_err(StoreError::io(&derived))?;
        let may_hold_removed = gaps::begin(&database) || was_killed;
        let lineage = Lineage::begin(&mut writer, blobs.folder(), &derived)?;
        match originals::recover(&writer, &blobs)? {
            0 => {}
            files => tracing::info!(files, "originals that are named again were brought back from the trash"),
        }
        if format < schema::newest() {
            // Files that are new are there after a crash of the machine, too.
            blobs::sync_folder(data)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                identity: lineage.identity.clone(),
                removed: Notify::new(),
                may_hold_removed: AtomicBool::new(may_hold_removed),
                writer: Mutex::new(Writer {
                    connection: writer,
                    lineage,
                    blobs: blobs.clone(),
                    closed: false,
                }),
                readers: Mutex::new(Vec::new()),
                place: place(&database)?,
                database,
                blobs,
                staging,
            }),
        })
    }

    /// Whether something could be stored now: the database is in its place, and a page can be written.
    pub async fn check_writable(&self) -> Result<()> {
        self.blocking(|inner| {
            inner.check_place()?;
            // Where it may be a mount of its own.
            let originals = inner.blobs.folder();
            let may_write = access(originals, Access::WRITE_OK | Access::EXEC_OK);
            may_write.map_err(|error| StoreError::io(originals)(error.into()))
        })
        .await?;
        let mut probe = self.staging().begin().await?;
        probe.write(&[0; 4_096]).await?;
        probe.flush().await
    }

    /// Ends writing, and brings all of the log (`-wal`) into the database's one file: what is under way beside it is
    /// refused with [`StoreError::Closed`]. Nothing is lost where that fails: the log is read at the next start.
    pub async fn close(&self) -> Result<()> {
        self.blocking(|inner| {
            let mut writer = inner.writer()?;
            writer.closed = true;
            inner.settle(&mut writer)
        })
        .await
    }

    /// The same, and writing goes on.
    #[cfg(test)]
    pub(super) async fn settle(&self) -> Result<()> {
        self.blocking(|inner| inner.settle(&mut *inner.writer()?)).await
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        tasks::blocking(move || work(&inner)).await
    }

    /// One writing transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            inner.check_place()?;
            inner.writer()?.write(|t| work(t, &inner.blobs))
        })
        .await
    }

    /// Something was removed: its text is to leave the files.
    pub(super) fn note_removal(&self) {
        self.inner.may_hold_removed.store(true, Ordering::Relaxed);
        self.inner.removed.notify_one();
    }

    /// The same where something may be removed by it.
    pub(super) async fn remove<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let value = self.write(work).await?;
        self.note_removal();
        Ok(value)
    }

    /// The same for bytes that are given their name in it: where it fails, they do not stay behind, unless they were
    /// there before.
    pub(super) async fn write_bytes<T: Send + 'static>(
        &self,
        sha256: String,
        work: impl FnOnce(&Transaction<'_>, &Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            inner.check_place()?;
            let mut writer = inner.writer()?;
            // Bytes that lie here already may be of a database that is to be put back: they are not this upload's to remove.
            let is_new = !inner.blobs.holds(&sha256);
            let written = writer.write(|t| work(t, &inner.blobs));
            if written.is_err()
                && is_new
                && let Err(error) = inner.remove_unnamed(&writer, sha256)
            {
                // Swept at the next start.
                tracing::warn!(%error, "bytes of a failed upload stay for now");
            }
            written
        })
        .await
    }

    /// One reading transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            let idle = inner.readers.lock().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => connect(&inner.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            let transaction = connection.transaction()?;
            let value = work(&transaction);
            drop(transaction);
            let mut readers = inner.readers.lock();
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
            value
        })
        .await
    }

    pub(super) async fn read_before<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // A quick read would otherwise still come in time now and then, although its time was over before it began.
        if Instant::now() >= deadline {
            return Err(StoreError::Deadline);
        }
        tokio::time::timeout_at(deadline.into(), self.read(work)).await.unwrap_or(Err(StoreError::Deadline))
    }
}

impl Inner {
    /// The one writer, until the store is closed.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.lock();
        if writer.closed { Err(StoreError::Closed) } else { Ok(writer) }
    }

    fn settle(&self, writer: &mut Writer) -> Result<()> {
        self.check_place()?;
        writer.finish_removals()?;
        if !upkeep::checkpoint(&writer.connection, "TRUNCATE", SETTLED)? {
            tracing::warn!("the database was read until the end: its log stays, and the next start reads it");
        } else {
            if self.may_hold_removed.load(Ordering::Relaxed) {
                match gaps::clear(&writer.connection, &self.database, SETTLED)? {
                    true => self.may_hold_removed.store(false, Ordering::Relaxed),
                    false => tracing::warn!(
                        "the database is too large to be looked through for what was deleted: pieces may be left in it"
                    ),
                }
            }
            // Also where it was too large: the next stop would come no further.
            gaps::end(&self.database)?;
        }
        writer.lineage.settle()
    }

    /// Removes bytes that no file names. The caller holds the writer.
    fn remove_unnamed(&self, writer: &Writer, sha256: String) -> Result<()> {
        if !writer.names(&sha256)? {
            self.blobs.remove(&[sha256]);
        }
        Ok(())
    }

    /// SQLite goes on writing to a file that was removed or unmounted under it, and what it acknowledges there is lost.
    fn check_place(&self) -> Result<()> {
        match place(&self.database)? == self.place {
            true => Ok(()),
            false => Err(StoreError::Replaced { path: self.database.clone() }),
        }
    }
}

/// The file system and the number of a file: two files that exist never share both.
fn place(path: &Path) -> Result<(u64, u64)> {
    let found = std::fs::metadata(path).map_err(StoreError::io(path))?;
    Ok((found.dev(), found.ino()))
}

pub(super) fn connect(database: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(database, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    // With statistics compiled in, SQLite would prepare a cached statement anew for every bound text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}
