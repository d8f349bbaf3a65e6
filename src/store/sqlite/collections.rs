//! Rows of `collections`.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::departed::{self, Departed, EVERYBODY};
use super::{fresh_id, not_found};
use crate::store::*;
use crate::system::now;

/// Documents that are removed in one transaction, with their files.
const DOCUMENTS_AT_ONCE: i64 = 200;

pub(super) fn create(t: &Transaction<'_>, new: &NewCollection) -> Result<CollectionRecord> {
    let id = CollectionId(fresh_id("vs_")?);
    let origin = match new.origin {
        Origin::Api => "api",
        Origin::Folder => "folder",
    };
    t.execute(
        "INSERT INTO collections (id, name, origin, language, settings, created_at, description, metadata, expires_days,
            last_active_at, owner, rowid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?6, ?10, ?11)",
        params![
            id.0,
            new.name,
            origin,
            new.language,
            new.settings,
            now(),
            new.description,
            new.metadata,
            new.expires_days,
            new.owner,
            departed::next(t, "collections", "vector_stores")?,
        ],
    )?;
    // A key that was made for this process alone has no row, and needs no grant.
    t.execute(
        "INSERT INTO grants (key, collection) SELECT id, ?2 FROM keys WHERE id = ?1",
        params![new.owner, id.0],
    )?;
    one(t, &id)
}

const COLUMNS: &str =
    "SELECT id, name, origin, language, settings, created_at, revision, description, metadata,
    expires_days, last_active_at, expired, owner, rowid, removals_since FROM collections";

fn record(row: &Row<'_>) -> rusqlite::Result<CollectionRecord> {
    let origin: String = row.get(2)?;
    Ok(CollectionRecord {
        id: CollectionId(row.get(0)?),
        name: row.get(1)?,
        origin: if origin == "folder" { Origin::Folder } else { Origin::Api },
        language: row.get(3)?,
        settings: row.get(4)?,
        created_at: row.get(5)?,
        revision: row.get::<_, i64>(6)? as u64,
        description: row.get(7)?,
        metadata: row.get(8)?,
        expires_days: row.get(9)?,
        last_active_at: row.get(10)?,
        expired: row.get(11)?,
        owner: row.get(12)?,
        number: row.get(13)?,
        removals_since: row.get::<_, i64>(14)? as u64,
    })
}

