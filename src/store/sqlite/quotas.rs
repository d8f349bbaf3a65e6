//! How much an owner or a collection holds, against how much it may.

use rusqlite::{Params, Transaction, params};

use crate::store::{
    Allowance, CollectionHoldings, CollectionId, Counted, DocumentRecord, Holdings, Quota, Quotas, Result,
    StoreError,
};

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

/// How much of each quota is used that counts documents or bytes. Where no collection is named, files are meant that
/// stand alone.
pub(super) fn allowances(
    t: &Transaction<'_>,
    owner: Option<&str>,
    collection: Option<&CollectionId>,
    quotas: Quotas,
) -> Result<Vec<Allowance>> {
    let id = collection.map(|collection| collection.0.as_str());
    let documents = |of_owner: Option<&str>, of_collection: Option<&str>| {
        let sql = "SELECT count(*) FROM documents WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR collection = ?2)";
        count(t, sql, params![of_owner, of_collection])
    };
    let files = |sql: &str, whose: Option<&str>| count(t, sql, [whose]);
    let mut found = Vec::new();
    if let (Some(most), Some(_), true) = (quotas.owner.documents, owner, collection.is_some()) {
        let (held, replaceable) = (documents(owner, None)?, documents(owner, id)?);
        found.push(Allowance { of_owner: true, counted: Counted::Documents, most, held, replaceable });
    }
    if let (Some(most), Some(_)) = (quotas.owner.bytes, owner) {
        let held = files(BYTES_OF_OWNER, owner)?;
        let sql = "SELECT coalesce(sum(b.bytes), 0) FROM documents d JOIN files f ON f.id = d.file
            JOIN blobs b ON b.sha256 = f.blob WHERE d.collection = ?1 AND f.owner = ?2 AND f.standing = 0";
        let replaceable = match id {
            Some(id) => count(t, sql, params![id, owner])?,
            None => 0,
        };
        found.push(Allowance { of_owner: true, counted: Counted::Bytes, most, held, replaceable });
    }
    if let (Some(most), Some(_)) = (quotas.collection.documents, collection) {
        let held = documents(None, id)?;
        let (of_owner, counted) = (false, Counted::Documents);
        found.push(Allowance { of_owner, counted, most, held, replaceable: held });
    }
    if let (Some(most), Some(_)) = (quotas.collection.bytes, collection) {
        let held = files(BYTES_OF_COLLECTION, id)?;
        let (of_owner, counted) = (false, Counted::Bytes);
        found.push(Allowance { of_owner, counted, most, held, replaceable: held });
    }
    Ok(found)
}

const BYTES_OF_OWNER: &str =
    "SELECT coalesce(sum(b.bytes), 0) FROM files f JOIN blobs b ON b.sha256 = f.blob WHERE f.owner = ?1";
const BYTES_OF_COLLECTION: &str =
    "SELECT coalesce(sum(b.bytes), 0) FROM documents d JOIN files f ON f.id = d.file
     JOIN blobs b ON b.sha256 = f.blob WHERE d.collection = ?1";

/// What documents that are replaced will make room for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Freed {
    /// Of the owner's.
    pub owners_documents: u64,
    pub owners_bytes: u64,
    /// Of the collection.
    pub documents: u64,
    pub bytes: u64,
}

/// What goes with these documents of one collection.
pub(super) fn freed(t: &Transaction<'_>, owner: Option<&str>, documents: &[DocumentRecord]) -> Result<Freed> {
    let mut freed = Freed::default();
    // A file that is kept for itself, or in another collection, stays.
    let mut goes = t.prepare_cached(
        "SELECT 1 FROM files WHERE id = ?1 AND owner = ?2 AND standing = 0
         AND (SELECT count(*) FROM documents WHERE file = ?1) = 1",
    )?;
    for document in documents {
        freed.documents += 1;
        freed.bytes += document.bytes;
        freed.owners_documents += u64::from(owner.is_some() && document.owner.as_deref() == owner);
        if goes.exists(params![document.id.0, owner])? {
            freed.owners_bytes += document.bytes;
        }
    }
    Ok(freed)
}

fn within(
    whose: &'static str,
    what: &'static str,
    most: Option<u64>,
    (more, less): (u64, u64),
    held: impl FnOnce() -> Result<u64>,
) -> Result<()> {
    match most {
        Some(most) if held()?.saturating_sub(less) + more > most => {
            Err(StoreError::Quota { whose, what, most })
        }
        _ => Ok(()),
    }
}

/// Whether an owner may hold so many bytes of files more, and others less.
pub(super) fn check_bytes(
    t: &Transaction<'_>,
    owner: Option<&str>,
    quota: Quota,
    (more, less): (u64, u64),
) -> Result<()> {
    within("this key", "bytes", quota.bytes, (more, less), || count(t, BYTES_OF_OWNER, [owner]))
}

/// Whether so many documents of together so many bytes may be added.
pub(super) fn check_documents(
    t: &Transaction<'_>,
    owner: Option<&str>,
    collection: &str,
    quotas: Quotas,
    (documents, bytes): (u64, u64),
    less: Freed,
) -> Result<()> {
    within("this key", "documents", quotas.owner.documents, (documents, less.owners_documents), || {
        count(t, "SELECT count(*) FROM documents WHERE owner = ?1", [owner])
    })?;
    within("this collection", "documents", quotas.collection.documents, (documents, less.documents), || {
        count(t, "SELECT count(*) FROM documents WHERE collection = ?1", [collection])
    })?;
    within("this collection", "bytes", quotas.collection.bytes, (bytes, less.bytes), || {
        count(t, BYTES_OF_COLLECTION, [collection])
    })
}

/// Whether a document may have so many chunks. Those that it has now do not count, nor do those whose place it takes.
pub(super) fn check_chunks(
    t: &Transaction<'_>,
    (key, owner, collection): (i64, Option<&str>, &str),
    quotas: Quotas,
    chunks: u64,
) -> Result<()> {
    within("this key", "chunks", quotas.owner.chunks, (chunks, 0), || {
        let sql = "SELECT coalesce(sum(d.chunks), 0) FROM documents d, documents n
            WHERE n.key = ?2 AND d.owner = ?1 AND d.key <> ?2
              AND NOT (n.waits AND d.collection = n.collection AND d.name = n.name AND d.key < n.key)";
        count(t, sql, params![owner, key])
    })?;
    within("this collection", "chunks", quotas.collection.chunks, (chunks, 0), || {
        let sql = "SELECT coalesce(sum(d.chunks), 0) FROM documents d, documents n
            WHERE n.key = ?2 AND d.collection = ?1 AND d.key <> ?2 AND NOT (n.waits AND d.name = n.name AND d.key < n.key)";
        count(t, sql, params![collection, key])
    })
}
