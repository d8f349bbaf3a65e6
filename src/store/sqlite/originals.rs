//! The originals as the records name them: what is missing, what no record names, and what is in the trash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::database::connect;
use super::{DATABASE, SqliteStore, lineage, schema};
use crate::store::Result;
use crate::store::belonging::Remembered;
use crate::store::blobs::Blobs;

/// What a start found and did about originals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deleted before, and removed now: the last process died in between.
    pub finished: usize,
    /// No record names them: they are in the trash now.
    pub discarded: usize,
    /// Were in the trash for long enough.
    pub emptied: usize,
    /// No record names them, and they stay: others than this database may know them.
    pub unknown: usize,
    /// Named by records, and not there.
    pub missing: usize,
}

impl SqliteStore {
    /// Looks at all originals. What no record names goes to the trash, and what was there for as long as `kept` is
    /// removed. Only what is older than `before`, when this process began, is looked at. Nothing is moved where the
    /// originals have seen what this database does not know.
    pub async fn sweep(&self, before: SystemTime, kept: Duration) -> Result<Swept> {
        self.blocking(move |inner| {
            let mut swept = Swept { finished: inner.writer()?.finish_removals()?, ..Swept::default() };
            let names = names(&connect(&inner.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?)?;
            let there = inner.blobs.all()?;
            let known = |sha256: &str| names.contains(sha256);
            let found = there.iter().filter(|original| known(&original.sha256)).count();
            let unnamed: Vec<_> = there.iter().filter(|o| !known(&o.sha256) && o.modified < before).collect();
            swept.missing = names.len() - found;
            let mut writer = inner.writer()?;
            // Not one of them is known, and nothing says whose they are.
            let strangers = writer.lineage.is_first_meeting && found == 0 && !names.is_empty();
            if strangers && !unnamed.is_empty() {
                writer.lineage.distrust()?;
            }
            if unnamed.is_empty() {
                writer.lineage.trust()?;
            }
            let trusted = writer.lineage.unknown.is_empty();
            drop(writer);
            for original in unnamed {
                let writer = inner.writer()?;
                // Uploaded meanwhile.
                if writer.names(&original.sha256)? {
                    continue;
                }
                if trusted {
                    inner.blobs.discard(&original.sha256)?;
                    swept.discarded += 1;
                } else {
                    swept.unknown += 1;
                }
            }
            swept.emptied = empty_trash(&inner.blobs, kept)?;
            Ok(swept)
        })
        .await
    }

    /// Removes what was in the trash for as long as `kept`. Says how many.
    pub async fn empty_trash(&self, kept: Duration) -> Result<usize> {
        self.blocking(move |inner| empty_trash(&inner.blobs, kept)).await
    }
}

fn empty_trash(blobs: &Blobs, kept: Duration) -> Result<usize> {
    let mut emptied = 0;
    for discarded in blobs.trash.content()? {
        // One of the future stays: a clock that was wrong is no reason to remove anything.
        if discarded.since.elapsed().is_ok_and(|age| age >= kept) {
            blobs.trash.remove(&discarded.sha256)?;
            emptied += 1;
        }
    }
    Ok(emptied)
}

/// Brings back what is in the trash and named again: the database was put back, or forward.
pub(super) fn recover(connection: &Connection, blobs: &Blobs) -> Result<usize> {
    let mut statement = connection.prepare("SELECT 1 FROM blobs WHERE sha256 = ?1")?;
    let mut recovered = 0;
    for discarded in blobs.trash.content()? {
        if statement.exists([&discarded.sha256])? {
            recovered += usize::from(blobs.recover(&discarded.sha256)?);
        }
    }
    Ok(recovered)
}

fn names(connection: &Connection) -> Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT sha256 FROM blobs")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The originals of a data folder, as they are found from outside.
#[derive(Debug)]
pub struct Originals {
    /// How many the records name.
    pub named: u64,
    /// Names of files whose bytes are not there.
    pub missing: Vec<String>,
    /// No record names them.
    pub unnamed: Vec<PathBuf>,
    pub unnamed_bytes: u64,
    /// How many are in the trash, and their bytes.
    pub discarded: (u64, u64),
    /// Whether the originals have seen nothing but what the database knows.
    pub belong: bool,
}

/// Looks at a data folder without changing anything. None where its database is missing or of another format.
pub fn look_at_originals(data: &Path) -> Result<Option<Originals>> {
    let database = data.join(DATABASE);
    if !database.exists() {
        return Ok(None);
    }
    let mut connection = connect(&database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if schema::version(&connection)? != schema::newest() {
        return Ok(None);
    }
    let blobs = Blobs::of(data);
    // Before the database is read: a server that is at work tells the folder of a commit after it.
    let remembered = Remembered::of(blobs.folder())?;
    let before = names(&connection)?;
    let there = blobs.all()?;
    let held: BTreeSet<&str> = there.iter().map(|original| original.sha256.as_str()).collect();
    // Named before and after: a server may be at work.
    let t = connection.transaction()?;
    let after = names(&t)?;
    let mut missing = Vec::new();
    let mut files = t.prepare("SELECT name FROM files WHERE blob = ?1 LIMIT 1")?;
    for sha256 in before.intersection(&after).filter(|sha256| !held.contains(sha256.as_str())) {
        missing.push(files.query_row([sha256], |row| row.get(0))?);
    }
    let unnamed: Vec<_> =
        there.iter().filter(|o| !before.contains(&o.sha256) && !after.contains(&o.sha256)).collect();
    let discarded = blobs.trash.content()?;
    let unknown = match blobs.folder().is_dir() {
        true => lineage::unknown(&t, blobs.folder(), &remembered)?,
        false => Vec::new(),
    };
    Ok(Some(Originals {
        named: after.len() as u64,
        missing,
        unnamed_bytes: unnamed.iter().map(|original| original.bytes).sum(),
        unnamed: unnamed.iter().map(|original| blobs.path(&original.sha256)).collect(),
        discarded: (discarded.len() as u64, discarded.iter().map(|d| d.bytes).sum()),
        belong: unknown.is_empty(),
    }))
}

/// How many originals lie in a data folder that has no database to name them.
pub fn originals_without_database(data: &Path) -> Result<usize> {
    if data.join(DATABASE).exists() { Ok(0) } else { Ok(Blobs::of(data).all()?.len()) }
}

#[cfg(test)]
mod tests;
