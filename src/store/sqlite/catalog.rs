//! What happened to collections and keys, in the order of a revision that all of them share.

use rusqlite::{Transaction, params};

use super::{collections, keys};
use crate::store::{CatalogChanges, CatalogRevision, CollectionId, Result};

/// Removals are forgotten once there were so many changes after them.
const CHANGES_KEPT: i64 = 100_000;

/// What changed after a revision, or all where that is not known any more.
pub(super) fn changes(t: &Transaction<'_>, since: CatalogRevision) -> Result<CatalogChanges> {
    let newest: i64 = t.prepare_cached("SELECT catalog FROM identity")?.query_row([], |row| row.get(0))?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let anew = since == 0 || since > newest || since < newest - CHANGES_KEPT;
    let since = if anew { -1 } else { since };
    let removed = if anew { Vec::new() } else { removed(t, since)? };
    Ok(CatalogChanges {
        revision: newest as u64,
        anew,
        collections: collections::changed(t, since)?,
        removed_collections: removed,
        keys: keys::changed(t, since)?,
    })
}

fn removed(t: &Transaction<'_>, since: i64) -> Result<Vec<CollectionId>> {
    let mut statement = t.prepare_cached(
        "SELECT collection FROM removed_collections WHERE changed > ?1 ORDER BY changed, collection",
    )?;
    let rows = statement.query_map([since], |row| Ok(CollectionId(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes the removal of a collection.
pub(super) fn note_removed(t: &Transaction<'_>, collection: &CollectionId, revision: i64) -> Result<()> {
    t.prepare_cached("INSERT INTO removed_collections (changed, collection) VALUES (?1, ?2)")?
        .execute(params![revision, collection.0])?;
    t.prepare_cached("DELETE FROM removed_collections WHERE changed < ?1")?
        .execute([revision - CHANGES_KEPT])?;
    Ok(())
}
