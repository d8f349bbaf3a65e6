//! A document that is uploaded: the same as one that is there, or a new one, or a new version of others.

use rusqlite::Transaction;

use super::{collections, documents, files, fresh_id, quotas, removal, versions};
use crate::store::blobs::Blobs;
use crate::store::*;
use crate::system::now;

pub(super) fn add(t: &Transaction<'_>, blobs: &Blobs, new: NewDocument) -> Result<AddedDocument> {
    let collection = collections::one(t, &new.collection)?;
    let named = documents::of_name(t, &collection.id, &new.filename)?;
    let replaces = new.on_conflict == OnConflict::Replace && !named.is_empty();
    let same = match replaces {
        true => versions::same(&named, &new.blob.sha256).cloned(),
        false => documents::of_these_bytes(t, &collection.id, (&new.blob.sha256, &new.filename))?,
    };
    let all = named.len();
    if let Some(document) = same {
        let kept = if replaces { removal::supersede(t, named, Some(document.key))? } else { named };
        let superseded = kept.len() < all;
        // Bytes that are known are written again all the same, where the file was lost.
        blobs.adopt(new.blob)?;
        if document.status == Status::InProgress {
            documents::hurry(t, document.key)?;
        }
        if matches!(document.status, Status::Failed | Status::Cancelled) {
            versions::rename(t, &document, &new.filename)?;
            documents::begin_anew(t, document.key)?;
        }
        let has_the_name = compared_name(&document.filename) == compared_name(&new.filename);
        if new.on_conflict == OnConflict::Keep && has_the_name {
            versions::stand(t, document.key)?;
        }
        return Ok(AddedDocument {
            document: documents::by_key(t, document.key)?,
            created: false,
            superseded,
        });
    }
    let standing = if replaces { removal::supersede(t, named, None)? } else { Vec::new() };
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
    let key = documents::insert(t, &collection.id, (&attachment, &file.filename), file.owner.as_deref())?;
    if before.is_some() {
        t.execute("UPDATE documents SET waits = 1 WHERE key = ?1", [key])?;
    }
    Ok(AddedDocument { document: documents::by_key(t, key)?, created: true, superseded })
}
