//! Rows of `collections`.

use rusqlite::{Row, Transaction, params};

use super::departed::{self, Departed, EVERYBODY};
use super::{fresh_id, not_found, raise_catalog};
use crate::store::*;
use crate::system::now;

pub(super) fn create(t: &Transaction<'_>, new: &NewCollection) -> Result<CollectionRecord> {
    let (id, revision) = (CollectionId(fresh_id("vs_")?), raise_catalog(t)?);
    let origin = match new.origin {
        Origin::Api => "api",
        Origin::Folder => "folder",
    };
    t.execute(
        "INSERT INTO collections (id, name, origin, language, settings, created_at, description, metadata, expires_days,
            last_active_at, owner, rowid, changed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?6, ?10, ?11, ?12)",
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
            revision,
        ],
    )?;
    // A key that was made for this process alone has no row, and needs no grant.
    t.execute(
        "INSERT INTO grants (key, collection) SELECT id, ?2 FROM keys WHERE id = ?1",
        params![new.owner, id.0],
    )?;
    t.execute("UPDATE keys SET changed = ?2 WHERE id = ?1", params![new.owner, revision])?;
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

/// Those that were changed after a revision, oldest first.
pub(super) fn changed(t: &Transaction<'_>, since: i64) -> Result<Vec<CollectionRecord>> {
    let mut statement =
        t.prepare_cached(&format!("{COLUMNS} WHERE doomed = 0 AND changed > ?1 ORDER BY rowid"))?;
    let rows = statement.query_map([since], record)?;
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

/// Changes what is set. Says whether that brings back a collection whose time was over.
pub(super) fn update(t: &Transaction<'_>, id: &CollectionId, update: &CollectionUpdate) -> Result<bool> {
    let before = one(t, id)?;
    t.execute(
        "UPDATE collections SET name = coalesce(?2, name), language = coalesce(?3, language),
            settings = coalesce(?4, settings), metadata = coalesce(?5, metadata),
            expires_days = iif(?6, ?7, expires_days), expired = iif(?6, 0, expired),
            last_active_at = iif(?6, max(last_active_at, ?8), last_active_at), changed = ?9
         WHERE id = ?1 AND doomed = 0",
        params![
            id.0,
            update.name,
            update.language,
            update.settings,
            update.metadata,
            update.expires_days.is_some(),
            update.expires_days.flatten(),
            now(),
            raise_catalog(t)?,
        ],
    )?;
    Ok(before.expired && update.expires_days.is_some())
}

pub(super) fn touch(t: &Transaction<'_>, used: &[(CollectionId, i64)]) -> Result<()> {
    let mut statement =
        t.prepare_cached("UPDATE collections SET last_active_at = max(last_active_at, ?2) WHERE id = ?1")?;
    for (id, at) in used {
        statement.execute(params![id.0, at])?;
    }
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

pub(super) fn over_their_time(t: &Transaction<'_>) -> Result<Vec<CollectionId>> {
    let mut statement = t.prepare_cached(
        "SELECT id FROM collections WHERE doomed = 0 AND expired = 0 AND last_active_at + expires_days * 86400 <= ?1",
    )?;
    let rows = statement.query_map([now()], |row| row.get(0).map(CollectionId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
