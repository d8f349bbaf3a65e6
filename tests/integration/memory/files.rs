//! Files, and how they become documents, alone or as a batch.

use std::collections::BTreeSet;

use async_trait::async_trait;
use lastro::store::*;
use lastro::system::now;

use super::MemoryStore;
use super::pages::{Listed, part};
use super::state::{Batch, File, List, State, fresh_id};

#[async_trait]
impl Files for MemoryStore {
    async fn add_file(&self, new: NewFile) -> Result<FileRecord> {
        let (sha256, bytes) = (new.blob.sha256.clone(), new.blob.bytes);
        let record = FileRecord {
            id: FileId(fresh_id("file-")?),
            owner: new.owner,
            filename: new.filename,
            purpose: new.purpose,
            sha256,
            bytes,
            created_at: now(),
            expires_at: new.expires_in.map(|seconds| now() + i64::from(seconds)),
            failure: None,
        };
        self.write_bytes(new.blob, |state| {
            state.check_bytes(record.owner.as_deref(), new.quota, bytes, 0)?;
            state.insert_file(record.clone(), true);
            Ok(record)
        })
    }

    async fn file(&self, sight: &Sight, id: &FileId) -> Result<FileRecord> {
        self.read(|state| state.file(sight, id))
    }

    async fn files(&self, sight: &Sight, purpose: Option<&str>, page: Page) -> Result<Paged<FileRecord>> {
        self.read(|state| state.files(sight, purpose, &page))
    }

    async fn delete_file(&self, id: &FileId) -> Result<Vec<CollectionId>> {
        self.write(|state| state.delete_file(id))
    }

    async fn attach(&self, new: NewAttachments) -> Result<Attached> {
        self.write(|state| state.attach(new))
    }

    async fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        self.read(|state| state.batch(collection, id))
    }

    async fn cancel_batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        self.write(|state| state.cancel_batch(collection, id))
    }
}

impl File {
    /// One whose time is over is gone, whether it was removed already or not.
    pub fn is_alive(&self) -> bool {
        self.record.expires_at.is_none_or(|at| at > now())
    }
}

impl State {
    pub fn insert_file(&mut self, record: FileRecord, stands_alone: bool) {
        let number = self.next_number();
        self.files.push(File { number, record, stands_alone });
    }

    /// Collections in which a sight has this file.
    fn collections_of(&self, sight: &Sight, file: &FileId) -> Vec<CollectionId> {
        let all = self.documents.iter().filter(|document| document.file == *file);
        let all = all.map(|document| document.collection.clone());
        match sight {
            Sight::Everything => all.collect(),
            Sight::Of { collections, .. } => all.filter(|id| collections.contains(id)).collect(),
        }
    }

    fn is_seen(&self, sight: &Sight, file: &File) -> bool {
        match sight {
            Sight::Everything => true,
            Sight::Of { owner, .. } => {
                file.record.owner.as_ref() == Some(owner)
                    || !self.collections_of(sight, &file.record.id).is_empty()
            }
        }
    }

    /// A file with why it could not be read: where all of its documents failed that this sight has.
    fn as_seen(&self, sight: &Sight, file: &File) -> FileRecord {
        let collections = self.collections_of(sight, &file.record.id);
        let of_it = self.documents.iter().filter(|document| document.file == file.record.id);
        let seen = of_it.filter(|document| collections.contains(&document.collection));
        let failures: Option<Vec<_>> = seen
            .map(|document| document.failure.as_ref().filter(|_| document.status == Status::Failed))
            .collect();
        let failure = failures.and_then(|failures| failures.last().map(|failure| failure.message.clone()));
        FileRecord { failure, ..file.record.clone() }
    }

    pub fn file(&self, sight: &Sight, id: &FileId) -> Result<FileRecord> {
        let file = self.file_of(id)?;
        match file.is_alive() && self.is_seen(sight, file) {
            true => Ok(self.as_seen(sight, file)),
            false => Err(StoreError::UnknownFile(id.0.clone())),
        }
    }

