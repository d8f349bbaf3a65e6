//! Everything that removes: collections, documents, files, chunks, and what goes with each.
//!
//! These cascades call one another, and stand above the rows that they remove. A removal raises the collection's
//! revision and records the chunks for the indexes; bytes that no file names any more are noted in the same transaction,
//! and removed after its commit.

use rusqlite::{OptionalExtension, Transaction, params};

use super::versions::answers;
use super::{catalog, documents, raise_catalog, raise_revision, versions};
use crate::store::*;

/// Documents that are removed in one transaction, with their files.
const DOCUMENTS_AT_ONCE: i64 = 200;

/// A collection is deleted: nobody finds it any more, nothing of it is worked on, and its name is free. What it holds is
/// removed by [`clear_some`].
pub(super) fn doom(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    let doomed = t.execute(
        "UPDATE collections SET doomed = 1, name = id, origin = 'api', description = NULL, metadata = '{}'
         WHERE id = ?1 AND doomed = 0",
        [&id.0],
    )?;
    if doomed == 0 {
        return Err(StoreError::NotFound("collection"));
    }
    let revision = raise_catalog(t)?;
    catalog::note_removed(t, id, revision)?;
    t.execute(
        "UPDATE keys SET changed = ?2 WHERE default_collection = ?1
            OR id IN (SELECT key FROM grants WHERE collection = ?1)",
        params![id.0, revision],
    )?;
    t.execute("DELETE FROM grants WHERE collection = ?1", [&id.0])?;
    t.execute("UPDATE keys SET default_collection = NULL WHERE default_collection = ?1", [&id.0])?;
    end_jobs(t, id)
}

/// The collection loses its documents, by [`clear_some`], and stays, so that its owner sees what became of it.
pub(super) fn expire(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    let revision = raise_catalog(t)?;
    t.execute("UPDATE collections SET expired = 1, changed = ?2 WHERE id = ?1", params![id.0, revision])?;
    end_jobs(t, id)
}

fn end_jobs(t: &Transaction<'_>, id: &CollectionId) -> Result<()> {
    t.execute(
        "DELETE FROM jobs WHERE document IN (SELECT key FROM documents WHERE collection = ?1)",
        [&id.0],
    )?;
    Ok(())
}

/// Removes some of what a collection holds that was deleted or is over its time, about so many chunks, and in the end a
/// deleted one itself. Says whether there is more.
pub(super) fn clear_some(t: &Transaction<'_>, id: &CollectionId, chunks: usize) -> Result<bool> {
    let found = t
        .prepare_cached("SELECT doomed, expired FROM collections WHERE id = ?1")?
        .query_row([&id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((true, _)) => clear_doomed(t, id, chunks),
        Some((false, true)) => clear_expired(t, id, chunks),
        // Gone already, or brought back.
        Some((false, false)) | None => Ok(false),
    }
}

/// No index follows a collection that is gone: its chunks leave no trace.
fn clear_doomed(t: &Transaction<'_>, id: &CollectionId, most: usize) -> Result<bool> {
    let most = most as i64;
    for sql in [
        "DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE collection = ?1 LIMIT ?2)",
        "DELETE FROM removals WHERE collection = ?1 AND revision <= (SELECT max(revision) FROM
             (SELECT revision FROM removals WHERE collection = ?1 ORDER BY revision LIMIT ?2))",
    ] {
        if t.prepare_cached(sql)?.execute(params![id.0, most])? > 0 {
            return Ok(true);
        }
    }
    let documents = some_documents(t, id)?;
    for (key, file, _) in &documents {
        t.prepare_cached("DELETE FROM documents WHERE key = ?1")?.execute([key])?;
        drop_unneeded(t, file)?;
    }
    if documents.is_empty() {
        t.execute("DELETE FROM collections WHERE id = ?1", [&id.0])?;
    }
    Ok(!documents.is_empty())
}

fn clear_expired(t: &Transaction<'_>, id: &CollectionId, most: usize) -> Result<bool> {
    let documents = some_documents(t, id)?;
    let mut chunks = 0;
    for (key, _, held) in &documents {
        // A version that waited for it stands by itself then: the collection may be brought back before that is gone too.
        forget(t, &documents::by_key(t, *key)?)?;
        chunks += *held as usize;
        if chunks >= most {
            break;
        }
    }
    Ok(!documents.is_empty())
}

