//! All collections of the data folder, behind the caller's [`Access`].

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Collection, CollectionError, Embedder, Settings};
use crate::access::Access;
use crate::index::LexicalIndex;
use crate::store::{
    CollectionId, CollectionUpdate, DocumentId, DocumentRecord, NewCollection, Origin, Store, StoreError,
};

/// The collections. Searching and changing them goes through here.
pub struct Catalog {
    store: Arc<dyn Store>,
    embedder: Arc<dyn Embedder>,
    indexes: PathBuf,
    open: Arc<RwLock<BTreeMap<CollectionId, Arc<Collection>>>>,
    /// One at a time creates or deletes: the store and what is open change together.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl Catalog {
    /// Knows all collections of the store. Their indexes are opened by [`Self::sync_all`] or at first use.
    pub async fn open(
        store: Arc<dyn Store>,
        embedder: Arc<dyn Embedder>,
        indexes: PathBuf,
    ) -> Result<Self, CollectionError> {
        let mut open = BTreeMap::new();
        for record in store.collections().await? {
            open.insert(record.id.clone(), Arc::new(Collection::new(&record, &indexes)?));
        }
        Ok(Self { store, embedder, indexes, open: Arc::new(RwLock::new(open)), changing: Arc::default() })
    }

    /// The store behind it.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(super) fn embedder(&self) -> &Arc<dyn Embedder> {
        &self.embedder
    }

    /// What this caller sees, oldest first.
    pub fn list(&self, access: &Access) -> Vec<Arc<Collection>> {
        let mut seen: Vec<_> = self.open.read().values().filter(|c| access.sees(&c.id.0)).cloned().collect();
        seen.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        seen
    }

    /// A collection by id or name. Unknown and forbidden are the same.
    pub fn find(&self, access: &Access, id_or_name: &str) -> Result<Arc<Collection>, CollectionError> {
        let open = self.open.read();
        let found = open
            .get(&CollectionId(id_or_name.to_owned()))
            .or_else(|| open.values().find(|c| c.name == id_or_name))
            .filter(|c| access.sees(&c.id.0));
        found.cloned().ok_or_else(|| CollectionError::Unknown(id_or_name.to_owned()))
    }

    /// Adds a collection.
    pub async fn create(
        &self,
        access: &Access,
        name: &str,
        origin: Origin,
        settings: &Settings,
    ) -> Result<Arc<Collection>, CollectionError> {
        if !access.may_create() {
            return Err(CollectionError::Forbidden("create collections"));
        }
        if !is_name(name) {
            return Err(CollectionError::BadName(name.to_owned()));
        }
        let new = NewCollection {
            name: name.to_owned(),
            origin,
            language: settings.language.clone(),
            settings: settings.to_json()?,
        };
        let (store, open, changing) = (self.store.clone(), self.open.clone(), self.changing.clone());
        let (indexes, access) = (self.indexes.clone(), access.clone());
        to_its_end(async move {
            let _one_at_a_time = changing.lock().await;
            let record = store.create_collection(new).await?;
            let collection = Arc::new(Collection::new(&record, &indexes)?);
            // Before anybody can find it.
            access.granted(&record.id.0);
            open.write().insert(record.id, collection.clone());
            Ok(collection)
        })
        .await
    }

    /// The collection of that name, made where it is missing.
    pub async fn find_or_create(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Arc<Collection>, CollectionError> {
        match self.find(access, name) {
            Err(CollectionError::Unknown(_)) => {}
            found => return found,
        }
        match self.create(access, name, Origin::Api, &Settings::default()).await {
            // Somebody else was first.
            Err(CollectionError::Store(StoreError::NameTaken(_))) => self.find(access, name),
            made => made,
        }
    }

    /// Replaces a collection's settings, and its language where they name one.
    pub async fn configure(
        &self,
        collection: &Collection,
        settings: &Settings,
    ) -> Result<(), CollectionError> {
        let update =
            CollectionUpdate { language: settings.language.clone(), settings: Some(settings.to_json()?) };
        self.store.update_collection(&collection.id, update).await?;
        self.sync(collection).await
    }

    /// Notes the language that was detected, if none is known.
    pub async fn note_language(
        &self,
        collection: &Collection,
        language: &str,
    ) -> Result<(), CollectionError> {
        if collection.language().is_some() {
            return Ok(());
        }
        let update = CollectionUpdate { language: Some(language.to_owned()), settings: None };
        Ok(self.store.update_collection(&collection.id, update).await?)
    }

    /// Removes a collection: from the store, then its indexes.
    pub async fn delete(&self, collection: &Arc<Collection>) -> Result<(), CollectionError> {
        let (store, open, changing) = (self.store.clone(), self.open.clone(), self.changing.clone());
        let (collection, folder) = (collection.clone(), self.indexes.join(&collection.id.0));
        to_its_end(async move {
            let _one_at_a_time = changing.lock().await;
            store.delete_collection(&collection.id).await?;
            open.write().remove(&collection.id);
            collection.discard_lexical().await?;
            super::open::blocking(move || LexicalIndex::remove(&folder)).await
        })
        .await
    }

    /// A document of a collection, by id, or else by its name where only one has it.
    pub async fn document(
        &self,
        collection: &Collection,
        id_or_name: &str,
    ) -> Result<DocumentRecord, CollectionError> {
        match self.store.document(&collection.id, &DocumentId(id_or_name.to_owned())).await {
            Err(StoreError::NotFound("document")) => {}
            found => return Ok(found?),
        }
        let documents = self.store.documents(&collection.id).await?;
        let mut named = documents.into_iter().filter(|d| d.filename == id_or_name);
        match (named.next(), named.next()) {
            (Some(document), None) => Ok(document),
            _ => Err(StoreError::NotFound("document").into()),
        }
    }

    /// Removes a document: it is found no more when this returns.
    pub async fn delete_document(
        &self,
        collection: &Collection,
        document: &DocumentId,
    ) -> Result<(), CollectionError> {
        self.store.delete_document(&collection.id, document).await?;
        self.sync(collection).await
    }

    /// Brings a collection's indexes up to the store. A damaged index is rebuilt.
    pub async fn sync(&self, collection: &Collection) -> Result<(), CollectionError> {
        let model = self.embedder.model();
        match collection.sync(&*self.store, model.clone()).await {
            Err(CollectionError::Index(error)) => {
                tracing::warn!(%error, collection = collection.name, "index is rebuilt");
                collection.discard_lexical().await?;
                collection.sync(&*self.store, model).await
            }
            // Deleted while it was on its way here.
            Err(CollectionError::Store(StoreError::NotFound(_))) => Ok(()),
            done => done,
        }
    }

    /// Brings all collections up to the store; one that fails is logged and does not stop the rest.
    pub async fn sync_all(&self) {
        let all: Vec<_> = self.open.read().values().cloned().collect();
        for collection in all {
            if let Err(error) = self.sync(&collection).await {
                tracing::error!(%error, collection = collection.name, "collection could not be indexed");
            }
        }
    }

    /// The open collection of this id.
    pub fn by_id(&self, id: &CollectionId) -> Option<Arc<Collection>> {
        self.open.read().get(id).cloned()
    }
}

/// Runs steps that belong together even if whoever asked for them leaves half-way.
async fn to_its_end<T: Send + 'static>(
    steps: impl Future<Output = Result<T, CollectionError>> + Send + 'static,
) -> Result<T, CollectionError> {
    tokio::spawn(steps).await.map_err(|e| CollectionError::Worker(e.to_string()))?
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && !name.starts_with("vs_")
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_safe_in_paths_headers_and_model_names() {
        for good in ["a", "handbook", "lei-13.709_2018", "9"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "vs_1", ".", "..", "-a", "a b", "a/b", "a,b", "a@b", "ação", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
