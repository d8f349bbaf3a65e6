//! Rows of `documents`, with their files and blobs.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::departed::{Departed, EVERYBODY};
use super::pages::{self, Listed};
use super::{files, fresh_id, not_found, quotas, raise_revision, versions};
use crate::store::blobs::Blobs;
use crate::store::*;
use crate::system::now;

const COLUMNS: &str = "SELECT d.key, f.id, d.collection, f.name, f.blob, b.bytes, d.status, d.failure_code,
        d.failure_message, d.language, d.pages, d.chunks, d.created_at, d.attributes, d.chunk_tokens, d.overlap_tokens,
        d.owner, d.warning_code, d.warning_message,
        iif(d.waits, (SELECT o.file FROM documents o WHERE o.collection = d.collection AND o.name = d.name
            AND o.key < d.key AND o.waits = 0 ORDER BY o.key DESC LIMIT 1), NULL)
    FROM documents d JOIN files f ON f.id = d.file JOIN blobs b ON b.sha256 = f.blob";

fn record(row: &Row<'_>) -> rusqlite::Result<DocumentRecord> {
    let status: String = row.get(6)?;
    let code: Option<String> = row.get(7)?;
    let message: Option<String> = row.get(8)?;
    let (warning, warned): (Option<String>, Option<String>) = (row.get(17)?, row.get(18)?);
    let sizes = (row.get::<_, Option<u32>>(14)?, row.get::<_, Option<u32>>(15)?);
    Ok(DocumentRecord {
        key: row.get(0)?,
        id: DocumentId(row.get(1)?),
        collection: CollectionId(row.get(2)?),
        filename: row.get(3)?,
        sha256: row.get(4)?,
        bytes: row.get::<_, i64>(5)? as u64,
        status: match status.as_str() {
            "completed" => Status::Completed,
            "failed" => Status::Failed,
            "cancelled" => Status::Cancelled,
            _ => Status::InProgress,
        },
        failure: code.map(|code| Failure { code, message: message.unwrap_or_default() }),
        warning: warning.map(|code| Warning { code, message: warned.unwrap_or_default() }),
        language: row.get(9)?,
        pages: row.get(10)?,
        chunks: row.get(11)?,
        created_at: row.get(12)?,
        attributes: row.get(13)?,
        chunking: match sizes {
            (Some(max_tokens), Some(overlap_tokens)) => Some(ChunkSizes { max_tokens, overlap_tokens }),
            _ => None,
        },
        owner: row.get(16)?,
        replaces: row.get::<_, Option<String>>(19)?.map(DocumentId),
    })
}