    fn files(&self, sight: &Sight, purpose: Option<&str>, page: &Page) -> Result<Paged<FileRecord>> {
        let seen = self.files.iter().filter(|file| self.is_seen(sight, file));
        let listed = |file: &File| Listed {
            place: file.number,
            id: file.record.id.0.clone(),
            is_wanted: file.is_alive() && purpose.is_none_or(|purpose| file.record.purpose == purpose),
            element: self.as_seen(sight, file),
        };
        let viewers: Vec<_> = match sight {
            Sight::Everything => vec![None],
            Sight::Of { owner, collections } => {
                let through = collections.iter().map(|collection| Some(collection.0.clone()));
                through.chain([Some(owner.clone())]).collect()
            }
        };
        part(seen.map(listed).collect(), |id| self.departed_place(&List::Files, id, &viewers), page)
    }

    fn attach(&mut self, new: NewAttachments) -> Result<Attached> {
        self.collection(&new.collection)?;
        let mut keys: Vec<DocumentKey> = Vec::new();
        let mut named = BTreeSet::new();
        let before = self.documents.len();
        // Named twice, a file is one document, with what was said first.
        for attachment in new.attachments.into_iter().filter(|one| named.insert(one.file.clone())) {
            let file = self.file(&new.sight, &attachment.file)?;
            let there = self.documents_in(&new.collection).find(|document| document.file == file.id);
            keys.push(match there.map(|document| document.key) {
                Some(key) => self.attach_again(key, attachment)?,
                None => self.insert_document(&new.collection, attachment, new.owner.clone()),
            });
        }
        if self.documents.len() > before {
            // What was added is counted already.
            self.check_documents(new.owner.as_deref(), &new.collection, new.quotas, (0, 0), &[])?;
        }
        let documents = keys.iter().map(|key| self.record(self.by_key(*key)?)).collect::<Result<_>>()?;
        let mut batch = None;
        if new.batch {
            let id = BatchId(fresh_id("vsfb_")?);
            self.batches.push(Batch {
                id: id.clone(),
                collection: new.collection.clone(),
                created_at: now(),
                is_cancelled: false,
                documents: keys.into_iter().collect(),
            });
            batch = Some(self.batch(&new.collection, &id)?);
        }
        Ok(Attached { documents, batch })
    }

    fn attach_again(&mut self, key: DocumentKey, attachment: Attachment) -> Result<DocumentKey> {
        if let Some(attributes) = attachment.attributes {
            self.set_attributes(key, &attributes)?;
        }
        let document = self.by_key_mut(key)?;
        let other_sizes = attachment.chunking.is_some() && attachment.chunking != document.chunking;
        document.chunking = attachment.chunking.or(document.chunking);
        if other_sizes || matches!(document.status, Status::Failed | Status::Cancelled) {
            self.begin_anew(key)?;
        }
        Ok(key)
    }

    fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let found = self.batches.iter().find(|batch| batch.id == *id && batch.collection == *collection);
        let batch = found.ok_or(StoreError::NotFound("batch"))?;
        let documents = self.documents.iter().filter(|document| batch.documents.contains(&document.key));
        Ok(BatchRecord {
            id: batch.id.clone(),
            collection: batch.collection.clone(),
            cancelled: batch.is_cancelled,
            created_at: batch.created_at,
            counts: self.counts(documents)?,
        })
    }

    fn cancel_batch(&mut self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let found = self.batches.iter_mut().find(|batch| batch.id == *id && batch.collection == *collection);
        let batch = found.ok_or(StoreError::NotFound("batch"))?;
        batch.is_cancelled = true;
        for key in batch.documents.clone() {
            if self.by_key(key)?.status == Status::InProgress {
                self.remove_chunks(key)?;
                self.by_key_mut(key)?.status = Status::Cancelled;
                self.jobs.remove(&key);
            }
        }
        self.batch(collection, id)
    }
}
