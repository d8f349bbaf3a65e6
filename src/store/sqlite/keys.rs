//! Rows of `keys` and `grants`.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::raise_catalog;
use crate::store::*;
use crate::system::now;

pub(super) fn create(t: &Transaction<'_>, new: &NewKey) -> Result<KeyRecord> {
    let taken =
        t.prepare_cached("SELECT 1 FROM keys WHERE name = ?1 AND revoked_at IS NULL")?.exists([&new.name])?;
    if taken {
        return Err(StoreError::KeyNameTaken(new.name.clone()));
    }
    if let Some(default) = &new.default_collection {
        must_exist(t, default)?;
    }
    t.execute(
        "INSERT INTO keys (id, name, hash, scopes, all_collections, default_collection, limits, created_at, expires_at,
            changed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            new.id,
            new.name,
            new.hash,
            new.scopes,
            new.all_collections,
            new.default_collection.as_ref().map(|id| &id.0),
            new.limits,
            now(),
            new.expires_at,
            raise_catalog(t)?,
        ],
    )?;
    insert_grants(t, &new.id, &new.collections)?;
    one(t, &new.id)
}

const COLUMNS: &str =
    "SELECT id, name, hash, scopes, all_collections, default_collection, limits, created_at, expires_at,
    revoked_at FROM keys";

fn record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        scopes: row.get(3)?,
        all_collections: row.get(4)?,
        collections: Vec::new(),
        default_collection: row.get::<_, Option<String>>(5)?.map(CollectionId),
        limits: row.get(6)?,
        created_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
    })
}

pub(super) fn all(t: &Transaction<'_>) -> Result<Vec<KeyRecord>> {
    changed(t, -1)
}

/// Those that were changed after a revision, oldest first.
pub(super) fn changed(t: &Transaction<'_>, since: i64) -> Result<Vec<KeyRecord>> {
    let mut statement =
        t.prepare_cached(&format!("{COLUMNS} WHERE changed > ?1 ORDER BY created_at, rowid"))?;
    let keys = statement.query_map([since], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
    keys.into_iter().map(|key| with_grants(t, key)).collect()
}

fn one(t: &Transaction<'_>, id: &str) -> Result<KeyRecord> {
    let found = t.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], record).optional()?;
    with_grants(t, found.ok_or(StoreError::NotFound("key"))?)
}

fn with_grants(t: &Transaction<'_>, key: KeyRecord) -> Result<KeyRecord> {
    let mut statement =
        t.prepare_cached("SELECT collection FROM grants WHERE key = ?1 ORDER BY collection")?;
    let granted = statement.query_map([&key.id], |row| Ok(CollectionId(row.get(0)?)))?;
    Ok(KeyRecord { collections: granted.collect::<rusqlite::Result<_>>()?, ..key })
}

pub(super) fn revoke(t: &Transaction<'_>, id: &str) -> Result<()> {
    let sql = "UPDATE keys SET revoked_at = ?2, changed = ?3 WHERE id = ?1 AND revoked_at IS NULL";
    if t.execute(sql, params![id, now(), raise_catalog(t)?])? == 0 {
        Err(StoreError::NotFound("key"))
    } else {
        Ok(())
    }
}

pub(super) fn grant(t: &Transaction<'_>, id: &str, collections: &[CollectionId]) -> Result<KeyRecord> {
    let key = one(t, id)?;
    if key.revoked_at.is_some() {
        return Err(StoreError::NotFound("key"));
    }
    insert_grants(t, id, collections)?;
    t.execute("UPDATE keys SET changed = ?2 WHERE id = ?1", params![id, raise_catalog(t)?])?;
    one(t, id)
}

fn insert_grants(t: &Transaction<'_>, key: &str, collections: &[CollectionId]) -> Result<()> {
    for collection in collections {
        must_exist(t, collection)?;
        t.prepare_cached("INSERT INTO grants (key, collection) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([key, &collection.0])?;
    }
    Ok(())
}

fn must_exist(t: &Transaction<'_>, collection: &CollectionId) -> Result<()> {
    let exists = t
        .prepare_cached("SELECT 1 FROM collections WHERE id = ?1 AND doomed = 0")?
        .exists([&collection.0])?;
    if exists { Ok(()) } else { Err(StoreError::NotFound("collection")) }
}
