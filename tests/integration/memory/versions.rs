//! Versions of a document: a new one of a name waits while the one before answers, and takes its place when complete.

use lastro::store::*;
use lastro::system::now;

use super::state::{Document, State, fresh_id};

/// Whether a document answers, or will without taking another's place.
fn answers(document: &DocumentRecord) -> bool {
    document.replaces.is_none() && matches!(document.status, Status::InProgress | Status::Completed)
}

fn is_called(document: &DocumentRecord, name: &str) -> bool {
    compared_name(&document.filename) == compared_name(name)
}

/// Of the documents of a name, the one that an upload of these bytes is already: one that waits, or the last that does not.
/// Bytes of an earlier version are a new version.
fn same<'a>(named: &'a [DocumentRecord], sha256: &str) -> Option<&'a DocumentRecord> {
    let last = named.iter().rposition(answers).unwrap_or(0);
    named.iter().skip(last).rfind(|document| document.sha256 == sha256)
}

impl State {
    /// Documents of a name in a collection, oldest first.
    pub fn named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>> {
        let all = self.records(self.documents_in(collection))?;
        Ok(all.into_iter().filter(|document| is_called(document, name)).collect())
    }

    /// A document by its id, or else the only one that has this name, or that answers by it.
    pub fn find_document(&self, collection: &CollectionId, id_or_name: &str) -> Result<DocumentRecord> {
        if let Ok(found) = self.document(collection, &DocumentId(id_or_name.to_owned())) {
            return Ok(found);
        }
        let mut named = self.named(collection, id_or_name)?;
        if named.iter().any(answers) {
            named.retain(answers);
        }
        match (named.pop(), named.pop()) {
            (Some(document), None) => Ok(document),
            _ => Err(StoreError::NotFound("document")),
        }
    }

    /// The document that answers in place of one that waits: the last before it of its name.
    pub fn replaced_by(&self, version: &Document, name: &str) -> Option<DocumentId> {
        let earlier =
            self.documents_in(&version.collection).filter(|other| other.key < version.key && !other.waits);
        let named = |other: &&Document| {
            let file = self.file_of(&other.file);
            file.is_ok_and(|file| compared_name(&file.record.filename) == compared_name(name))
        };
        let last = earlier.filter(named).last().filter(|_| version.waits);
        last.map(|document| DocumentId(document.file.0.clone()))
    }

    /// Tells indexes of a version that waits. Readers do not see it yet.
    pub fn publish(&mut self, key: DocumentKey) -> Result<()> {
        if self.chunks_of(key).any(|(_, chunk)| chunk.revision == 0) {
            let collection = self.by_key(key)?.collection.clone();
            let revision = self.raise_revision(&collection)?;
            let untold =
                self.chunks.values_mut().filter(|chunk| chunk.document == key && chunk.revision == 0);
            for chunk in untold {
                chunk.revision = revision;
                chunk.vectors.values_mut().for_each(|(of_vector, _)| *of_vector = revision);
            }
        }
        Ok(())
    }

    /// A version that waited waits no more.
    fn stand(&mut self, key: DocumentKey) -> Result<()> {
        self.publish(key)?;
        self.by_key_mut(key)?.waits = false;
        Ok(())
    }

    /// After a document of a name is gone: what waited for it alone waits no more.
    pub fn release(&mut self, collection: &CollectionId, name: &str) -> Result<()> {
        let free: Vec<DocumentKey> = {
            let named = self.named(collection, name)?;
            let free = named.iter().filter(|document| document.replaces.is_none());
            free.map(|document| document.key).collect()
        };
        free.into_iter().try_for_each(|key| if self.by_key(key)?.waits { self.stand(key) } else { Ok(()) })
    }

    /// A document that is complete takes the place of the earlier ones of its name, if it waited for that.
    pub fn take_place(&mut self, key: DocumentKey) -> Result<()> {
        let document = self.record(self.by_key(key)?)?;
        if document.replaces.is_some() {
            self.stand(key)?;
            for other in self.named(&document.collection, &document.filename)? {
                if other.key < key {
                    self.remove_document(other.key)?;
                }
            }
        }
        Ok(())
    }

    /// Removes versions that a newer upload makes superfluous, but one. Gives back what stays.
    fn supersede(
        &mut self,
        named: Vec<DocumentRecord>,
        except: Option<DocumentKey>,
    ) -> Result<Vec<DocumentRecord>> {
        let stays = |document: &DocumentRecord| answers(document) || Some(document.key) == except;
        let (standing, superfluous): (Vec<_>, Vec<_>) = named.into_iter().partition(stays);
        superfluous.iter().try_for_each(|document| self.remove_document(document.key))?;
        Ok(standing)
    }

