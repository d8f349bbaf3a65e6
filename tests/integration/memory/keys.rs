//! Keys of the server's own.

use async_trait::async_trait;
use lastro::store::*;
use lastro::system::now;

use super::MemoryStore;
use super::state::{Key, State};

#[async_trait]
impl Keys for MemoryStore {
    async fn create_key(&self, new: NewKey) -> Result<KeyRecord> {
        self.write(|state| state.create_key(new))
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>> {
        self.read(|state| Ok(state.keys.iter().map(|key| key.record.clone()).collect()))
    }

    async fn revoke_key(&self, id: &str) -> Result<()> {
        self.write(|state| {
            let changed = state.raise_catalog();
            let key = state.key_in_force(id)?;
            (key.record.revoked_at, key.changed) = (Some(now()), changed);
            Ok(())
        })
    }

    async fn grant(&self, key: &str, collections: &[CollectionId]) -> Result<KeyRecord> {
        self.write(|state| {
            let changed = state.raise_catalog();
            collections.iter().try_for_each(|id| state.collection(id).map(drop))?;
            let key = state.key_in_force(key)?;
            key.changed = changed;
            let granted = &mut key.record.collections;
            granted.extend_from_slice(collections);
            granted.sort();
            granted.dedup();
            Ok(key.record.clone())
        })
    }
}

impl State {
    fn key_in_force(&mut self, id: &str) -> Result<&mut Key> {
        let found = self.keys.iter_mut().find(|key| key.record.id == id && key.record.revoked_at.is_none());
        found.ok_or(StoreError::NotFound("key"))
    }

    fn create_key(&mut self, new: NewKey) -> Result<KeyRecord> {
        let mut in_force = self.keys.iter().filter(|key| key.record.revoked_at.is_none());
        if in_force.any(|key| key.record.name == new.name) {
            return Err(StoreError::KeyNameTaken(new.name));
        }
        for id in new.collections.iter().chain(&new.default_collection) {
            self.collection(id)?;
        }
        let record = KeyRecord {
            id: new.id,
            name: new.name,
            hash: new.hash,
            scopes: new.scopes,
            all_collections: new.all_collections,
            collections: new.collections,
            default_collection: new.default_collection,
            limits: new.limits,
            created_at: now(),
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let changed = self.raise_catalog();
        self.keys.push(Key { record: record.clone(), changed });
        Ok(record)
    }
}
