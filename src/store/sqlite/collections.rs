//! Rows of `collections`.

use rusqlite::{Row, Transaction, params};

use super::{fresh_id, not_found, now};
use crate::store::*;

pub(super) fn create(t: &Transaction<'_>, new: &NewCollection) -> Result<CollectionRecord> {
    let id = CollectionId(fresh_id("vs_")?);
    let origin = match new.origin {
        Origin::Api => "api",
        Origin::Folder => "folder",
    };
    let inserted = t.execute(
        "INSERT INTO collections (id, name, origin, language, settings, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
        params![id.0, new.name, origin, new.language, new.settings, now()],
    )?;
    if inserted == 0 {
        return Err(StoreError::NameTaken(new.name.clone()));
    }
    one(t, &id)
}

const COLUMNS: &str = "SELECT id, name, origin, language, settings, created_at, revision FROM collections";

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
    })
}

pub(super) fn all(t: &Transaction<'_>) -> Result<Vec<CollectionRecord>> {
    let mut statement = t.prepare_cached(&format!("{COLUMNS} ORDER BY created_at, rowid"))?;
    let rows = statement.query_map([], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn one(t: &Transaction<'_>, id: &CollectionId) -> Result<CollectionRecord> {
    t.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?
        .query_row([&id.0], record)
        .map_err(|e| not_found(e, "collection"))
}

pub(super) fn update(t: &Transaction<'_>, id: &CollectionId, update: &CollectionUpdate) -> Result<()> {
    let changed = t.execute(
        "UPDATE collections SET language = coalesce(?2, language), settings = coalesce(?3, settings) WHERE id = ?1",
        params![id.0, update.language, update.settings],
    )?;
    if changed == 0 { Err(StoreError::NotFound("collection")) } else { Ok(()) }
}

pub(super) fn delete(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    let files: Vec<String> = t
        .prepare_cached("SELECT file FROM documents WHERE collection = ?1")?
        .query_map([&id.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if t.execute("DELETE FROM collections WHERE id = ?1", [&id.0])? == 0 {
        return Err(StoreError::NotFound("collection"));
    }
    for file in files {
        t.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([file])?;
    }
    Ok(())
}
