//! The originals as the records name them: what is missing, what no record names, and what is in the trash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::connection::connect;
use super::{DATABASE, lineage, schema};
use crate::store::Result;
use crate::store::belonging::Remembered;
use crate::store::blobs::Blobs;

/// Brings back what is in the trash and named again: the database was put back, or forward.
pub(super) fn recover(connection: &Connection, blobs: &Blobs) -> Result<usize> {
    let mut statement = connection.prepare("SELECT 1 FROM blobs WHERE sha256 = ?1")?;
    let mut recovered = 0;
    for discarded in blobs.trash().content()? {
        if statement.exists([&discarded.sha256])? {
            recovered += usize::from(blobs.recover(&discarded.sha256)?);
        }
    }
    Ok(recovered)
}

pub(super) fn names(connection: &Connection) -> Result<BTreeSet<String>> {
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
    let discarded = blobs.trash().content()?;
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
