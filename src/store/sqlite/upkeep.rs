//! What is done after removals and now and then, in steps that let others write in between: what was deleted leaves the
//! database's files, and what nobody needs any more goes.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::database::{connect, log_of};
use super::{SqliteStore, collections, copies};
use crate::store::{CollectionId, Result};
use crate::system::now;

/// Chunks that are deleted in one transaction: the writer is held for some hundredths of a second.
pub(super) const CHUNKS_AT_ONCE: usize = 2_000;
/// Pages given back to the disk in one transaction, and free pages that are kept for what comes next.
const PAGES_AT_ONCE: i64 = 500;
const FREE_PAGES: i64 = 256;
/// Writers wait so long for those who read, while the log is cut.
const PATIENCE: Duration = Duration::from_millis(50);
/// Batches that are done are known for so long, in seconds.
const BATCHES_KEPT: i64 = 30 * 86_400;
const BATCHES_AT_ONCE: i64 = 200;

impl SqliteStore {
    /// Waits until something was removed.
    pub async fn removed(&self) {
        self.inner.removed.notified().await;
    }

    /// Brings what was removed out of the database's files. False where somebody reads what was there before: it is to
    /// be tried again.
    pub async fn tidy(&self) -> Result<bool> {
        while self.blocking(|inner| give_pages_back(&inner.writer()?.connection)).await? {
            tokio::task::yield_now().await;
        }
        self.blocking(|inner| {
            if std::fs::metadata(log_of(&inner.database)).map_or(0, |found| found.len()) == 0 {
                return Ok(true);
            }
            // Most of the work is done beside those who write.
            checkpoint(&connect(&inner.database, OpenFlags::default())?, "PASSIVE", PATIENCE)?;
            checkpoint(&inner.writer()?.connection, "TRUNCATE", PATIENCE)
        })
        .await
    }

    /// Forgets what is over its time: batches that are done, and copies of the database in older formats.
    pub async fn forget_old(&self) -> Result<()> {
        let before = now() - BATCHES_KEPT;
        while self
            .write(move |t, _| {
                let forgotten = t.execute(
                    "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b WHERE b.created_at < ?1
                     AND NOT EXISTS (SELECT 1 FROM batch_documents m JOIN documents d ON d.key = m.document
                         WHERE m.batch = b.id AND d.status = 'in_progress') LIMIT ?2)",
                    params![before, BATCHES_AT_ONCE],
                )?;
                Ok(forgotten as i64 == BATCHES_AT_ONCE)
            })
            .await?
        {}
        self.blocking(|inner| copies::remove_old(&inner.database)).await
    }

    /// Removes vectors of other fingerprints than this one, in collections where every chunk has one of it. Says how
    /// many.
    pub async fn forget_vectors_but(&self, fingerprint: &str) -> Result<usize> {
        let kept = fingerprint.to_owned();
        let dead = self.read(move |t| super::changes::replaced_vectors(t, &kept)).await?;
        let mut forgotten = 0;
        for (collection, fingerprint) in dead {
            loop {
                let (collection, fingerprint) = (collection.clone(), fingerprint.clone());
                let removed = self
                    .write(move |t, _| {
                        Ok(t.execute(
                            "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors
                                 WHERE collection = ?1 AND fingerprint = ?2 LIMIT ?3)",
                            params![collection, fingerprint, CHUNKS_AT_ONCE as i64],
                        )?)
                    })
                    .await?;
                forgotten += removed;
                if removed < CHUNKS_AT_ONCE {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    /// Collections that were deleted, or are over their time, and still hold something. Most often there is none: who
    /// deleted them did it, unless the process died.
    pub async fn unfinished_collections(&self) -> Result<Vec<CollectionId>> {
        self.read(collections::unfinished).await
    }
}

/// Gives some free pages back to the disk, and says whether there are more.
fn give_pages_back(writer: &Connection) -> Result<bool> {
    let number = |pragma: &str| writer.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (is_incremental, free) = (number("PRAGMA auto_vacuum")? == 2, number("PRAGMA freelist_count")?);
    let given = (free - FREE_PAGES).min(PAGES_AT_ONCE);
    if !is_incremental || given <= 0 {
        return Ok(false);
    }
    writer.execute_batch(&format!("PRAGMA incremental_vacuum({given})"))?;
    Ok(number("PRAGMA freelist_count")? < free)
}

/// Brings the log into the database's file, waiting so long for those who read. Says whether all of it was.
pub(super) fn checkpoint(connection: &Connection, mode: &str, patience: Duration) -> Result<bool> {
    connection.busy_timeout(patience)?;
    let done =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(super::database::PATIENCE)?;
    Ok(!done?)
}

#[cfg(test)]
mod tests;
