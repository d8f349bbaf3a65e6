//! Originals that no record names: looked for at a start, kept in the trash for days.

use std::time::{Duration, SystemTime};

use rusqlite::OpenFlags;

use super::connection::connect;
use super::database::Inner;
use super::originals::names;
use crate::store::{Result, Swept};

pub(super) fn sweep(inner: &Inner, before: SystemTime, kept: Duration) -> Result<Swept> {
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
    swept.emptied = inner.blobs.trash().empty(kept)?;
    Ok(swept)
}

#[cfg(test)]
mod tests;
