//! Which database this is, and whether the folders beside it have seen a later state of it, or another one.
//!
//! Every run of the server draws a token, which the database keeps with the number of commits before it. A folder that
//! remembers a token and a number of commits ([`Memory`]) has seen nothing else than this database knows if the token
//! is here and the run of that token came at least that far. Otherwise the database is a restored copy, or not the one
//! that the folder belongs to. Then a new epoch begins: what was derived in another past is not taken for derived from
//! this one, even if the numbers in it come to match.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::store::belonging::{Memory, Remembered, Seen};
use crate::store::{Result, StoreError};
use crate::system::random_hex;

/// Older runs are forgotten: a copy of a folder from before them is taken for one of another database.
const MOST_RUNS: i64 = 1_000;

/// How the database and the folders beside it stand to one another, in one run.
#[derive(Debug)]
pub(super) struct Lineage {
    /// The database and its epoch: equal for what was derived from one past.
    pub identity: String,
    commits: u64,
    originals: Memory,
    derived: Memory,
    /// What the originals have seen and this database has not.
    pub unknown: Vec<Seen>,
    /// The originals remembered nothing before this run.
    pub is_first_meeting: bool,
}

impl Lineage {
    /// Begins a run. Both folders exist.
    pub fn begin(writer: &mut Connection, originals: &Path, derived: &Path) -> Result<Self> {
        let random = |bytes| random_hex(bytes).map_err(|error| StoreError::Worker(error.to_string()));
        let (run, epoch) = (random(8)?, random(8)?);
        let transaction = writer.transaction()?;
        let remembered = Remembered::of(originals)?;
        let unknown = unknown(&transaction, originals, &remembered)?;
        // What was unknown at the last start already has had its epoch.
        let surprised = match &remembered.last {
            Some(last) => unknown.contains(last),
            None => !unknown.is_empty(),
        };
        if surprised {
            // What was to be removed may have been named again in the time that this database does not know.
            transaction.execute("DELETE FROM removed_blobs", [])?;
            // And no collection is over its time that may have been used in it: what goes with it, a later state names.
            transaction.execute(
                "UPDATE collections SET last_active_at = max(last_active_at, unixepoch()) WHERE expired = 0",
                [],
            )?;
        }
        let other_past = surprised || derived_elsewhere(&transaction, derived)?;
        if other_past {
            transaction.execute("UPDATE identity SET epoch = ?1", [&epoch])?;
        }
        let before = commits(&transaction)?;
        transaction
            .execute("INSERT INTO runs (token, commits) VALUES (?1, ?2)", params![run, before as i64])?;
        transaction
            .execute("DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?1", [MOST_RUNS])?;
        raise(&transaction)?;
        let (database, epoch): (String, String) =
            transaction.query_row("SELECT database, epoch FROM identity", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        // The folders remember what is on the disk, so this comes first. Killed between the two, the next start sees
        // what this one saw.
        transaction.commit()?;
        let identity = format!("{database}-{epoch}");
        let seen = Seen { database, run, commits: before + 1 };
        if other_past {
            tracing::warn!(
                "the database is older than what lies beside it, or another one: indexes are made anew from it"
            );
        }
        Ok(Self {
            identity,
            commits: seen.commits,
            derived: Memory::begin(derived, seen.clone(), &[])?,
            originals: Memory::begin(originals, seen, &unknown)?,
            unknown,
            is_first_meeting: remembered.last.is_none(),
        })
    }

    /// Follows a commit that counted itself by [`count`].
    pub fn follow(&mut self, commits: u64) {
        if commits > self.commits {
            self.commits = commits;
            self.originals.follow(commits);
            self.derived.follow(commits);
        }
    }

    /// The originals are found to be those of another database.
    pub fn distrust(&mut self) -> Result<()> {
        self.unknown = vec![Seen::unknown()];
        self.originals.rewrite(&self.unknown)
    }

    /// No original is left that this database does not name: whatever else was known, nothing of it is there.
    pub fn trust(&mut self) -> Result<()> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        self.unknown.clear();
        self.originals.rewrite(&self.unknown)
    }

    /// Brings what the folders remember to the disk.
    pub fn settle(&self) -> Result<()> {
        self.originals.settle()?;
        self.derived.settle()
    }
}

/// Counts a commit that changed something, and says how many there are then.
pub(super) fn count(t: &Transaction<'_>) -> Result<u64> {
    raise(t)?;
    commits(t)
}

fn raise(t: &Transaction<'_>) -> Result<()> {
    t.prepare_cached("UPDATE identity SET commits = commits + 1")?.execute([])?;
    Ok(())
}

fn commits(t: &Transaction<'_>) -> Result<u64> {
    let commits: i64 = t.prepare_cached("SELECT commits FROM identity")?.query_row([], |row| row.get(0))?;
    Ok(commits as u64)
}

/// Whether this database has been in that state.
fn knows(t: &Transaction<'_>, seen: &Seen) -> Result<bool> {
    let until: Option<i64> = t
        .query_row(
            "SELECT coalesce(
                 (SELECT n.commits FROM runs n WHERE n.number > r.number ORDER BY n.number LIMIT 1),
                 (SELECT commits FROM identity))
             FROM runs r WHERE r.token = ?1 AND (SELECT database FROM identity) = ?2",
            params![seen.run, seen.database],
            |row| row.get(0),
        )
        .optional()?;
    Ok(until.is_some_and(|until| seen.commits <= until as u64))
}

/// What originals have seen that this database does not know.
pub(super) fn unknown(t: &Transaction<'_>, originals: &Path, remembered: &Remembered) -> Result<Vec<Seen>> {
    let mut unknown = Vec::new();
    for seen in remembered.all() {
        if !unknown.contains(seen) && !knows(t, seen)? {
            unknown.push(seen.clone());
        }
    }
    // Before folders remembered anything, they belonged to the database that was there. A new one knows none of it.
    if remembered.last.is_none() && is_occupied(originals)? && names_nothing(t)? {
        unknown.push(Seen::unknown());
    }
    Ok(unknown)
}

fn names_nothing(t: &Transaction<'_>) -> Result<bool> {
    Ok(!t.prepare("SELECT 1 FROM blobs LIMIT 1")?.exists([])?)
}

/// Whether indexes may have been derived from another past.
fn derived_elsewhere(t: &Transaction<'_>, derived: &Path) -> Result<bool> {
    match Remembered::of(derived)?.last {
        Some(seen) => Ok(!knows(t, &seen)?),
        None => is_occupied(derived),
    }
}

fn is_occupied(folder: &Path) -> Result<bool> {
    Ok(std::fs::read_dir(folder).map_err(StoreError::io(folder))?.next().is_some())
}

#[cfg(test)]
mod tests;