/// Keys of some documents, with their files and how many chunks each has.
fn some_documents(t: &Transaction<'_>, id: &CollectionId) -> Result<Vec<(i64, String, u32)>> {
    let mut statement = t.prepare_cached(
        "SELECT key, file, chunks FROM documents WHERE collection = ?1 ORDER BY key LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![id.0, DOCUMENTS_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes one document of a collection.
pub(super) fn delete_document(t: &Transaction<'_>, collection: &CollectionId, id: &DocumentId) -> Result<()> {
    forget(t, &documents::one(t, collection, id)?)
}

/// Removes a document with all that was read from it, and its file if nothing else needs it.
fn forget(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    remove_chunks(t, document)?;
    t.execute("DELETE FROM documents WHERE key = ?1", [document.key])?;
    drop_unneeded(t, &document.id.0)?;
    versions::release(t, document)
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

/// Removes a file and every document of it.
pub(super) fn delete_file(t: &Transaction<'_>, id: &FileId) -> Result<Vec<CollectionId>> {
    let synced = t
        .prepare_cached(
            "SELECT 1 FROM documents d JOIN collections c ON c.id = d.collection
             WHERE d.file = ?1 AND c.origin = 'folder'",
        )?
        .exists([&id.0])?;
    if synced {
        return Err(StoreError::Synced);
    }
    let documents = documents::of_file(t, id)?;
    for document in &documents {
        remove_chunks(t, document)?;
        t.execute("DELETE FROM documents WHERE key = ?1", [document.key])?;
        versions::release(t, document)?;
    }
    let blob: Option<String> = t
        .query_row("DELETE FROM files WHERE id = ?1 RETURNING blob", [&id.0], |row| row.get(0))
        .optional()?;
    let Some(blob) = blob else { return Err(StoreError::UnknownFile(id.0.clone())) };
    note_removal(t, &blob)?;
    Ok(documents.into_iter().map(|d| d.collection).collect())
}

/// Removes a file that came with a document, once no document is left of it.
fn drop_unneeded(t: &Transaction<'_>, id: &str) -> Result<()> {
    let blob: Option<String> = t
        .prepare_cached(
            "DELETE FROM files WHERE id = ?1 AND standing = 0
             AND NOT EXISTS (SELECT 1 FROM documents WHERE file = ?1) RETURNING blob",
        )?
        .query_row([id], |row| row.get(0))
        .optional()?;
    blob.map_or(Ok(()), |blob| note_removal(t, &blob))
}

/// Notes that the bytes of a file that went are to be removed, unless another file has them.
fn note_removal(t: &Transaction<'_>, sha256: &str) -> Result<()> {
    let unnamed = t
        .prepare_cached(
            "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM files WHERE blob = ?1)",
        )?
        .execute([sha256])?;
    if unnamed > 0 {
        t.prepare_cached("INSERT INTO removed_blobs (sha256) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([sha256])?;
    }
    Ok(())
}

/// Removes what a newer upload of the name makes superfluous: versions that wait, and such that came to nothing. Gives
/// back what stays: those that go on answering, and the exception.
pub(super) fn supersede(
    t: &Transaction<'_>,
    named: Vec<DocumentRecord>,
    except: Option<DocumentKey>,
) -> Result<Vec<DocumentRecord>> {
    let stays = |document: &DocumentRecord| answers(document) || Some(document.key) == except;
    let (standing, superfluous): (Vec<_>, Vec<_>) = named.into_iter().partition(stays);
    for document in &superfluous {
        forget(t, document)?;
    }
    Ok(standing)
}

/// A document that is complete takes the place of the earlier ones of its name, if it waited for that.
pub(super) fn take_place(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    if document.replaces.is_none() {
        return Ok(());
    }
    versions::publish(t, document.key)?;
    for other in documents::of_name(t, &document.collection, &document.filename)? {
        if other.key < document.key {
            forget(t, &other)?;
        }
    }
    versions::show(t, document.key)
}
