//! Calls of [`Files`].

use async_trait::async_trait;

use crate::store::sqlite::{SqliteStore, batches, files, removal};
use crate::store::*;

#[async_trait]
impl Files for SqliteStore {
    async fn add_file(&self, new: NewFile) -> Result<FileRecord> {
        self.write_bytes(new.blob.sha256.clone(), move |t, blobs| files::add(t, blobs, new)).await
    }

    async fn file(&self, sight: &Sight, id: &FileId) -> Result<FileRecord> {
        let (sight, id) = (sight.clone(), id.clone());
        self.read(move |t| files::one(t, &sight, &id)).await
    }

    async fn files(&self, sight: &Sight, purpose: Option<&str>, page: Page) -> Result<Paged<FileRecord>> {
        let (sight, purpose) = (sight.clone(), purpose.map(str::to_owned));
        self.read(move |t| files::page(t, &sight, purpose.as_deref(), &page)).await
    }

    async fn delete_file(&self, id: &FileId) -> Result<Vec<CollectionId>> {
        let id = id.clone();
        self.remove(move |t, _| removal::delete_file(t, &id)).await
    }

    async fn attach(&self, new: NewAttachments) -> Result<Attached> {
        self.write(move |t, _| batches::attach(t, &new)).await
    }

    async fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.read(move |t| batches::one(t, &collection, &id)).await
    }

    async fn cancel_batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.remove(move |t, _| batches::cancel(t, &collection, &id)).await
    }
}
