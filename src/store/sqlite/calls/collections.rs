//! Calls of [`Collections`].

use async_trait::async_trait;

use crate::store::sqlite::upkeep::CHUNKS_AT_ONCE;
use crate::store::sqlite::{SqliteStore, catalog, collections, jobs, removal};
use crate::store::*;

#[async_trait]
impl Collections for SqliteStore {
    async fn create_collection(&self, new: NewCollection) -> Result<CollectionRecord> {
        self.write(move |t, _| collections::create(t, &new)).await
    }

    async fn collections(&self) -> Result<Vec<CollectionRecord>> {
        self.read(collections::all).await
    }

    async fn collection(&self, id: &CollectionId) -> Result<CollectionRecord> {
        let id = id.clone();
        self.read(move |t| collections::one(t, &id)).await
    }

    async fn departed_collection(&self, id: &CollectionId, key: Option<&str>) -> Result<Option<i64>> {
        let (id, key) = (id.clone(), key.map(str::to_owned));
        self.read(move |t| collections::departed(t, &id, key.as_deref())).await
    }

    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()> {
        let id = id.clone();
        self.write(move |t, _| {
            // Where it was not cleared yet, what is left goes on.
            if collections::update(t, &id, &update)? { jobs::resume(t, &id) } else { Ok(()) }
        })
        .await
    }

    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()> {
        self.write(move |t, _| collections::touch(t, &used)).await
    }

    async fn delete_collection(&self, id: &CollectionId) -> Result<()> {
        let doomed = id.clone();
        self.remove(move |t, _| removal::doom(t, &doomed)).await
    }

    async fn clear_collection(&self, id: &CollectionId) -> Result<()> {
        loop {
            let id = id.clone();
            if !self.remove(move |t, _| removal::clear_some(t, &id, CHUNKS_AT_ONCE)).await? {
                return Ok(());
            }
        }
    }

    async fn unfinished_collections(&self) -> Result<Vec<CollectionId>> {
        self.read(collections::unfinished).await
    }

    async fn expire_collection(&self, id: &CollectionId) -> Result<()> {
        let expired = id.clone();
        self.remove(move |t, _| removal::expire(t, &expired)).await?;
        self.clear_collection(id).await
    }

    async fn catalog_changes(&self, since: CatalogRevision) -> Result<CatalogChanges> {
        self.read(move |t| catalog::changes(t, since)).await
    }
}
