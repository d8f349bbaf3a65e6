//! Collections, and what happened to them and to keys.

use async_trait::async_trait;
use lastro::store::*;
use lastro::system::now;

use super::MemoryStore;
use super::state::{Collection, Departed, List, State};

#[async_trait]
impl Collections for MemoryStore {
    async fn create_collection(&self, new: NewCollection) -> Result<CollectionRecord> {
        self.write(|state| state.create_collection(new))
    }

    async fn collections(&self) -> Result<Vec<CollectionRecord>> {
        self.read(|state| Ok(state.collections.iter().map(|collection| collection.record.clone()).collect()))
    }

    async fn collection(&self, id: &CollectionId) -> Result<CollectionRecord> {
        self.read(|state| state.collection(id).cloned())
    }

    async fn departed_collection(&self, id: &CollectionId, key: Option<&str>) -> Result<Option<i64>> {
        let viewer = key.map(str::to_owned);
        self.read(|state| Ok(state.departed_place(&List::Collections, &id.0, &[viewer])))
    }

    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()> {
        self.write(|state| state.update_collection(id, update))
    }

    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()> {
        self.write(|state| {
            for (id, at) in used {
                if let Ok(collection) = state.collection_mut(&id) {
                    collection.record.last_active_at = collection.record.last_active_at.max(at);
                }
            }
            Ok(())
        })
    }

    async fn delete_collection(&self, id: &CollectionId) -> Result<()> {
        self.write(|state| state.delete_collection(id))
    }

    /// Nothing is left to be cleared: a removal takes all of it at once.
    async fn clear_collection(&self, _id: &CollectionId) -> Result<()> {
        Ok(())
    }

    async fn unfinished_collections(&self) -> Result<Vec<CollectionId>> {
        Ok(Vec::new())
    }

    async fn expire_collection(&self, id: &CollectionId) -> Result<()> {
        self.write(|state| {
            let changed = state.raise_catalog();
            let Ok(collection) = state.collection_mut(id) else { return Ok(()) };
            (collection.record.expired, collection.changed) = (true, changed);
            let keys: Vec<DocumentKey> = state.documents_in(id).map(|document| document.key).collect();
            keys.into_iter().try_for_each(|key| state.remove_document(key))
        })
    }

    async fn catalog_changes(&self, since: CatalogRevision) -> Result<CatalogChanges> {
        self.read(|state| Ok(state.catalog_changes(since)))
    }
}

impl State {
    fn create_collection(&mut self, new: NewCollection) -> Result<CollectionRecord> {
        let changed = self.raise_catalog();
        let record = CollectionRecord {
            id: CollectionId(super::state::fresh_id("vs_")?),
            name: new.name,
            origin: new.origin,
            language: new.language,
            settings: new.settings,
            description: new.description,
            metadata: new.metadata,
            expires_days: new.expires_days,
            last_active_at: now(),
            expired: false,
            owner: new.owner,
            number: self.next_number(),
            created_at: now(),
            revision: 0,
            removals_since: 0,
        };
        // A key that was made for this process alone is not kept, and needs no grant.
        let owner = self.keys.iter_mut().find(|key| record.owner.as_ref() == Some(&key.record.id));
        if let Some(owner) = owner {
            owner.record.collections.push(record.id.clone());
            owner.changed = changed;
        }
        self.collections.push(Collection { record: record.clone(), changed });
        Ok(record)
    }

    fn update_collection(&mut self, id: &CollectionId, update: CollectionUpdate) -> Result<()> {
        let changed = self.raise_catalog();
        let collection = self.collection_mut(id)?;
        collection.changed = changed;
        let record = &mut collection.record;
        record.name = update.name.unwrap_or_else(|| record.name.clone());
        record.language = update.language.or_else(|| record.language.clone());
        record.settings = update.settings.unwrap_or_else(|| record.settings.clone());
        record.metadata = update.metadata.unwrap_or_else(|| record.metadata.clone());
        if let Some(days) = update.expires_days {
            (record.expires_days, record.expired) = (days, false);
            record.last_active_at = record.last_active_at.max(now());
        }
        Ok(())
    }

    /// A collection goes with all that it holds, at once, and no index is told: none follows a collection that is gone.
    fn delete_collection(&mut self, id: &CollectionId) -> Result<()> {
        let (changed, place) = (self.raise_catalog(), self.collection(id)?.number);
        let departed = |viewer| Departed { list: List::Collections, id: id.0.clone(), viewer, place };
        self.departed.push(departed(None));
        for key in &mut self.keys {
            let granted = key.record.collections.len();
            key.record.collections.retain(|granted| granted != id);
            if key.record.collections.len() < granted {
                self.departed.push(departed(Some(key.record.id.clone())));
                key.changed = changed;
            }
            if key.record.default_collection.as_ref() == Some(id) {
                (key.record.default_collection, key.changed) = (None, changed);
            }
        }
        self.removed_collections.push((changed, id.clone()));
        let keys: Vec<DocumentKey> = self.documents_in(id).map(|document| document.key).collect();
        keys.into_iter().try_for_each(|key| self.remove_document(key))?;
        self.collections.retain(|collection| collection.record.id != *id);
        self.batches.retain(|batch| batch.collection != *id);
        self.removals.retain(|removal| removal.collection != *id);
        self.departed.retain(|departed| departed.list != List::DocumentsOf(id.clone()));
        Ok(())
    }

    fn catalog_changes(&self, since: CatalogRevision) -> CatalogChanges {
        let anew = since == 0 || since > self.catalog;
        let is_new = |changed: CatalogRevision| anew || changed > since;
        let collections = self.collections.iter().filter(|collection| is_new(collection.changed));
        let removed = self.removed_collections.iter().filter(|(changed, _)| !anew && *changed > since);
        let keys = self.keys.iter().filter(|key| is_new(key.changed));
        CatalogChanges {
            revision: self.catalog,
            anew,
            collections: collections.map(|collection| collection.record.clone()).collect(),
            removed_collections: removed.map(|(_, id)| id.clone()).collect(),
            keys: keys.map(|key| key.record.clone()).collect(),
        }
    }
}
