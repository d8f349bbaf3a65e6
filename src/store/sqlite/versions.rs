//! Versions of a document. A new one of a name waits, out of sight of readers and indexes, while the one before answers;
//! when it is complete it takes the place of all others of its name, in that commit.
//!
//! A document that waits (`waits = 1`) always has an earlier one of its name that does not. Its chunks and vectors have
//! revision 0, which is after no revision: indexes are told of them by [`publish`], shortly before it is complete.

use rusqlite::{Transaction, params};

use super::{documents, raise_revision};
use crate::store::*;

/// A document by its public id, or else by its name.
pub(super) fn find(
    t: &Transaction<'_>,
    collection: &CollectionId,
    id_or_name: &str,
) -> Result<DocumentRecord> {
    match documents::one(t, collection, &DocumentId(id_or_name.to_owned())) {
        Err(StoreError::NotFound(_)) => named(t, collection, id_or_name),
        found => found,
    }
}

/// The document that a name means: the only one that has it, or that answers by it. [`StoreError::NotFound`] where that
/// is none, or not clear.
fn named(t: &Transaction<'_>, collection: &CollectionId, name: &str) -> Result<DocumentRecord> {
    let mut named = documents::of_name(t, collection, name)?;
    if named.iter().any(answers) {
        named.retain(answers);
    }
    match (named.pop(), named.pop()) {
        (Some(document), None) => Ok(document),
        _ => Err(StoreError::NotFound("document")),
    }
}

/// Whether it answers, or will without taking another's place.
pub(super) fn answers(document: &DocumentRecord) -> bool {
    document.replaces.is_none() && is_alive(document)
}

fn is_alive(document: &DocumentRecord) -> bool {
    matches!(document.status, Status::InProgress | Status::Completed)
}

/// Of the documents of a name, oldest first, the one that an upload of these bytes is already: one that waits, or the
/// last that does not. Bytes of an earlier version are a new version.
pub(super) fn same<'a>(named: &'a [DocumentRecord], sha256: &str) -> Option<&'a DocumentRecord> {
    let last = named.iter().rposition(answers).unwrap_or(0);
    named[last.min(named.len())..].iter().rfind(|document| document.sha256 == sha256)
}

/// Tells the indexes of what a document that waits has been read to. They have it before it is complete, so that there
/// is no moment in which neither version is found.
pub(super) fn publish(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    let waiting = "SELECT collection FROM documents WHERE key = ?1 AND EXISTS
        (SELECT 1 FROM chunks WHERE document = ?1 AND revision = 0)";
    let mut statement = t.prepare_cached(waiting)?;
    let mut rows = statement.query([key])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let revision = raise_revision(t, &row.get::<_, String>(0)?)?;
    t.prepare_cached(
        "UPDATE vectors SET revision = ?2
         WHERE revision = 0 AND chunk IN (SELECT id FROM chunks WHERE document = ?1 AND revision = 0)",
    )?
    .execute(params![key, revision])?;
    t.prepare_cached("UPDATE chunks SET revision = ?2 WHERE document = ?1 AND revision = 0")?
        .execute(params![key, revision])?;
    Ok(())
}

/// After a document is gone: of its name, one that waited for it alone waits no more.
pub(super) fn release(t: &Transaction<'_>, gone: &DocumentRecord) -> Result<()> {
    let mut statement = t.prepare_cached(
        "SELECT key FROM documents d WHERE collection = ?1 AND name = ?2 AND waits = 1 AND NOT EXISTS
            (SELECT 1 FROM documents o WHERE o.collection = ?1 AND o.name = ?2 AND o.key < d.key AND o.waits = 0)",
    )?;
    let rows = statement.query_map([&gone.collection.0, &compared_name(&gone.filename)], |row| {
        row.get::<_, DocumentKey>(0)
    })?;
    for key in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        stand(t, key)?;
    }
    Ok(())
}

/// A document that waited for the place of others waits no more.
pub(super) fn stand(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    publish(t, key)?;
    show(t, key)
}

pub(super) fn show(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.prepare_cached("UPDATE documents SET waits = 0 WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// A file that came with its document takes the name that it is sent under now, in all collections that have it.
pub(super) fn rename(t: &Transaction<'_>, document: &DocumentRecord, filename: &str) -> Result<()> {
    let before = documents::of_file(t, &FileId(document.id.0.clone()))?;
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
            stand(t, former.key)?;
        }
        release(t, former)?;
    }
    Ok(())
}
