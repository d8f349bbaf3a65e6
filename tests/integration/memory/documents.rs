//! Documents of collections, and how much there is of them.

use std::time::Instant;

use async_trait::async_trait;
use lastro::store::*;
use lastro::system::now;

use super::MemoryStore;
use super::pages::{Listed, part};
use super::state::{Document, List, State};
use super::versions::Upload;

#[async_trait]
impl Documents for MemoryStore {
    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument> {
        let NewDocument { collection, filename, blob, owner, quotas, on_conflict } = new;
        let (sha256, bytes) = (blob.sha256.clone(), blob.bytes);
        let upload = Upload { collection, filename, sha256, bytes, owner, quotas, on_conflict };
        self.write_bytes(blob, |state| state.add_document(upload))
    }

    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        self.read(|state| state.document(collection, id))
    }

    async fn documents_of(
        &self,
        collection: &CollectionId,
        ids: &[DocumentId],
    ) -> Result<Vec<DocumentRecord>> {
        self.read(|state| Ok(ids.iter().filter_map(|id| state.document(collection, id).ok()).collect()))
    }

    async fn find_document(
        &self,
        collection: &CollectionId,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord> {
        self.read_before(deadline, |state| state.find_document(collection, id_or_name))
    }

    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>> {
        self.read(|state| state.records(state.documents_in(collection)))
    }

    async fn documents_page(
        &self,
        collection: &CollectionId,
        filter: DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentRecord>> {
        self.read(|state| state.documents_page(collection, &filter, &page))
    }

    async fn documents_named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>> {
        self.read(|state| state.named(collection, name))
    }

    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts> {
        self.read(|state| state.counts(state.documents_in(collection)))
    }

    async fn set_attributes(
        &self,
        collection: &CollectionId,
        id: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord> {
        self.write(|state| {
            let key = state.document(collection, id)?.key;
            state.set_attributes(key, attributes)?;
            state.document(collection, id)
        })
    }

    async fn document_attributes(
        &self,
        collection: &CollectionId,
        deadline: Instant,
    ) -> Result<Vec<(DocumentKey, String)>> {
        self.read_before(deadline, |state| {
            let seen = state.documents_in(collection).filter(|document| !document.waits);
            Ok(seen.map(|document| (document.key, document.attributes.clone())).collect())
        })
    }

    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()> {
        self.write(|state| state.remove_document(state.document(collection, id)?.key))
    }

    async fn have_text(&self, collections: &[CollectionId], documents: &[DocumentId]) -> Result<bool> {
        self.read(|state| {
            let has_text =
                |collection, id| state.document(collection, id).is_ok_and(|found| found.chunks > 0);
            Ok(documents.iter().all(|id| collections.iter().any(|collection| has_text(collection, id))))
        })
    }

    async fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Result<Vec<Allowance>> {
        self.read(|state| Ok(state.allowances(owner, collection, quotas)))
    }

    async fn holdings(&self, deadline: Instant) -> Result<Holdings> {
        self.read_before(deadline, |state| {
            let collections = state.collections.iter().map(|collection| {
                let id = collection.record.id.clone();
                let counts = state.counts(state.documents_in(&id))?;
                let documents = u64::from(counts.total());
                Ok(CollectionHoldings { id, documents, chunks: counts.chunks, bytes: counts.bytes })
            });
            Ok(Holdings { jobs: state.jobs.len() as u64, collections: collections.collect::<Result<_>>()? })
        })
    }
}

impl State {
    /// A document as it is read: with its file, its chunks, and what answers in its place.
    pub fn record(&self, document: &Document) -> Result<DocumentRecord> {
        let file = &self.file_of(&document.file)?.record;
        Ok(DocumentRecord {
            key: document.key,
            id: DocumentId(file.id.0.clone()),
            collection: document.collection.clone(),
            filename: file.filename.clone(),
            sha256: file.sha256.clone(),
            bytes: file.bytes,
            status: document.status,
            failure: document.failure.clone(),
            warning: document.warning.clone(),
            language: document.language(),
            pages: document.pages,
            chunks: self.chunks_of(document.key).count() as u32,
            attributes: document.attributes.clone(),
            chunking: document.chunking,
            owner: document.owner.clone(),
            replaces: self.replaced_by(document, &file.filename),
            created_at: document.created_at,
        })
    }

    pub fn records<'a>(&self, documents: impl Iterator<Item = &'a Document>) -> Result<Vec<DocumentRecord>> {
        documents.map(|document| self.record(document)).collect()
    }

    pub fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let found = self.documents_in(collection).find(|document| document.file.0 == id.0);
        self.record(found.ok_or(StoreError::NotFound("document"))?)
    }

    pub fn counts<'a>(&self, documents: impl Iterator<Item = &'a Document>) -> Result<DocumentCounts> {
        let mut counts = DocumentCounts::default();
        for document in self.records(documents)? {
            *match document.status {
                Status::InProgress => &mut counts.in_progress,
                Status::Completed => &mut counts.completed,
                Status::Failed => &mut counts.failed,
                Status::Cancelled => &mut counts.cancelled,
            } += 1;
            counts.bytes += document.bytes;
            counts.chunks += u64::from(document.chunks);
        }
        Ok(counts)
    }

    fn documents_page(
        &self,
        collection: &CollectionId,
        filter: &DocumentFilter,
        page: &Page,
    ) -> Result<Paged<DocumentRecord>> {
        let batch = filter.batch.as_ref().map(|id| self.batches.iter().find(|batch| batch.id == *id));
        let is_in_it = |key| batch.is_none_or(|batch| batch.is_some_and(|b| b.documents.contains(&key)));
        let all = self.records(self.documents_in(collection).filter(|document| is_in_it(document.key)))?;
        let listed = |document: DocumentRecord| Listed {
            place: document.key,
            id: document.id.0.clone(),
            is_wanted: filter.status.is_none_or(|status| document.status == status),
            element: document,
        };
        let list = List::DocumentsOf(collection.clone());
        let viewers = [filter.batch.as_ref().map(|id| id.0.clone())];
        part(all.into_iter().map(listed).collect(), |id| self.departed_place(&list, id, &viewers), page)
    }

    /// Replaces attributes of a document, and those of a version that waits to take its place.
    pub fn set_attributes(&mut self, key: DocumentKey, attributes: &str) -> Result<()> {
        let document = self.record(self.by_key(key)?)?;
        let mut versions = self.named(&document.collection, &document.filename)?;
        versions.retain(|version| version.key == key || (version.key > key && version.replaces.is_some()));
        for version in versions {
            self.by_key_mut(version.key)?.attributes = attributes.to_owned();
        }
        if self.by_key(key)?.language() != document.language {
            let revision = self.raise_revision(&document.collection)?;
            let of_it = self.chunks.values_mut().filter(|chunk| chunk.document == key && chunk.revision > 0);
            of_it.for_each(|chunk| chunk.revision = revision);
        }
        Ok(())
    }

    /// Adds a document of a file, with its first job.
    pub fn insert_document(
        &mut self,
        collection: &CollectionId,
        attachment: Attachment,
        owner: Option<String>,
    ) -> DocumentKey {
        let key = self.next_number();
        self.documents.push(Document {
            key,
            collection: collection.clone(),
            file: attachment.file,
            status: Status::InProgress,
            failure: None,
            warning: None,
            attributes: attachment.attributes.unwrap_or_else(|| "{}".into()),
            chunking: attachment.chunking,
            owner,
            created_at: now(),
            waits: false,
            language: None,
            pages: None,
            outline: Outline::default(),
            prompt_tokens: None,
        });
        self.enqueue(key);
        key
    }

    /// A document goes through ingestion once more.
    pub fn begin_anew(&mut self, key: DocumentKey) -> Result<()> {
        let document = self.by_key_mut(key)?;
        (document.status, document.failure, document.warning) = (Status::InProgress, None, None);
        self.enqueue(key);
        Ok(())
    }
}
