//! The catalog's files and documents, as far as a caller sees them, and their changes, which the indexes follow.

use std::time::Instant;

use super::{Catalog, Collection, CollectionError};
use crate::access::{Access, Scope};
use crate::store::{
    BatchId, BatchRecord, DocumentId, DocumentRecord, FileId, FileRecord, Page, Paged, Sight,
};

impl Catalog {
    /// Which files exist for this caller.
    pub fn sight(&self, access: &Access) -> Sight {
        // Files are their key's, whichever collection a path names.
        let access = &access.anywhere();
        match access.owner() {
            Some(owner) if !access.may(Scope::Admin) => Sight::Of {
                owner: owner.to_owned(),
                collections: self.list(access).iter().map(|c| c.id.clone()).collect(),
            },
            _ => Sight::Everything,
        }
    }

    /// One file, if it exists for this caller.
    pub async fn file(&self, access: &Access, file: &FileId) -> Result<FileRecord, CollectionError> {
        Ok(self.store().file(&self.sight(access), file).await?)
    }

    /// Files that exist for this caller, of one purpose or of all.
    pub async fn files(
        &self,
        access: &Access,
        purpose: Option<&str>,
        page: Page,
    ) -> Result<Paged<FileRecord>, CollectionError> {
        Ok(self.store().files(&self.sight(access), purpose, page).await?)
    }

    /// Removes a file, and every document of it.
    pub async fn delete_file(&self, file: &FileId) -> Result<(), CollectionError> {
        let (catalog, file) = (self.clone(), file.clone());
        self.to_its_end(async move {
            for collection in catalog.store().delete_file(&file).await? {
                catalog.follow(&collection).await;
            }
            Ok(())
        })
        .await
    }

    /// A document of a collection, by id, or else by its name where only one answers by it.
    pub async fn document(
        &self,
        collection: &Collection,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord, CollectionError> {
        Ok(self.store().find_document(&collection.id, id_or_name, deadline).await?)
    }

    /// Replaces a document's attributes, a JSON object, which is a use of its collection. Those of a folder's documents are
    /// changed here too: they are not in the folder's files.
    pub async fn set_attributes(
        &self,
        collection: &Collection,
        document: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord, CollectionError> {
        let (catalog, id, document) = (self.clone(), collection.id.clone(), document.clone());
        let attributes = attributes.to_owned();
        collection.touch();
        self.to_its_end(async move {
            let document = catalog.store().set_attributes(&id, &document, &attributes).await?;
            // They may name another language for its words.
            catalog.follow(&id).await;
            Ok(document)
        })
        .await
    }

    /// Removes a document: it is found no more when this returns.
    pub async fn delete_document(
        &self,
        collection: &Collection,
        document: &DocumentId,
    ) -> Result<(), CollectionError> {
        let (catalog, collection, document) = (self.clone(), collection.id.clone(), document.clone());
        self.to_its_end(async move {
            catalog.store().delete_document(&collection, &document).await?;
            catalog.follow(&collection).await;
            Ok(())
        })
        .await
    }

    /// Cancels what of a batch is in progress.
    pub async fn cancel_batch(
        &self,
        collection: &Collection,
        batch: &BatchId,
    ) -> Result<BatchRecord, CollectionError> {
        let (catalog, collection, batch) = (self.clone(), collection.id.clone(), batch.clone());
        self.to_its_end(async move {
            let cancelled = catalog.store().cancel_batch(&collection, &batch).await?;
            catalog.follow(&collection).await;
            Ok(cancelled)
        })
        .await
    }
}