fn name(status: Status) -> &'static str {
    match status {
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

pub(super) fn by_key(t: &Transaction<'_>, key: DocumentKey) -> Result<DocumentRecord> {
    t.prepare_cached(&format!("{COLUMNS} WHERE d.key = ?1"))?
        .query_row([key], record)
        .map_err(|e| not_found(e, "document"))
}

pub(super) fn one(t: &Transaction<'_>, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
    t.prepare_cached(&format!("{COLUMNS} WHERE d.collection = ?1 AND d.file = ?2"))?
        .query_row([&collection.0, &id.0], record)
        .map_err(|e| not_found(e, "document"))
}

pub(super) fn all(t: &Transaction<'_>, collection: &CollectionId) -> Result<Vec<DocumentRecord>> {
    let mut statement = t.prepare_cached(&format!("{COLUMNS} WHERE d.collection = ?1 ORDER BY d.key"))?;
    let rows = statement.query_map([&collection.0], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Documents of a name in a collection, oldest first.
pub(super) fn of_name(
    t: &Transaction<'_>,
    collection: &CollectionId,
    filename: &str,
) -> Result<Vec<DocumentRecord>> {
    let mut statement =
        t.prepare_cached(&format!("{COLUMNS} WHERE d.collection = ?1 AND d.name = ?2 ORDER BY d.key"))?;
    let rows = statement.query_map([&collection.0, &compared_name(filename)], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A document by its public id, or else by its name.
pub(super) fn find(
    t: &Transaction<'_>,
    collection: &CollectionId,
    id_or_name: &str,
) -> Result<DocumentRecord> {
    match one(t, collection, &DocumentId(id_or_name.to_owned())) {
        Err(StoreError::NotFound(_)) => versions::named(t, collection, id_or_name),
        found => found,
    }
}

pub(super) fn of_file(t: &Transaction<'_>, file: &FileId) -> Result<Vec<DocumentRecord>> {
    let mut statement = t.prepare_cached(&format!("{COLUMNS} WHERE d.file = ?1 ORDER BY d.key"))?;
    let rows = statement.query_map([&file.0], record)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn page(
    t: &Transaction<'_>,
    collection: &CollectionId,
    filter: &DocumentFilter,
    page: &Page,
) -> Result<Paged<DocumentRecord>> {
    let viewer = filter.batch.as_ref().map_or(EVERYBODY, |batch| &batch.0);
    let list = Listed {
        departed: Departed { list: &collection.0, viewers: vec![viewer] },
        columns: COLUMNS,
        all: "d.collection = :collection AND (:batch IS NULL OR EXISTS (
                SELECT 1 FROM batch_documents m WHERE m.batch = :batch AND m.document = d.key))",
        filter: "(:status IS NULL OR d.status = :status)",
        id: "d.file",
        order: "d.key",
    };
    let (batch, status) = (filter.batch.as_ref().map(|b| &b.0), filter.status.map(name));
    let params: pages::Params<'_> =
        &[(":collection", &collection.0), (":batch", &batch), (":status", &status)];
    pages::read(t, &list, params, page, record)
}

const COUNTED: &str =
    "count(*) FILTER (WHERE d.status = 'in_progress'), count(*) FILTER (WHERE d.status = 'completed'),
    count(*) FILTER (WHERE d.status = 'failed'), count(*) FILTER (WHERE d.status = 'cancelled'),
    coalesce(sum(b.bytes), 0), coalesce(sum(d.chunks), 0)
    FROM documents d JOIN files f ON f.id = d.file JOIN blobs b ON b.sha256 = f.blob";

fn counted(row: &Row<'_>) -> rusqlite::Result<DocumentCounts> {
    Ok(DocumentCounts {
        in_progress: row.get(0)?,
        completed: row.get(1)?,
        failed: row.get(2)?,
        cancelled: row.get(3)?,
        bytes: row.get::<_, i64>(4)? as u64,
        chunks: row.get::<_, i64>(5)? as u64,
    })
}

pub(super) fn counts(t: &Transaction<'_>, collection: &CollectionId) -> Result<DocumentCounts> {
    let sql = format!("SELECT {COUNTED} WHERE d.collection = ?1");
    Ok(t.prepare_cached(&sql)?.query_row([&collection.0], counted)?)
}

pub(super) fn counts_of_batch(t: &Transaction<'_>, batch: &BatchId) -> Result<DocumentCounts> {
    let sql = format!("SELECT {COUNTED} JOIN batch_documents m ON m.document = d.key WHERE m.batch = ?1");
    Ok(t.prepare_cached(&sql)?.query_row([&batch.0], counted)?)
}

pub(super) fn attributes(
    t: &Transaction<'_>,
    collection: &CollectionId,
) -> Result<Vec<(DocumentKey, String)>> {
    let mut statement =
        t.prepare_cached("SELECT key, attributes FROM documents WHERE collection = ?1 AND waits = 0")?;
    let rows = statement.query_map([&collection.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn set_attributes(
    t: &Transaction<'_>,
    collection: &CollectionId,
    id: &DocumentId,
    attributes: &str,
) -> Result<DocumentRecord> {
    t.prepare_cached("UPDATE documents SET attributes = ?3 WHERE collection = ?1 AND file = ?2")?
        .execute([&collection.0, &id.0, attributes])?;
    let document = one(t, collection, id)?;
    // A version that waits to take its place has its attributes too.
    t.prepare_cached(
        "UPDATE documents SET attributes = ?4 WHERE collection = ?1 AND name = ?2 AND key > ?3 AND waits = 1",
    )?
    .execute(params![collection.0, compared_name(&document.filename), document.key, attributes])?;
    Ok(document)
}

/// A file of these bytes that is a document of this collection: one of this name before all others.
fn of_these_bytes(
    t: &Transaction<'_>,
    collection: &CollectionId,
    (sha256, filename): (&str, &str),
) -> Result<Option<DocumentRecord>> {
    Ok(t.prepare_cached(&format!(
        "{COLUMNS} WHERE d.collection = ?1 AND f.blob = ?2 ORDER BY d.name <> ?3, d.key LIMIT 1"
    ))?
    .query_row([&collection.0, sha256, &compared_name(filename)], record)
    .optional()?)
}

pub(super) fn add(t: &Transaction<'_>, blobs: &Blobs, new: NewDocument) -> Result<AddedDocument> {
    let collection = super::collections::one(t, &new.collection)?;
    let named = of_name(t, &collection.id, &new.filename)?;
    let replaces = new.on_conflict == OnConflict::Replace && !named.is_empty();
    let same = match replaces {
        true => versions::same(&named, &new.blob.sha256).cloned(),
        false => of_these_bytes(t, &collection.id, (&new.blob.sha256, &new.filename))?,
    };
    let all = named.len();
    if let Some(document) = same {
        let kept = if replaces { versions::supersede(t, named, Some(document.key))? } else { named };
        let superseded = kept.len() < all;
        // Bytes that are known are written again all the same, where the file was lost.
        blobs.adopt(new.blob)?;
        if document.status == Status::InProgress {
            hurry(t, document.key)?;
        }
        if matches!(document.status, Status::Failed | Status::Cancelled) {
            rename(t, &document, &new.filename)?;
            begin_anew(t, document.key)?;
        }
        let has_the_name = compared_name(&document.filename) == compared_name(&new.filename);
        if new.on_conflict == OnConflict::Keep && has_the_name {
            versions::stand(t, document.key)?;
        }
        return Ok(AddedDocument { document: by_key(t, document.key)?, created: false, superseded });
    }
    let standing = if replaces { versions::supersede(t, named, None)? } else { Vec::new() };
    let superseded = replaces && standing.len() < all;
    let owner = new.owner.as_deref();
    // What goes when this is complete makes room for it.
    let less = quotas::freed(t, owner, &standing)?;
    quotas::check_bytes(t, owner, new.quotas.owner, (new.blob.bytes, less.owners_bytes))?;
    quotas::check_documents(t, owner, &collection.id.0, new.quotas, (1, new.blob.bytes), less)?;
    let file = FileRecord {
        id: FileId(fresh_id("file-")?),
        owner: new.owner,
        filename: new.filename,
        purpose: "assistants".to_owned(),
        sha256: new.blob.sha256.clone(),
        bytes: new.blob.bytes,
        created_at: now(),
        expires_at: None,
        failure: None,
    };
    files::insert(t, blobs, new.blob, &file, false)?;
    // A version is what the one before it was, with other bytes.
    let before = standing.last();
    let attachment = Attachment {
        file: file.id,
        attributes: before.map(|before| before.attributes.clone()),
        chunking: before.and_then(|before| before.chunking),
    };
    let key = insert(t, &collection.id, (&attachment, &file.filename), file.owner.as_deref())?;
    if before.is_some() {
        t.execute("UPDATE documents SET waits = 1 WHERE key = ?1", [key])?;
    }
    Ok(AddedDocument { document: by_key(t, key)?, created: true, superseded })
}

/// A file that came with its document takes the name that it is sent under now, in all collections that have it.
fn rename(t: &Transaction<'_>, document: &DocumentRecord, filename: &str) -> Result<()> {
    let before = of_file(t, &FileId(document.id.0.clone()))?;
    let renamed = t.execute(
        "UPDATE files SET name = ?2 WHERE id = ?1 AND standing = 0",
        [document.id.0.as_str(), filename],
    )?;
    let name = compared_name(filename);
    if renamed == 0 || name == compared_name(&document.filename) {
        return Ok(());
    }
    t.execute("UPDATE documents SET name = ?2 WHERE file = ?1", [&document.id.0, &name])?;
    // What it waited for, and what waited for it, has the name that it had.
    for former in &before {
        if former.replaces.is_some() {
            versions::stand(t, former.key)?;
        }
        versions::release(t, former)?;
    }
    Ok(())
}

/// A document of a file, and its first job.
pub(super) fn insert(
    t: &Transaction<'_>,
    collection: &CollectionId,
    (attachment, filename): (&Attachment, &str),
    owner: Option<&str>,
) -> Result<DocumentKey> {
    t.prepare_cached(
        "INSERT INTO documents (collection, file, status, created_at, attributes, chunk_tokens, overlap_tokens, owner,
            name)
         VALUES (?1, ?2, 'in_progress', ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        collection.0,
        attachment.file.0,
        now(),
        attachment.attributes.as_deref().unwrap_or("{}"),
        attachment.chunking.map(|sizes| sizes.max_tokens),
        attachment.chunking.map(|sizes| sizes.overlap_tokens),
        owner,
        compared_name(filename),
    ])?;
    let key = t.last_insert_rowid();
    enqueue(t, key)?;
    Ok(key)
}

/// A document goes through ingestion once more.
pub(super) fn begin_anew(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute(
        "UPDATE documents SET status = 'in_progress', failure_code = NULL, failure_message = NULL,
            warning_code = NULL, warning_message = NULL WHERE key = ?1",
        [key],
    )?;
    enqueue(t, key)
}

/// What waits after a failure is tried at once.
fn hurry(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute("UPDATE jobs SET failures = 0, not_before = 0 WHERE document = ?1", [key])?;
    Ok(())
}

/// Tries once more what failed, or what a completed document is owed.
pub(super) fn retry(
    t: &Transaction<'_>,
    collection: &CollectionId,
    id: &DocumentId,
) -> Result<DocumentRecord> {
    let document = one(t, collection, id)?;
    match document.status {
        Status::InProgress => hurry(t, document.key)?,
        Status::Failed | Status::Cancelled => begin_anew(t, document.key)?,
        Status::Completed if document.warning.is_some() => {
            super::jobs::owe(t, document.key)?;
            hurry(t, document.key)?;
        }
        Status::Completed => return Err(StoreError::NotFailed),
    }
    one(t, collection, id)
}

/// Those of some ids that exist, in the order asked for.
pub(super) fn some(
    t: &Transaction<'_>,
    collection: &CollectionId,
    ids: &[DocumentId],
) -> Result<Vec<DocumentRecord>> {
    let found = ids.iter().map(|id| match one(t, collection, id) {
        Err(StoreError::NotFound(_)) => Ok(None),
        found => found.map(Some),
    });
    found.filter_map(Result::transpose).collect()
}

fn enqueue(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.prepare_cached(
        "INSERT INTO jobs (document, stage) VALUES (?1, 'extract')
         ON CONFLICT (document) DO UPDATE SET stage = 'extract', attempts = 0, taken = 0, failures = 0, not_before = 0,
            owed = 0",
    )?
    .execute([key])?;
    Ok(())
}

pub(super) fn delete(t: &Transaction<'_>, collection: &CollectionId, id: &DocumentId) -> Result<()> {
    forget(t, &one(t, collection, id)?)
}

/// Removes a document with all that was read from it, and its file if nothing else needs it.
pub(super) fn forget(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    remove_chunks(t, document)?;
    t.execute("DELETE FROM documents WHERE key = ?1", [document.key])?;
    files::drop_unneeded(t, &document.id.0)?;
    versions::release(t, document)
}

pub(super) fn have_text(
    t: &Transaction<'_>,
    collections: &[CollectionId],
    documents: &[DocumentId],
) -> Result<bool> {
    let mut statement = t.prepare_cached(
        "SELECT 1 FROM documents d JOIN collections c ON c.id = d.collection
         WHERE d.file = ?1 AND d.collection = ?2 AND d.chunks > 0 AND c.doomed = 0 AND c.expired = 0",
    )?;
    for document in documents {
        let mut is_there = false;
        for collection in collections {
            is_there = is_there || statement.exists([&document.0, &collection.0])?;
        }
        if !is_there {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a document's chunks, and records that for the indexes.
pub(super) fn remove_chunks(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    let revision = raise_revision(t, &document.collection.0)?;
    t.prepare_cached(
        "INSERT INTO removals (collection, revision, chunk) SELECT ?1, ?2, id FROM chunks
         WHERE document = ?3 AND revision > 0",
    )?
    .execute(params![document.collection.0, revision, document.key])?;
    t.prepare_cached("DELETE FROM chunks WHERE document = ?1")?.execute([document.key])?;
    Ok(())
}
