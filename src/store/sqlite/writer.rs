//! The one connection that writes, and what follows each of its commits: the folders beside the database remember it,
//! and the originals that it noted for removal are removed.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::lineage::{self, Lineage};
use crate::store::Result;
use crate::store::blobs::Blobs;

pub(super) struct Writer {
    pub connection: Connection,
    pub lineage: Lineage,
    pub blobs: Blobs,
    /// Nothing is written any more.
    pub closed: bool,
}

impl Writer {
    /// One writing transaction.
    pub fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let before = self.connection.total_changes();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        let changed = transaction.total_changes() > before;
        let commits = if changed { Some(lineage::count(&transaction)?) } else { None };
        transaction.commit()?;
        if let Some(commits) = commits {
            self.lineage.follow(commits);
            // The commit stands, and what is noted is found at the next.
            if let Err(error) = self.finish_removals() {
                tracing::warn!(%error, "originals that were deleted stay until the next try");
            }
        }
        Ok(value)
    }

    /// Removes the originals that deletions noted, for good. Says how many.
    pub fn finish_removals(&mut self) -> Result<usize> {
        let noted: Vec<String> = {
            let mut statement = self.connection.prepare_cached("SELECT sha256 FROM removed_blobs")?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        if noted.is_empty() {
            return Ok(0);
        }
        let gone = self.blobs.remove(&noted);
        // Not waited for: a note that comes back with a crash is followed once more.
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        let forgotten = forget(&mut self.connection, &gone);
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        forgotten.map(|()| gone.len())
    }

    /// Whether a record names an original.
    pub fn names(&self, sha256: &str) -> Result<bool> {
        Ok(self.connection.prepare_cached("SELECT 1 FROM blobs WHERE sha256 = ?1")?.exists([sha256])?)
    }
}

fn forget(connection: &mut Connection, gone: &[&str]) -> Result<()> {
    let transaction = connection.transaction()?;
    for sha256 in gone {
        transaction.prepare_cached("DELETE FROM removed_blobs WHERE sha256 = ?1")?.execute([sha256])?;
    }
    Ok(transaction.commit()?)
}