pub(super) fn all(t: &Transaction<'_>) -> Result<Vec<CollectionRecord>> {
    let mut statement = t.prepare_cached(&format!("{COLUMNS} WHERE doomed = 0 ORDER BY rowid"))?;
    let rows = statement.query_map([], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn one(t: &Transaction<'_>, id: &CollectionId) -> Result<CollectionRecord> {
    t.prepare_cached(&format!("{COLUMNS} WHERE id = ?1 AND doomed = 0"))?
        .query_row([&id.0], record)
        .map_err(|e| not_found(e, "collection"))
}

pub(super) fn departed(t: &Transaction<'_>, id: &CollectionId, key: Option<&str>) -> Result<Option<i64>> {
    let departed = Departed { list: "vector_stores", viewers: vec![key.unwrap_or(EVERYBODY)] };
    departed::place(t, &departed, &id.0)
}

pub(super) fn update(t: &Transaction<'_>, id: &CollectionId, update: &CollectionUpdate) -> Result<()> {
    let changed = t.execute(
        "UPDATE collections SET name = coalesce(?2, name), language = coalesce(?3, language),
            settings = coalesce(?4, settings), metadata = coalesce(?5, metadata),
            expires_days = iif(?6, ?7, expires_days), expired = iif(?6, 0, expired),
            last_active_at = iif(?6, max(last_active_at, ?8), last_active_at)
         WHERE id = ?1 AND doomed = 0",
        params![
            id.0,
            update.name,
            update.language,
            update.settings,
            update.metadata,
            update.expires_days.is_some(),
            update.expires_days.flatten(),
            now()
        ],
    )?;
    if changed == 0 { Err(StoreError::NotFound("collection")) } else { Ok(()) }
}

pub(super) fn touch(t: &Transaction<'_>, used: &[(CollectionId, i64)]) -> Result<()> {
    let mut statement =
        t.prepare_cached("UPDATE collections SET last_active_at = max(last_active_at, ?2) WHERE id = ?1")?;
    for (id, at) in used {
        statement.execute(params![id.0, at])?;
    }
    Ok(())
}

/// A collection is deleted: nobody finds it any more, nothing of it is worked on, and its name is free. What it holds is
/// removed by [`clear_some`].
pub(super) fn doom(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    let doomed = t.execute(
        "UPDATE collections SET doomed = 1, name = id, origin = 'api', description = NULL, metadata = '{}'
         WHERE id = ?1 AND doomed = 0",
        [&id.0],
    )?;
    if doomed == 0 {
        return Err(StoreError::NotFound("collection"));
    }
    t.execute("DELETE FROM grants WHERE collection = ?1", [&id.0])?;
    t.execute("UPDATE keys SET default_collection = NULL WHERE default_collection = ?1", [&id.0])?;
    end_jobs(t, id)
}

/// The collection loses its documents, by [`clear_some`], and stays, so that its owner sees what became of it.
pub(super) fn expire(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    t.execute("UPDATE collections SET expired = 1 WHERE id = ?1", [&id.0])?;
    end_jobs(t, id)
}

fn end_jobs(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    t.execute(
        "DELETE FROM jobs WHERE document IN (SELECT key FROM documents WHERE collection = ?1)",
        [&id.0],
    )?;
    Ok(())
}

/// Collections that were deleted or are over their time, and still hold something.
pub(super) fn unfinished(t: &Transaction<'_>) -> Result<Vec<CollectionId>> {
    let mut statement = t.prepare_cached(
        "SELECT id FROM collections WHERE doomed = 1
         OR (expired = 1 AND EXISTS (SELECT 1 FROM documents WHERE collection = collections.id))",
    )?;
    let rows = statement.query_map([], |row| row.get(0).map(CollectionId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes some of what a collection holds that was deleted or is over its time, about so many chunks, and in the end a
/// deleted one itself. Says whether there is more.
pub(super) fn clear_some(t: &Transaction<'_>, id: &CollectionId, chunks: usize) -> Result<bool> {
    let found = t
        .prepare_cached("SELECT doomed, expired FROM collections WHERE id = ?1")?
        .query_row([&id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((true, _)) => clear_doomed(t, id, chunks),
        Some((false, true)) => clear_expired(t, id, chunks),
        // Gone already, or brought back.
        Some((false, false)) | None => Ok(false),
    }
}

/// No index follows a collection that is gone: its chunks leave no trace.
fn clear_doomed(t: &Transaction<'_>, id: &CollectionId, most: usize) -> Result<bool> {
    let most = most as i64;
    for sql in [
        "DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE collection = ?1 LIMIT ?2)",
        "DELETE FROM removals WHERE collection = ?1 AND revision <= (SELECT max(revision) FROM
             (SELECT revision FROM removals WHERE collection = ?1 ORDER BY revision LIMIT ?2))",
    ] {
        if t.prepare_cached(sql)?.execute(params![id.0, most])? > 0 {
            return Ok(true);
        }
    }
    let documents = some_documents(t, id)?;
    for (key, file, _) in &documents {
        t.prepare_cached("DELETE FROM documents WHERE key = ?1")?.execute([key])?;
        super::files::drop_unneeded(t, file)?;
    }
    if documents.is_empty() {
        t.execute("DELETE FROM collections WHERE id = ?1", [&id.0])?;
    }
    Ok(!documents.is_empty())
}

fn clear_expired(t: &Transaction<'_>, id: &CollectionId, most: usize) -> Result<bool> {
    let documents = some_documents(t, id)?;
    let mut chunks = 0;
    for (key, file, held) in &documents {
        let document = super::documents::by_key(t, *key)?;
        super::documents::remove_chunks(t, &document)?;
        t.prepare_cached("DELETE FROM documents WHERE key = ?1")?.execute([key])?;
        super::files::drop_unneeded(t, file)?;
        chunks += *held as usize;
        if chunks >= most {
            break;
        }
    }
    Ok(!documents.is_empty())
}

/// Keys of some documents, with their files and how many chunks each has.
fn some_documents(t: &Transaction<'_>, id: &CollectionId) -> Result<Vec<(i64, String, u32)>> {
    let mut statement = t.prepare_cached(
        "SELECT key, file, chunks FROM documents WHERE collection = ?1 ORDER BY key LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![id.0, DOCUMENTS_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn over_their_time(t: &Transaction<'_>) -> Result<Vec<CollectionId>> {
    let mut statement = t.prepare_cached(
        "SELECT id FROM collections WHERE doomed = 0 AND expired = 0 AND last_active_at + expires_days * 86400 <= ?1",
    )?;
    let rows = statement.query_map([now()], |row| row.get(0).map(CollectionId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
