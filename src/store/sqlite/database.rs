//! The database's connections, and work on threads that may block: one transaction at a time writes, several read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::Notify;

use super::connection::{checkpoint, connect};
use super::lineage::Lineage;
use super::writer::Writer;
use super::{DATABASE, DERIVED, copies, gaps, originals, schema};
use crate::store::blobs::{Blobs, sync_folder};
use crate::store::{OpenError, Result, StoreError};
use crate::tasks;

/// The store on SQLite. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    writer: Mutex<Writer>,
    /// Held while the log is brought into the database beside those who write, and taken before the writer: SQLite refuses a
    /// second checkpoint at once, however long it was told to wait.
    pub(super) checkpointing: Mutex<()>,
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
}

/// The log is cut to this once it was read into the database.
const LOG_BYTES: i64 = 16 << 20;
/// For those who read, at a stop, and then for what pages still hold.
const SETTLED: Duration = Duration::from_secs(5);
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 16;

impl SqliteStore {
    /// Opens the data folder, creating it or bringing it to the newest format. The caller holds its [`DataLock`](crate::store::DataLock).
    pub fn open(data: &Path) -> std::result::Result<Self, OpenError> {
        let database = data.join(DATABASE);
        // Who knows what it removed.
        let was_killed = gaps::was_killed(&database);
        let mut writer = connect(&database, OpenFlags::default())?;
        // Before anything is changed.
        let format = schema::check(&writer)?;
        let blobs = Blobs::open(data)?;
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
        gaps::begin(&database);
        let lineage = Lineage::begin(&mut writer, blobs.folder(), &derived)?;
        match originals::recover(&writer, &blobs)? {
            0 => {}
            files => tracing::info!(files, "originals that are named again were brought back from the trash"),
        }
        if format < schema::newest() {
            // Files that are new are there after a crash of the machine, too.
            sync_folder(data)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                identity: lineage.identity.clone(),
                removed: Notify::new(),
                may_hold_removed: AtomicBool::new(was_killed),
                writer: Mutex::new(Writer {
                    connection: writer,
                    lineage,
                    blobs: blobs.clone(),
                    closed: false,
                }),
                readers: Mutex::new(Vec::new()),
                checkpointing: Mutex::default(),
                place: place(&database)?,
                database,
                blobs,
            }),
        })
    }

    /// Brings all of the log into the database, and writing goes on.
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
    /// Ends writing, and brings all of the log (`-wal`) into the database's one file: what is under way beside it is
    /// refused with [`StoreError::Closed`]. Where that fails, the log is read at the next start.
    pub(super) fn close(&self) -> Result<()> {
        self.writer()?.closed = true;
        let _alone = self.checkpointing.lock();
        self.settle(&mut self.writer.lock())
    }

    /// The one writer, until the store is closed.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.lock();
        if writer.closed { Err(StoreError::Closed) } else { Ok(writer) }
    }

    fn settle(&self, writer: &mut Writer) -> Result<()> {
        self.check_place()?;
        writer.finish_removals()?;
        if !checkpoint(&writer.connection, "TRUNCATE", SETTLED)? {
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
    pub(super) fn check_place(&self) -> Result<()> {
        match place(&self.database)? == self.place {
            true => Ok(()),
            false => {
                let path = self.database.display();
                Err(StoreError::Unavailable(format!(
                    "{path} was replaced while it was open: start lastro anew"
                )))
            }
        }
    }
}

/// The file system and the number of a file: two files that exist never share both.
fn place(path: &Path) -> Result<(u64, u64)> {
    let found = std::fs::metadata(path).map_err(StoreError::io(path))?;
    Ok((found.dev(), found.ino()))
}
