//! Rows of `documents`, with their files and blobs.

use rusqlite::Error::InvalidColumnType;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::departed::{Departed, EVERYBODY};
use super::pages::{self, Listed};
use super::{not_found, raise_revision};
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
        status: status.parse().map_err(|_| InvalidColumnType(6, "status".to_owned(), Type::Text))?,
        failure: code.map(|code| Failure { code, message: message.unwrap_or_default() }),
        warning: warning.map(|code| Warning { code, message: warned.unwrap_or_default() }),
        language: language_of(&row.get::<_, String>(13)?, row.get(9)?),
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
    let (batch, status) = (filter.batch.as_ref().map(|b| &b.0), filter.status.map(Status::name));
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
    let before = one(t, collection, id)?.language;
    t.prepare_cached("UPDATE documents SET attributes = ?3 WHERE collection = ?1 AND file = ?2")?
        .execute([&collection.0, &id.0, attributes])?;
    let document = one(t, collection, id)?;
    if document.language != before {
        // The indexes take its words in once more.
        let revision = raise_revision(t, &collection.0)?;
        t.prepare_cached("UPDATE chunks SET revision = ?2 WHERE document = ?1 AND revision > 0")?
            .execute(params![document.key, revision])?;
    }
    // A version that waits to take its place has its attributes too.
    t.prepare_cached(
        "UPDATE documents SET attributes = ?4 WHERE collection = ?1 AND name = ?2 AND key > ?3 AND waits = 1",
    )?
    .execute(params![collection.0, compared_name(&document.filename), document.key, attributes])?;
    Ok(document)
}

/// A file of these bytes that is a document of this collection: one of this name before all others.
pub(super) fn of_these_bytes(
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
pub(super) fn hurry(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute("UPDATE jobs SET failures = 0, not_before = 0 WHERE document = ?1", [key])?;
    Ok(())
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
