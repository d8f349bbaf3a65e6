//! Calls of [`Documents`].

use std::time::Instant;

use async_trait::async_trait;

use crate::store::sqlite::{SqliteStore, documents, quotas, removal, uploads, versions};
use crate::store::*;

#[async_trait]
impl Documents for SqliteStore {
    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument> {
        let sha256 = new.blob.sha256.clone();
        let added = self.write_bytes(sha256, move |t, blobs| uploads::add(t, blobs, new)).await?;
        if added.superseded {
            self.note_removal();
        }
        Ok(added)
    }

    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.read(move |t| documents::one(t, &collection, &id)).await
    }

    async fn documents_of(
        &self,
        collection: &CollectionId,
        ids: &[DocumentId],
    ) -> Result<Vec<DocumentRecord>> {
        let (collection, ids) = (collection.clone(), ids.to_vec());
        self.read(move |t| documents::some(t, &collection, &ids)).await
    }

    async fn find_document(
        &self,
        collection: &CollectionId,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord> {
        let (collection, id_or_name) = (collection.clone(), id_or_name.to_owned());
        self.read_before(deadline, move |t| versions::find(t, &collection, &id_or_name)).await
    }

    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>> {
        let collection = collection.clone();
        self.read(move |t| documents::all(t, &collection)).await
    }

    async fn documents_page(
        &self,
        collection: &CollectionId,
        filter: DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentRecord>> {
        let collection = collection.clone();
        self.read(move |t| documents::page(t, &collection, &filter, &page)).await
    }

    async fn documents_named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>> {
        let (collection, name) = (collection.clone(), name.to_owned());
        self.read(move |t| documents::of_name(t, &collection, &name)).await
    }

    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts> {
        let collection = collection.clone();
        self.read(move |t| documents::counts(t, &collection)).await
    }

    async fn set_attributes(
        &self,
        collection: &CollectionId,
        id: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord> {
        let (collection, id, attributes) = (collection.clone(), id.clone(), attributes.to_owned());
        self.write(move |t, _| documents::set_attributes(t, &collection, &id, &attributes)).await
    }

    async fn document_attributes(
        &self,
        collection: &CollectionId,
        deadline: Instant,
    ) -> Result<Vec<(DocumentKey, String)>> {
        let collection = collection.clone();
        self.read_before(deadline, move |t| documents::attributes(t, &collection)).await
    }

    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()> {
        let (collection, id) = (collection.clone(), id.clone());
        self.remove(move |t, _| removal::delete_document(t, &collection, &id)).await
    }

    async fn have_text(&self, collections: &[CollectionId], documents: &[DocumentId]) -> Result<bool> {
        let (collections, documents) = (collections.to_vec(), documents.to_vec());
        self.read(move |t| documents::have_text(t, &collections, &documents)).await
    }

    async fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Result<Vec<Allowance>> {
        let (owner, collection) = (owner.map(str::to_owned), collection.cloned());
        self.read(move |t| quotas::allowances(t, owner.as_deref(), collection.as_ref(), quotas)).await
    }

    async fn holdings(&self, deadline: Instant) -> Result<Holdings> {
        self.read_before(deadline, quotas::holdings).await
    }
}
