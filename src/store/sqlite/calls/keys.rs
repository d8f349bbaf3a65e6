//! Calls of [`Keys`].

use async_trait::async_trait;

use crate::store::sqlite::{SqliteStore, keys};
use crate::store::*;

#[async_trait]
impl Keys for SqliteStore {
    async fn create_key(&self, new: NewKey) -> Result<KeyRecord> {
        self.write(move |t, _| keys::create(t, &new)).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>> {
        self.read(keys::all).await
    }

    async fn revoke_key(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |t, _| keys::revoke(t, &id)).await
    }

    async fn grant(&self, key: &str, collections: &[CollectionId]) -> Result<KeyRecord> {
        let (key, collections) = (key.to_owned(), collections.to_vec());
        self.write(move |t, _| keys::grant(t, &key, &collections)).await
    }
}
