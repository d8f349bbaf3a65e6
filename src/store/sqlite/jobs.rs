//! Ingestion jobs, and what they commit.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use super::documents::{self, by_key};
use super::removal::{remove_chunks, take_place};
use super::{quotas, raise_revision};
use crate::store::*;
use crate::system::now_in_milliseconds;

/// Milliseconds. A job that is to wait longer was postponed before the clock was set back, and is taken. No lease is longer.
const LONGEST_PAUSE: i64 = 86_400_000;

/// A worker's claim on a job, with its times in milliseconds since 1970.
pub(super) struct Claim {
    worker: String,
    now: i64,
    until: i64,
}

impl Claim {
    pub fn new(worker: &str, lease: Duration) -> Self {
        let lease = i64::try_from(lease.as_millis()).map_or(LONGEST_PAUSE, |lease| lease.min(LONGEST_PAUSE));
        let now = now_in_milliseconds();
        Self { worker: worker.to_owned(), now, until: now.saturating_add(lease) }
    }
}

/// The first job that is free and whose time has come.
const FREE: &str = "SELECT document FROM jobs WHERE taken = 0 AND not_before NOT BETWEEN ?3 + 1 AND ?3 + ?4
    ORDER BY owed, document LIMIT 1";
/// The first job of another worker whose lease is over. One that is to last longer than any was taken before the clock was
/// set back.
const LEFT: &str = "SELECT document FROM jobs WHERE taken = 1 AND worker <> ?1 AND leased_until NOT BETWEEN ?3 + 1 AND ?3 + ?4
    ORDER BY owed, document LIMIT 1";

pub(super) fn take(t: &Transaction<'_>, claim: &Claim) -> Result<Option<Job>> {
    for which in [FREE, LEFT] {
        let taken: Option<(DocumentKey, String, u32, u32)> = t
            .prepare_cached(&format!(
                "UPDATE jobs SET taken = 1, attempts = attempts + 1, worker = ?1, leased_until = ?2
                 WHERE document = ({which}) RETURNING document, stage, attempts, failures"
            ))?
            .query_row(params![claim.worker, claim.until, claim.now, LONGEST_PAUSE], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((key, stage, attempts, failures)) = taken else { continue };
        let stage = if stage == "embed" { Stage::Embed } else { Stage::Extract };
        return Ok(Some(Job { document: by_key(t, key)?, stage, attempts, failures }));
    }
    Ok(None)
}

pub(super) fn renew(t: &Transaction<'_>, claim: &Claim) -> Result<()> {
    t.prepare_cached("UPDATE jobs SET leased_until = ?2 WHERE taken = 1 AND worker = ?1")?
        .execute(params![claim.worker, claim.until])?;
    Ok(())
}

/// When this worker may find the first job that nobody has, or that another leaves, in milliseconds since 1970.
pub(super) fn next(t: &Transaction<'_>, worker: &str) -> Result<Option<i64>> {
    let next = t.prepare_cached(
        "SELECT min(at) FROM (SELECT min(not_before) AS at FROM jobs WHERE taken = 0
             UNION ALL SELECT min(leased_until) FROM jobs WHERE taken = 1 AND worker <> ?1)",
    )?;
    Ok({ next }.query_row([worker], |row| row.get(0))?)
}

/// As a worker begins: its claims of before are given up, and those whose lease is over; what waited is tried, and what
/// completed documents are owed too. Those whose embedding stopped the process go on waiting: tried at each start, they
/// would stop each.
pub(super) fn release(t: &Transaction<'_>, worker: &str, now: i64) -> Result<()> {
    t.execute(
        "UPDATE jobs SET taken = 0
         WHERE taken = 1 AND (worker = ?1 OR leased_until NOT BETWEEN ?2 + 1 AND ?2 + ?3)",
        params![worker, now, LONGEST_PAUSE],
    )?;
    t.execute(
        "UPDATE jobs SET failures = 0, not_before = 0 WHERE taken = 0 AND document NOT IN
            (SELECT key FROM documents WHERE warning_code = ?1)",
        [Warning::EMBEDDING_CRASHED],
    )?;
    take_up_owed(t, None)
}

/// Makes jobs of what completed documents with a warning are owed: those of one collection, or all.
fn take_up_owed(t: &Transaction<'_>, collection: Option<&CollectionId>) -> Result<()> {
    t.execute(
        "INSERT INTO jobs (document, stage, owed)
         SELECT key, 'embed', 1 FROM documents
         WHERE warning_code IS NOT NULL AND warning_code <> ?1 AND status = 'completed'
             AND (?2 IS NULL OR collection = ?2)
         ON CONFLICT (document) DO NOTHING",
        params![Warning::EMBEDDING_CRASHED, collection.map(|collection| &collection.0)],
    )?;
    Ok(())
}

/// Gives the documents of a collection that are in progress, or owed vectors, their jobs again, which end as its time is
/// over.
pub(super) fn resume(t: &Transaction<'_>, collection: &CollectionId) -> Result<()> {
    t.execute(
        "INSERT INTO jobs (document, stage)
         SELECT key, iif(chunks > 0, 'embed', 'extract') FROM documents
         WHERE collection = ?1 AND status = 'in_progress'
         ON CONFLICT (document) DO NOTHING",
        [&collection.0],
    )?;
    take_up_owed(t, Some(collection))
}

pub(super) fn put_back(t: &Transaction<'_>, worker: &str, document: DocumentKey) -> Result<()> {
    t.execute(
        "UPDATE jobs SET taken = 0, attempts = max(attempts - 1, 0)
         WHERE document = ?1 AND taken = 1 AND worker = ?2",
        params![document, worker],
    )?;
    Ok(())
}

pub(super) fn postpone(
    t: &Transaction<'_>,
    worker: &str,
    document: DocumentKey,
    not_before: i64,
) -> Result<()> {
    t.execute(
        "UPDATE jobs SET taken = 0, attempts = max(attempts - 1, 0), failures = failures + 1, not_before = ?3
         WHERE document = ?1 AND taken = 1 AND worker = ?2",
        params![document, worker, not_before],
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
                "UPDATE jobs SET owed = 1, attempts = max(attempts - 2, 0), taken = 0, failures = failures + 1,
                    not_before = ?2 WHERE document = ?1",
                params![key, not_before],
            )?;
            Ok(())
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
