//! The collections that there are, by id, by name and in the order of their creation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Collection, CollectionError};
use crate::store::{CollectionId, CollectionRecord};

/// All collections.
#[derive(Default)]
pub(super) struct Known {
    by_id: HashMap<CollectionId, Arc<Collection>>,
    by_number: BTreeMap<i64, Arc<Collection>>,
    /// Those of each name, oldest first.
    by_name: HashMap<String, BTreeMap<i64, Arc<Collection>>>,
}

impl Known {
    /// Takes in a collection.
    pub fn add(&mut self, collection: Arc<Collection>) {
        self.name(collection.clone());
        self.by_number.insert(collection.number, collection.clone());
        self.by_id.insert(collection.id.clone(), collection);
    }

    /// Forgets a collection.
    pub fn remove(&mut self, id: &CollectionId) {
        if let Some(collection) = self.by_id.remove(id) {
            self.unname(&collection);
            self.by_number.remove(&collection.number);
        }
    }

    /// The collection of an id.
    pub fn get(&self, id: &CollectionId) -> Option<&Arc<Collection>> {
        self.by_id.get(id)
    }

    /// Those of a name, oldest first.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_name.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// All, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_number.values()
    }

    /// Takes over what the store says of a collection, which may be another name.
    pub fn describe(
        &mut self,
        collection: &Collection,
        record: &CollectionRecord,
    ) -> Result<(), CollectionError> {
        let known = self.by_id.get(&collection.id).cloned();
        if let Some(known) = &known {
            self.unname(known);
        }
        let described = collection.describe(record);
        known.into_iter().for_each(|known| self.name(known));
        described
    }

    fn name(&mut self, collection: Arc<Collection>) {
        self.by_name.entry(collection.name()).or_default().insert(collection.number, collection);
    }

    fn unname(&mut self, collection: &Collection) {
        let name = collection.name();
        if let Some(named) = self.by_name.get_mut(&name) {
            named.remove(&collection.number);
            if named.is_empty() {
                self.by_name.remove(&name);
            }
        }
    }
}
