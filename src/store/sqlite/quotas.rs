//! How much an owner or a collection holds, against how much it may.

use rusqlite::{Params, Transaction, params};

use crate::store::{CollectionHoldings, CollectionId, Holdings, Quota, Quotas, Result, StoreError};

fn count(t: &Transaction<'_>, sql: &str, params: impl Params) -> Result<u64> {
    Ok(t.prepare_cached(sql)?.query_row(params, |row| row.get::<_, i64>(0))? as u64)
}

/// What all collections hold.
pub(super) fn holdings(t: &Transaction<'_>) -> Result<Holdings> {
    let mut statement = t.prepare_cached(
        "SELECT c.id, count(d.key), coalesce(sum(d.chunks), 0), coalesce(sum(b.bytes), 0) FROM collections c
         LEFT JOIN documents d ON d.collection = c.id LEFT JOIN files f ON f.id = d.file
         LEFT JOIN blobs b ON b.sha256 = f.blob GROUP BY c.id",
    )?;
    let collections = statement.query_map([], |row| {
        Ok(CollectionHoldings {
            id: CollectionId(row.get(0)?),
            documents: row.get::<_, i64>(1)? as u64,
            chunks: row.get::<_, i64>(2)? as u64,
            bytes: row.get::<_, i64>(3)? as u64,
        })
    })?;
    let collections = collections.collect::<rusqlite::Result<_>>()?;
    Ok(Holdings { jobs: count(t, "SELECT count(*) FROM jobs", [])?, collections })
}

fn within(
    whose: &'static str,
    what: &'static str,
    most: Option<u64>,
    more: u64,
    held: impl FnOnce() -> Result<u64>,
) -> Result<()> {
    match most {
        Some(most) if held()? + more > most => Err(StoreError::Quota { whose, what, most }),
        _ => Ok(()),
    }
}

/// Whether an owner may hold so many bytes of files more.
pub(super) fn check_bytes(t: &Transaction<'_>, owner: Option<&str>, quota: Quota, more: u64) -> Result<()> {
    within("this key", "bytes", quota.bytes, more, || {
        let sql = "SELECT coalesce(sum(b.bytes), 0) FROM files f JOIN blobs b ON b.sha256 = f.blob WHERE f.owner = ?1";
        count(t, sql, [owner])
    })
}

/// Whether so many documents of together so many bytes may be added.
pub(super) fn check_documents(
    t: &Transaction<'_>,
    owner: Option<&str>,
    collection: &str,
    quotas: Quotas,
    (documents, bytes): (u64, u64),
) -> Result<()> {
    within("this key", "documents", quotas.owner.documents, documents, || {
        count(t, "SELECT count(*) FROM documents WHERE owner = ?1", [owner])
    })?;
    within("this collection", "documents", quotas.collection.documents, documents, || {
        count(t, "SELECT count(*) FROM documents WHERE collection = ?1", [collection])
    })?;
    within("this collection", "bytes", quotas.collection.bytes, bytes, || {
        let sql = "SELECT coalesce(sum(b.bytes), 0) FROM documents d JOIN files f ON f.id = d.file
            JOIN blobs b ON b.sha256 = f.blob WHERE d.collection = ?1";
        count(t, sql, [collection])
    })
}

/// Whether a document may have so many chunks; those that it has now do not count.
pub(super) fn check_chunks(
    t: &Transaction<'_>,
    (key, owner, collection): (i64, Option<&str>, &str),
    quotas: Quotas,
    chunks: u64,
) -> Result<()> {
    within("this key", "chunks", quotas.owner.chunks, chunks, || {
        let sql = "SELECT coalesce(sum(chunks), 0) FROM documents WHERE owner = ?1 AND key <> ?2";
        count(t, sql, params![owner, key])
    })?;
    within("this collection", "chunks", quotas.collection.chunks, chunks, || {
        let sql = "SELECT coalesce(sum(chunks), 0) FROM documents WHERE collection = ?1 AND key <> ?2";
        count(t, sql, params![collection, key])
    })
}
