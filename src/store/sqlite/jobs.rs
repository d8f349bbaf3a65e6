//! Ingestion jobs, and what they commit.

use rusqlite::{OptionalExtension, Transaction, params};

use super::documents::{self, by_key};
use super::removal::{remove_chunks, take_place};
use super::{quotas, raise_revision};
use crate::store::*;

/// Milliseconds. A job that is to wait longer was postponed before the clock was set back, and is taken.
const LONGEST_PAUSE: i64 = 86_400_000;

pub(super) fn take(t: &Transaction<'_>, now: i64) -> Result<Option<Job>> {
    let taken: Option<(DocumentKey, String, u32, u32)> = t
        .prepare_cached(
            "UPDATE jobs SET taken = 1, attempts = attempts + 1
             WHERE document = (SELECT document FROM jobs WHERE taken = 0 AND not_before NOT BETWEEN ?1 + 1 AND ?1 + ?2
                               ORDER BY owed, document LIMIT 1)
             RETURNING document, stage, attempts, failures",
        )?
        .query_row([now, LONGEST_PAUSE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((key, stage, attempts, failures)) = taken else { return Ok(None) };
    let stage = if stage == "embed" { Stage::Embed } else { Stage::Extract };
    Ok(Some(Job { document: by_key(t, key)?, stage, attempts, failures }))
}

/// When the first of those that wait may be taken, in milliseconds since 1970.
pub(super) fn next(t: &Transaction<'_>) -> Result<Option<i64>> {
    let next = t.prepare_cached("SELECT min(not_before) FROM jobs WHERE taken = 0")?;
    Ok({ next }.query_row([], |row| row.get(0))?)
}

/// After a start: all claims are given up, what waited is tried, and what completed documents are owed too. Those whose
/// embedding stopped the process go on waiting: tried at each start, they would stop each.
pub(super) fn release(t: &Transaction<'_>) -> Result<()> {
    t.execute("UPDATE jobs SET taken = 0", [])?;
    t.execute(
        "UPDATE jobs SET failures = 0, not_before = 0 WHERE document NOT IN
            (SELECT key FROM documents WHERE warning_code = ?1)",
        [Warning::EMBEDDING_CRASHED],
    )?;
    t.execute(
        "INSERT INTO jobs (document, stage, owed)
         SELECT key, 'embed', 1 FROM documents
         WHERE warning_code IS NOT NULL AND warning_code <> ?1 AND status = 'completed'
         ON CONFLICT (document) DO NOTHING",
        [Warning::EMBEDDING_CRASHED],
    )?;
    Ok(())
}

pub(super) fn put_back(t: &Transaction<'_>, document: DocumentKey) -> Result<()> {
    t.execute("UPDATE jobs SET taken = 0, attempts = max(attempts - 1, 0) WHERE document = ?1", [document])?;
    Ok(())
}

pub(super) fn postpone(t: &Transaction<'_>, document: DocumentKey, not_before: i64) -> Result<()> {
    t.execute(
        "UPDATE jobs SET taken = 0, attempts = max(attempts - 1, 0), failures = failures + 1, not_before = ?2
         WHERE document = ?1",
        params![document, not_before],
    )?;
    Ok(())
}

/// Tries once more what failed, or what a completed document is owed.
pub(super) fn retry(
    t: &Transaction<'_>,
    collection: &CollectionId,
    id: &DocumentId,
) -> Result<DocumentRecord> {
    let document = documents::one(t, collection, id)?;
    match document.status {
        Status::InProgress => documents::hurry(t, document.key)?,
        Status::Failed | Status::Cancelled => documents::begin_anew(t, document.key)?,
        Status::Completed if document.warning.is_some() => {
            owe(t, document.key)?;
            documents::hurry(t, document.key)?;
        }
        Status::Completed => return Err(StoreError::NotFailed),
    }
    documents::one(t, collection, id)
}

/// The document, unless it was deleted or cancelled while it was worked on.
fn in_progress(t: &Transaction<'_>, key: DocumentKey) -> Result<DocumentRecord> {
    let document = by_key(t, key)?;
    if document.status == Status::InProgress { Ok(document) } else { Err(StoreError::NotFound("document")) }
}

pub(super) fn commit_chunks(
    t: &Transaction<'_>,
    key: DocumentKey,
    read: &ReadDocument,
    quotas: Quotas,
) -> Result<()> {
    let document = in_progress(t, key)?;
    if document.chunking != read.chunking {
        return Err(StoreError::NotFound("document"));
    }
    let holders = (key, document.owner.as_deref(), document.collection.0.as_str());
    quotas::check_chunks(t, holders, quotas, read.chunks.len() as u64)?;
    if document.chunks > 0 {
        remove_chunks(t, &document)?;
    }
    // What waits is not told to the indexes yet.
    let revision = match document.replaces {
        Some(_) => 0,
        None => raise_revision(t, &document.collection.0)?,
    };
    let mut insert = t.prepare_cached(
        "INSERT INTO chunks (document, collection, revision, text, page, last_page, headings, start, \"end\", tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for chunk in &read.chunks {
        insert.execute(params![
            key,
            document.collection.0,
            revision,
            chunk.text,
            chunk.page,
            chunk.last_page,
            json(&chunk.headings)?,
            chunk.start as i64,
            chunk.end as i64,
            chunk.tokens,
        ])?;
    }
    t.execute(
        "INSERT INTO outlines (document, outline) VALUES (?1, ?2)
         ON CONFLICT (document) DO UPDATE SET outline = excluded.outline",
        params![key, json(&read.outline)?],
    )?;
    let text_bytes = read.chunks.iter().map(|chunk| chunk.end).max().unwrap_or(0);
    t.execute(
        "UPDATE documents SET language = ?2, pages = ?3, chunks = ?4, text_bytes = ?5, prompt_tokens = ?6
         WHERE key = ?1",
        params![
            key,
            read.language,
            read.pages,
            read.chunks.len() as i64,
            text_bytes as i64,
            read.prompt_tokens.map(|tokens| tokens as i64),
        ],
    )?;
    t.execute(
        "UPDATE jobs SET stage = 'embed', attempts = 0, taken = 0, failures = 0, not_before = 0 WHERE document = ?1",
        [key],
    )?;
    Ok(())
}

pub(super) fn fail(t: &Transaction<'_>, key: DocumentKey, failure: &Failure) -> Result<()> {
    let document = in_progress(t, key)?;
    if document.chunks > 0 {
        remove_chunks(t, &document)?;
    }
    t.execute(
        "UPDATE documents SET status = 'failed', failure_code = ?2, failure_message = ?3, chunks = 0, text_bytes = 0,
            prompt_tokens = NULL WHERE key = ?1",
        params![key, failure.code, failure.message],
    )?;
    end_job(t, key)
}

pub(super) fn complete(
    t: &Transaction<'_>,
    key: DocumentKey,
    warning: Option<&Warning>,
    again: Option<i64>,
) -> Result<()> {
    let document = by_key(t, key)?;
    let at_it =
        t.prepare_cached("SELECT 1 FROM jobs WHERE document = ?1 AND stage = 'embed'")?.exists([key])?;
    // Deleted, cancelled, or begun anew while it was worked on.
    if !at_it || !matches!(document.status, Status::InProgress | Status::Completed) {
        return Err(StoreError::NotFound("document"));
    }
    take_place(t, &document)?;
    t.execute(
        "UPDATE documents SET status = 'completed', failure_code = NULL, failure_message = NULL,
            warning_code = ?2, warning_message = ?3 WHERE key = ?1",
        params![key, warning.map(|w| &w.code), warning.map(|w| &w.message)],
    )?;
    match again {
        None => end_job(t, key),
        Some(not_before) => {
            // Where all attempts were used up, one is left.
            t.execute(
                "UPDATE jobs SET owed = 1, attempts = max(attempts - 1, 0) WHERE document = ?1",
                [key],
            )?;
            postpone(t, key, not_before)
        }
    }
}

/// Vectors of a completed document are to be computed once more.
pub(super) fn owe(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute(
        "INSERT INTO jobs (document, stage, owed) VALUES (?1, 'embed', 1)
         ON CONFLICT (document) DO UPDATE SET attempts = 0",
        [key],
    )?;
    Ok(())
}

pub(super) fn owe_vectors(
    t: &Transaction<'_>,
    documents: &[DocumentKey],
    warning: &Warning,
    not_before: i64,
) -> Result<()> {
    for key in documents {
        let warned = t.execute(
            "UPDATE documents SET warning_code = ?2, warning_message = ?3 WHERE key = ?1 AND status = 'completed'",
            params![key, warning.code, warning.message],
        )?;
        if warned > 0 {
            owe(t, *key)?;
            t.execute(
                "UPDATE jobs SET not_before = ?2 WHERE document = ?1 AND taken = 0",
                params![key, not_before],
            )?;
        }
    }
    Ok(())
}

fn end_job(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute("DELETE FROM jobs WHERE document = ?1", [key])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Damaged(e.to_string()))
}
