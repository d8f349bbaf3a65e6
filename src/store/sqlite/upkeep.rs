//! What is done after removals and now and then, in steps that let others write in between: what was deleted leaves the
//! database's files, and what nobody needs any more goes.

use std::time::Duration;

use rusqlite::{OpenFlags, Transaction, params};

use super::connection::{checkpoint, connect, log_of};
use super::database::Inner;
use crate::store::{Result, StoreError};

/// Chunks that are deleted in one transaction: the writer is held for some hundredths of a second.
pub(super) const CHUNKS_AT_ONCE: usize = 2_000;
/// Pages given back to the disk in one transaction, and free pages that are kept for what comes next.
const PAGES_AT_ONCE: i64 = 500;
const FREE_PAGES: i64 = 256;
/// Writers wait so long for those who read, while the log is cut.
const PATIENCE: Duration = Duration::from_millis(50);
/// Batches that are done are known for so long, in seconds.
pub(super) const BATCHES_KEPT: i64 = 30 * 86_400;
const BATCHES_AT_ONCE: i64 = 200;

/// Gives some free pages back to the disk, and says whether there are more.
pub(super) fn give_pages_back(inner: &Inner) -> Result<bool> {
    let writer = inner.writer()?;
    let number = |pragma: &str| writer.connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (is_incremental, free) = (number("PRAGMA auto_vacuum")? == 2, number("PRAGMA freelist_count")?);
    let given = (free - FREE_PAGES).min(PAGES_AT_ONCE);
    if !is_incremental || given <= 0 {
        return Ok(false);
    }
    writer.connection.execute_batch(&format!("PRAGMA incremental_vacuum({given})"))?;
    Ok(number("PRAGMA freelist_count")? < free)
}

/// Brings the log into the database's file, and cuts it. False where somebody reads what was there before.
pub(super) fn cut_log(inner: &Inner) -> Result<bool> {
    if std::fs::metadata(log_of(&inner.database)).map_or(0, |found| found.len()) == 0 {
        return Ok(true);
    }
    let _alone = inner.checkpointing.lock();
    // Most of the work is done beside those who write.
    checkpoint(&connect(&inner.database, OpenFlags::default())?, "PASSIVE", PATIENCE)?;
    match inner.writer() {
        Ok(writer) => Ok(checkpoint(&writer.connection, "TRUNCATE", PATIENCE)?),
        // The stop does it.
        Err(StoreError::Closed) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Forgets some batches that are done and were made before a time, and says whether there are more.
pub(super) fn forget_some_batches(t: &Transaction<'_>, before: i64) -> Result<bool> {
    let forgotten = t.execute(
        "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b WHERE b.created_at < ?1
         AND NOT EXISTS (SELECT 1 FROM batch_documents m JOIN documents d ON d.key = m.document
             WHERE m.batch = b.id AND d.status = 'in_progress') LIMIT ?2)",
        params![before, BATCHES_AT_ONCE],
    )?;
    Ok(forgotten as i64 == BATCHES_AT_ONCE)
}

/// Removes some vectors of a fingerprint from a collection. Says how many: [`CHUNKS_AT_ONCE`] where there may be more.
pub(super) fn forget_some_vectors(t: &Transaction<'_>, collection: &str, fingerprint: &str) -> Result<usize> {
    Ok(t.execute(
        "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors
             WHERE collection = ?1 AND fingerprint = ?2 LIMIT ?3)",
        params![collection, fingerprint, CHUNKS_AT_ONCE as i64],
    )?)
}

#[cfg(test)]
mod tests;
