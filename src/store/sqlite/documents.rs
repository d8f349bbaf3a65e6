//! Rows of `documents`, with their files and blobs.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{fresh_id, not_found, now, raise_revision};
use crate::store::blobs::Blobs;
use crate::store::*;

const COLUMNS: &str = "SELECT d.key, f.id, d.collection, f.name, f.blob, b.bytes, d.status, d.failure_code,
        d.failure_message, d.language, d.pages, d.chunks, d.created_at
    FROM documents d JOIN files f ON f.id = d.file JOIN blobs b ON b.sha256 = f.blob";

fn record(row: &Row<'_>) -> rusqlite::Result<DocumentRecord> {
    let status: String = row.get(6)?;
    let code: Option<String> = row.get(7)?;
    let message: Option<String> = row.get(8)?;
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
            _ => Status::InProgress,
        },
        failure: code.map(|code| Failure { code, message: message.unwrap_or_default() }),
        language: row.get(9)?,
        pages: row.get(10)?,
        chunks: row.get(11)?,
        created_at: row.get(12)?,
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

pub(super) fn counts(t: &Transaction<'_>, collection: &CollectionId) -> Result<DocumentCounts> {
    Ok(t.prepare_cached(
        "SELECT count(*) FILTER (WHERE d.status = 'in_progress'), count(*) FILTER (WHERE d.status = 'completed'),
                count(*) FILTER (WHERE d.status = 'failed'), coalesce(sum(b.bytes), 0)
         FROM documents d JOIN files f ON f.id = d.file JOIN blobs b ON b.sha256 = f.blob WHERE d.collection = ?1",
    )?
    .query_row([&collection.0], |row| {
        Ok(DocumentCounts {
            in_progress: row.get(0)?,
            completed: row.get(1)?,
            failed: row.get(2)?,
            bytes: row.get::<_, i64>(3)? as u64,
        })
    })?)
}

pub(super) fn add(t: &Transaction<'_>, blobs: &Blobs, new: NewDocument) -> Result<AddedDocument> {
    let collection = super::collections::one(t, &new.collection)?;
    let (sha256, bytes) = (new.blob.sha256.clone(), new.blob.bytes as i64);
    let same: Option<DocumentRecord> = t
        .prepare_cached(&format!("{COLUMNS} WHERE d.collection = ?1 AND f.blob = ?2 ORDER BY d.key LIMIT 1"))?
        .query_row([&collection.id.0, &sha256], record)
        .optional()?;
    // Also for bytes that are known: this writes them again where the file was lost.
    blobs.adopt(new.blob)?;
    if let Some(document) = same {
        if document.status == Status::Failed {
            t.execute(
                "UPDATE documents SET status = 'in_progress', failure_code = NULL, failure_message = NULL WHERE key = ?1",
                [document.key],
            )?;
            t.execute("UPDATE files SET name = ?2 WHERE id = ?1", [&document.id.0, &new.filename])?;
            enqueue(t, document.key)?;
        }
        return Ok(AddedDocument { document: by_key(t, document.key)?, created: false });
    }
    let file = fresh_id("file-")?;
    t.execute(
        "INSERT INTO blobs (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![sha256, bytes],
    )?;
    t.execute(
        "INSERT INTO files (id, blob, name, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![file, sha256, new.filename, now()],
    )?;
    t.execute(
        "INSERT INTO documents (collection, file, status, created_at) VALUES (?1, ?2, 'in_progress', ?3)",
        params![collection.id.0, file, now()],
    )?;
    let key = t.last_insert_rowid();
    enqueue(t, key)?;
    Ok(AddedDocument { document: by_key(t, key)?, created: true })
}

fn enqueue(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute(
        "INSERT INTO jobs (document, stage) VALUES (?1, 'extract')
         ON CONFLICT (document) DO UPDATE SET stage = 'extract', attempts = 0, taken = 0",
        [key],
    )?;
    Ok(())
}

pub(super) fn delete(t: &Transaction<'_>, collection: &CollectionId, id: &DocumentId) -> Result<()> {
    let document = one(t, collection, id)?;
    remove_chunks(t, &document)?;
    t.execute("DELETE FROM documents WHERE key = ?1", [document.key])?;
    t.execute("DELETE FROM files WHERE id = ?1", [&document.id.0])?;
    Ok(())
}

/// Removes a document's chunks, and records that for the indexes.
pub(super) fn remove_chunks(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    let revision = raise_revision(t, &document.collection.0)?;
    t.prepare_cached(
        "INSERT INTO removals (collection, revision, chunk) SELECT ?1, ?2, id FROM chunks WHERE document = ?3",
    )?
    .execute(params![document.collection.0, revision, document.key])?;
    t.prepare_cached("DELETE FROM chunks WHERE document = ?1")?.execute([document.key])?;
    Ok(())
}
