//! Files that become documents, alone or as a batch.

use std::collections::BTreeSet;

use rusqlite::{Transaction, params};

use super::quotas::Freed;
use super::removal::remove_chunks;
use super::{documents, files, fresh_id, not_found, quotas};
use crate::store::*;
use crate::system::now;

pub(super) fn attach(t: &Transaction<'_>, new: &NewAttachments) -> Result<Attached> {
    super::collections::one(t, &new.collection)?;
    let batch = match new.batch {
        false => None,
        true => {
            let id = BatchId(fresh_id("vsfb_")?);
            t.execute(
                "INSERT INTO batches (id, collection, created_at) VALUES (?1, ?2, ?3)",
                params![id.0, new.collection.0, now()],
            )?;
            Some(id)
        }
    };
    let (mut keys, mut named) = (Vec::new(), BTreeSet::new());
    let mut added = false;
    for attachment in &new.attachments {
        // Named twice, it is one document, with what was said first.
        if !named.insert(&attachment.file) {
            continue;
        }
        let file = files::one(t, &new.sight, &attachment.file)?;
        let id = DocumentId(file.id.0.clone());
        let key = match documents::one(t, &new.collection, &id) {
            Ok(document) => attach_again(t, &document, attachment)?,
            Err(StoreError::NotFound(_)) => {
                added = true;
                documents::insert(t, &new.collection, (attachment, &file.filename), new.owner.as_deref())?
            }
            Err(error) => return Err(error),
        };
        keys.push(key);
        if let Some(batch) = &batch {
            t.prepare_cached("INSERT INTO batch_documents (batch, document) VALUES (?1, ?2)")?
                .execute(params![batch.0, key])?;
        }
    }
    // What was added is counted already.
    let owner = new.owner.as_deref();
    if added {
        quotas::check_documents(t, owner, &new.collection.0, new.quotas, (0, 0), Freed::default())?;
    }
    let documents = keys.into_iter().map(|key| documents::by_key(t, key)).collect::<Result<_>>()?;
    let batch = batch.map(|id| one(t, &new.collection, &id)).transpose()?;
    Ok(Attached { documents, batch })
}

fn attach_again(
    t: &Transaction<'_>,
    document: &DocumentRecord,
    attachment: &Attachment,
) -> Result<DocumentKey> {
    if let Some(attributes) = &attachment.attributes {
        documents::set_attributes(t, &document.collection, &document.id, attributes)?;
    }
    let other_sizes = attachment.chunking.is_some() && attachment.chunking != document.chunking;
    if let Some(sizes) = attachment.chunking.filter(|_| other_sizes) {
        t.execute(
            "UPDATE documents SET chunk_tokens = ?2, overlap_tokens = ?3 WHERE key = ?1",
            params![document.key, sizes.max_tokens, sizes.overlap_tokens],
        )?;
    }
    if other_sizes || matches!(document.status, Status::Failed | Status::Cancelled) {
        documents::begin_anew(t, document.key)?;
    }
    Ok(document.key)
}

pub(super) fn one(t: &Transaction<'_>, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
    let found = t
        .prepare_cached("SELECT created_at, cancelled FROM batches WHERE id = ?1 AND collection = ?2")?
        .query_row([&id.0, &collection.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|e| not_found(e, "batch"))?;
    let (created_at, cancelled) = found;
    let counts = documents::counts_of_batch(t, id)?;
    Ok(BatchRecord { id: id.clone(), collection: collection.clone(), cancelled, created_at, counts })
}

pub(super) fn cancel(t: &Transaction<'_>, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
    t.execute("UPDATE batches SET cancelled = 1 WHERE id = ?1 AND collection = ?2", [&id.0, &collection.0])?;
    let mut statement = t.prepare_cached(
        "SELECT d.key FROM documents d JOIN batch_documents m ON m.document = d.key
         WHERE m.batch = ?1 AND d.collection = ?2 AND d.status = 'in_progress'",
    )?;
    let rows = statement.query_map([&id.0, &collection.0], |row| row.get(0))?;
    for key in rows.collect::<rusqlite::Result<Vec<DocumentKey>>>()? {
        let document = documents::by_key(t, key)?;
        if document.chunks > 0 {
            remove_chunks(t, &document)?;
        }
        t.execute(
            "UPDATE documents SET status = 'cancelled', chunks = 0, text_bytes = 0, prompt_tokens = NULL WHERE key = ?1",
            [key],
        )?;
        t.execute("DELETE FROM jobs WHERE document = ?1", [key])?;
    }
    one(t, collection, id)
}
