//! Versions of a document. A new one of a name waits, out of sight of readers and indexes, while the one before answers;
//! when it is complete it takes the place of all others of its name, in that commit.
//!
//! A document that waits (`waits = 1`) always has an earlier one of its name that does not. Its chunks and vectors have
//! revision 0, which is after no revision: indexes are told of them by [`publish`], shortly before it is complete.

use rusqlite::{Transaction, params};

use super::documents::{self, forget};
use super::raise_revision;
use crate::store::*;

/// The document that a name means: the only one that has it, or that answers by it. [`StoreError::NotFound`] where that
/// is none, or not clear.
pub(super) fn named(t: &Transaction<'_>, collection: &CollectionId, name: &str) -> Result<DocumentRecord> {
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
fn answers(document: &DocumentRecord) -> bool {
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

/// A document that is complete takes the place of the earlier ones of its name, if it waited for that.
pub(super) fn take_place(t: &Transaction<'_>, document: &DocumentRecord) -> Result<()> {
    if document.replaces.is_none() {
        return Ok(());
    }
    publish(t, document.key)?;
    for other in documents::of_name(t, &document.collection, &document.filename)? {
        if other.key < document.key {
            forget(t, &other)?;
        }
    }
    show(t, document.key)
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

fn show(t: &Transaction<'_>, key: DocumentKey) -> Result<()> {
    t.prepare_cached("UPDATE documents SET waits = 0 WHERE key = ?1")?.execute([key])?;
    Ok(())
}
