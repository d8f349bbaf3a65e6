//! Ingestion jobs, and what they commit.

use rusqlite::{OptionalExtension, Transaction, params};

use super::documents::{by_key, remove_chunks};
use super::{quotas, raise_revision};
use crate::store::*;

pub(super) fn take(t: &Transaction<'_>) -> Result<Option<Job>> {
    let taken: Option<(DocumentKey, String, u32)> = t
        .prepare_cached(
            "UPDATE jobs SET taken = 1, attempts = attempts + 1
             WHERE document = (SELECT min(document) FROM jobs WHERE taken = 0)
             RETURNING document, stage, attempts",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((key, stage, attempts)) = taken else { return Ok(None) };
    let stage = if stage == "embed" { Stage::Embed } else { Stage::Extract };
    Ok(Some(Job { document: by_key(t, key)?, stage, attempts }))
}

pub(super) fn put_back(t: &Transaction<'_>, document: DocumentKey) -> Result<()> {
    t.execute("UPDATE jobs SET taken = 0, attempts = max(attempts - 1, 0) WHERE document = ?1", [document])?;
    Ok(())
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
    let holders = (key, document.owner.as_deref(), document.collection.0.as_str());
    quotas::check_chunks(t, holders, quotas, read.chunks.len() as u64)?;
    if document.chunks > 0 {
        remove_chunks(t, &document)?;
    }
    let revision = raise_revision(t, &document.collection.0)?;
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
        "UPDATE documents SET language = ?2, pages = ?3, chunks = ?4, text_bytes = ?5 WHERE key = ?1",
        params![key, read.language, read.pages, read.chunks.len() as i64, text_bytes as i64],
    )?;
    t.execute("UPDATE jobs SET stage = 'embed', attempts = 0, taken = 0 WHERE document = ?1", [key])?;
    Ok(())
}

pub(super) fn fail(t: &Transaction<'_>, key: DocumentKey, failure: &Failure) -> Result<()> {
    let document = in_progress(t, key)?;
    if document.chunks > 0 {
        remove_chunks(t, &document)?;
    }
    t.execute(
        "UPDATE documents SET status = 'failed', failure_code = ?2, failure_message = ?3, chunks = 0, text_bytes = 0 WHERE key = ?1",
        params![key, failure.code, failure.message],
    )?;
    end_job(t, key)
}

pub(super) fn complete(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    in_progress(t, key)?;
    t.execute(
        "UPDATE documents SET status = 'completed', failure_code = NULL, failure_message = NULL WHERE key = ?1",
        [key],
    )?;
    end_job(t, key)
}

fn end_job(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.execute("DELETE FROM jobs WHERE document = ?1", [key])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Damaged(e.to_string()))
}