    /// A file that came with its document takes the name that it is sent under now. What it waited for, and what waited for
    /// it, has the name that it had.
    fn rename(&mut self, document: &DocumentRecord, filename: &str) -> Result<()> {
        let file = self.files.iter_mut().find(|file| file.record.id.0 == document.id.0 && !file.stands_alone);
        let Some(file) = file else { return Ok(()) };
        file.record.filename = filename.to_owned();
        if !is_called(document, filename) {
            let of_it = self.documents.iter().filter(|other| other.file.0 == document.id.0);
            let of_it: Vec<_> = of_it.map(|other| (other.key, other.collection.clone())).collect();
            for (key, collection) in of_it {
                if self.by_key(key)?.waits {
                    self.stand(key)?;
                }
                self.release(&collection, &document.filename)?;
            }
        }
        Ok(())
    }

    /// A document that is uploaded: the same as one that is there, or a new one, or a new version of others.
    pub fn add_document(&mut self, upload: Upload) -> Result<AddedDocument> {
        self.collection(&upload.collection)?;
        let named = self.named(&upload.collection, &upload.filename)?;
        let (all, replaces) = (named.len(), upload.on_conflict == OnConflict::Replace && !named.is_empty());
        let found = match replaces {
            true => same(&named, &upload.sha256).cloned(),
            false => self.of_these_bytes(&upload)?,
        };
        let key = found.as_ref().map(|document| document.key);
        let standing = if replaces { self.supersede(named, key)? } else { Vec::new() };
        let superseded = replaces && standing.len() < all;
        let key = match &found {
            Some(document) => self.upload_again(document, &upload)?,
            None => self.upload_anew(upload, &standing)?,
        };
        let document = self.record(self.by_key(key)?)?;
        Ok(AddedDocument { document, created: found.is_none(), superseded })
    }

    /// A document of these bytes: one of this name before all others.
    fn of_these_bytes(&self, upload: &Upload) -> Result<Option<DocumentRecord>> {
        let mut same = self.records(self.documents_in(&upload.collection))?;
        same.retain(|document| document.sha256 == upload.sha256);
        same.sort_by_key(|document| !is_called(document, &upload.filename));
        Ok(same.into_iter().next())
    }

    fn upload_again(&mut self, document: &DocumentRecord, upload: &Upload) -> Result<DocumentKey> {
        match document.status {
            Status::InProgress => self.hurry(document.key),
            Status::Failed | Status::Cancelled => {
                self.rename(document, &upload.filename)?;
                self.begin_anew(document.key)?;
            }
            Status::Completed => {}
        }
        if upload.on_conflict == OnConflict::Keep && is_called(document, &upload.filename) {
            self.stand(document.key)?;
        }
        Ok(document.key)
    }

    fn upload_anew(&mut self, upload: Upload, standing: &[DocumentRecord]) -> Result<DocumentKey> {
        let (owner, quotas) = (upload.owner.as_deref(), upload.quotas);
        // What goes when this is complete makes room for it.
        let less = self.bytes_freed(owner, standing);
        self.check_bytes(owner, quotas.owner, upload.bytes, less)?;
        self.check_documents(owner, &upload.collection, quotas, (1, upload.bytes), standing)?;
        let file = FileRecord {
            id: FileId(fresh_id("file-")?),
            owner: upload.owner.clone(),
            filename: upload.filename,
            purpose: "assistants".into(),
            sha256: upload.sha256,
            bytes: upload.bytes,
            created_at: now(),
            expires_at: None,
            failure: None,
        };
        let before = standing.last();
        // A version is what the one before it was, with other bytes.
        let attachment = Attachment {
            file: file.id.clone(),
            attributes: before.map(|before| before.attributes.clone()),
            chunking: before.and_then(|before| before.chunking),
        };
        self.insert_file(file, false);
        let key = self.insert_document(&upload.collection, attachment, upload.owner);
        self.by_key_mut(key)?.waits = before.is_some();
        Ok(key)
    }
}

/// A [`NewDocument`] without its bytes.
pub struct Upload {
    pub collection: CollectionId,
    pub filename: String,
    pub sha256: String,
    pub bytes: u64,
    pub owner: Option<String>,
    pub quotas: Quotas,
    pub on_conflict: OnConflict,
}
