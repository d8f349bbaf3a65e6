//! All collections of the data folder, behind the caller's [`Access`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::RwLock;

use super::known::Known;
use super::lag::Lag;
use super::opened::{Bounds, Opened};
use super::reranker::Reranker;
use super::runs::UnderWay;
use super::{Collection, CollectionError, Settings, is_handle};
use crate::access::{Access, Keys};
use crate::embed::Embeddings;
use crate::store::{
    CollectionId, CollectionRecord, CollectionUpdate, NewCollection, Origin, Store, StoreError,
};

/// A collection to be made.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// Any text.
    pub name: String,
    pub of_folder: bool,
    pub settings: Settings,
    pub description: Option<String>,
    /// JSON object of the client's own.
    pub metadata: Option<String>,
    /// Days without use after which its documents are removed.
    pub expires_days: Option<u32>,
}

/// What clients may change of a collection; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub expires_days: Option<Option<u32>>,
}

/// The collections. Searching and changing them goes through here. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(super) store: Arc<dyn Store>,
    /// Where there is none, words alone find.
    pub(super) embeddings: Option<Embeddings>,
    reranker: Option<Arc<dyn Reranker>>,
    /// Told of collections that are gone.
    keys: Arc<Keys>,
    pub(super) indexes: Arc<Path>,
    pub(super) known: Arc<RwLock<Known>>,
    /// Those of them that have an open index.
    pub(super) opened: Arc<Opened>,
    /// One at a time compares an index with its checksums.
    pub(super) checking: Arc<tokio::sync::Mutex<()>>,
    /// Whether all that the last process left was brought up.
    pub(super) mended: Arc<AtomicBool>,
    /// Whether vectors of many collections are computed.
    pub(super) refilling: Arc<AtomicBool>,
    /// One at a time creates or deletes: the store and what is open change together.
    changing: Arc<tokio::sync::Mutex<()>>,
    pub(super) under_way: UnderWay,
    pub(super) lag: Arc<Lag>,
}

impl Catalog {
    /// Knows all collections of the store. Their indexes are opened by [`Self::open_recent`] or at first use.
    pub async fn open(
        store: Arc<dyn Store>,
        embeddings: Option<Embeddings>,
        keys: Arc<Keys>,
        indexes: PathBuf,
        bounds: Bounds,
    ) -> Result<Self, CollectionError> {
        let mut known = Known::default();
        for record in store.collections().await? {
            known.add(Arc::new(Collection::new(&record, &indexes)?));
        }
        let (known, changing) = (Arc::new(RwLock::new(known)), Arc::default());
        Ok(Self {
            store,
            embeddings,
            reranker: None,
            keys,
            indexes: indexes.into(),
            known,
            opened: Arc::new(Opened::new(bounds)),
            checking: Arc::default(),
            mended: Arc::default(),
            refilling: Arc::default(),
            changing,
            under_way: UnderWay::default(),
            lag: Arc::default(),
        })
    }

    /// The store behind it.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The same with a reranker.
    pub fn with_reranker(self, reranker: Arc<dyn Reranker>) -> Self {
        Self { reranker: Some(reranker), ..self }
    }

    pub(super) fn reranker(&self) -> Option<&dyn Reranker> {
        self.reranker.as_deref()
    }

    pub(super) fn embeddings(&self) -> Option<&Embeddings> {
        self.embeddings.as_ref()
    }

    /// What this caller sees, oldest first.
    pub fn list(&self, access: &Access) -> Vec<Arc<Collection>> {
        self.known.read().all().filter(|c| access.sees(&c.id.0)).cloned().collect()
    }

    /// The number of a collection that this caller saw and that was removed within the last days.
    pub async fn departed(&self, access: &Access, id: &str) -> Result<Option<i64>, CollectionError> {
        let key = if access.sees_all() { None } else { access.owner() };
        Ok(self.store.departed_collection(&CollectionId(id.to_owned()), key).await?)
    }

    /// A collection by id or name. Unknown and forbidden are the same. Of several with one name it is the caller's own,
    /// or else the folder's, so that nobody else's naming changes what a name means; otherwise it is not clear.
    pub fn find(&self, access: &Access, id_or_name: &str) -> Result<Arc<Collection>, CollectionError> {
        let known = self.known.read();
        let seen = |c: &&Arc<Collection>| access.sees(&c.id.0);
        if let Some(found) = known.get(&CollectionId(id_or_name.to_owned())).filter(seen) {
            return Ok(found.clone());
        }
        let named: Vec<_> = known.named(id_or_name).filter(seen).collect();
        if named.is_empty() {
            return Err(CollectionError::Unknown(id_or_name.to_owned()));
        }
        let only = |choose: &dyn Fn(&Collection) -> bool| {
            let mut chosen = named.iter().filter(|c| choose(c));
            let first = chosen.next()?;
            chosen.next().is_none().then(|| Arc::clone(first))
        };
        let own = |c: &Collection| access.owner().is_some() && c.owner.as_deref() == access.owner();
        let found = only(&|_| true).or_else(|| only(&own)).or_else(|| only(&|c| c.origin == Origin::Folder));
        found.ok_or_else(|| CollectionError::Ambiguous {
            name: id_or_name.to_owned(),
            ids: named.iter().map(|c| c.id.0.clone()).collect(),
        })
    }

    /// What this caller calls its collections: each by its name where that means it, and by its id otherwise.
    pub fn labels(&self, access: &Access) -> Vec<String> {
        let seen = self.list(access);
        let mut times: HashMap<String, usize> = HashMap::new();
        for collection in &seen {
            *times.entry(collection.label()).or_default() += 1;
        }
        let label = |collection: &Arc<Collection>| {
            let label = collection.label();
            let is_clear = times.get(&label) == Some(&1)
                || self.find(access, &label).is_ok_and(|found| found.id == collection.id);
            if is_clear { label } else { collection.id.0.clone() }
        };
        seen.iter().map(label).collect()
    }

    /// The same as [`Self::find`] for using it: one whose time is over is an error, and the use is noted.
    pub fn find_to_use(&self, access: &Access, id_or_name: &str) -> Result<Arc<Collection>, CollectionError> {
        let collection = self.find(access, id_or_name)?;
        if collection.is_expired() {
            return Err(CollectionError::Expired(collection.label()));
        }
        collection.touch();
        Ok(collection)
    }

    /// The collection that is kept equal to a folder of this name.
    pub fn of_folder(&self, name: &str) -> Option<Arc<Collection>> {
        self.known.read().named(name).find(|c| c.origin == Origin::Folder).cloned()
    }

    /// Adds a collection.
    pub async fn create(&self, access: &Access, new: New) -> Result<Arc<Collection>, CollectionError> {
        let changing = self.changing.clone();
        let _one_at_a_time = changing.lock().await;
        self.add(access, new).await
    }

    /// The collection of that name, made where it is missing.
    pub async fn find_or_create(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Arc<Collection>, CollectionError> {
        let changing = self.changing.clone();
        let _one_at_a_time = changing.lock().await;
        match self.find(access, name) {
            Err(CollectionError::Unknown(_)) if !is_handle(name) => {
                Err(CollectionError::BadName(name.to_owned()))
            }
            Err(CollectionError::Unknown(_)) => {
                self.add(access, New { name: name.to_owned(), ..New::default() }).await
            }
            found => found,
        }
    }

    async fn add(&self, access: &Access, new: New) -> Result<Arc<Collection>, CollectionError> {
        if !access.may_create() {
            return Err(CollectionError::Forbidden("create collections"));
        }
        let new = NewCollection {
            origin: if new.of_folder { Origin::Folder } else { Origin::Api },
            language: new.settings.language.clone(),
            settings: new.settings.to_json()?,
            name: new.name,
            description: new.description,
            metadata: new.metadata.unwrap_or_else(|| "{}".to_owned()),
            expires_days: new.expires_days,
            owner: access.owner().map(str::to_owned),
        };
        let (store, known, indexes) = (self.store.clone(), self.known.clone(), self.indexes.clone());
        let access = access.clone();
        self.to_its_end(async move {
            let record = store.create_collection(new).await?;
            let collection = Arc::new(Collection::new(&record, &indexes)?);
            // Before anybody can find it.
            access.granted(&record.id.0);
            known.write().add(collection.clone());
            Ok(collection)
        })
        .await
    }

    /// Changes what clients may change of a collection.
    pub async fn change(&self, collection: &Collection, change: Change) -> Result<(), CollectionError> {
        collection.touch();
        let update = CollectionUpdate {
            name: change.name,
            metadata: change.metadata,
            expires_days: change.expires_days,
            ..CollectionUpdate::default()
        };
        self.store.update_collection(&collection.id, update).await?;
        self.refresh(collection).await?;
        Ok(())
    }

    /// Takes over what the store says of a collection now. One at a time does this: what was read first does not take the
    /// place of what was read later.
    pub(super) async fn refresh(&self, collection: &Collection) -> Result<CollectionRecord, CollectionError> {
        let _one_at_a_time = collection.describing.lock().await;
        let record = self.store.collection(&collection.id).await?;
        if collection.name_is(&record.name) {
            collection.describe(&record)?;
        } else {
            self.known.write().describe(collection, &record)?;
        }
        Ok(record)
    }

    /// Replaces a collection's settings, and its language where they name one.
    pub async fn configure(
        &self,
        collection: &Collection,
        settings: &Settings,
    ) -> Result<(), CollectionError> {
        let update = CollectionUpdate {
            language: settings.language.clone(),
            settings: Some(settings.to_json()?),
            ..CollectionUpdate::default()
        };
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
        let update = CollectionUpdate { language: Some(language.to_owned()), ..CollectionUpdate::default() };
        Ok(self.store.update_collection(&collection.id, update).await?)
    }

    /// Removes a collection: from the store and the keys, then its indexes.
    pub async fn delete(&self, collection: &Arc<Collection>) -> Result<(), CollectionError> {
        let (store, known, changing) = (self.store.clone(), self.known.clone(), self.changing.clone());
        let (keys, opened) = (self.keys.clone(), self.opened.clone());
        let collection = collection.clone();
        self.to_its_end(async move {
            {
                let _one_at_a_time = changing.lock().await;
                store.delete_collection(&collection.id).await?;
                // First: a default that nobody finds is taken for an error.
                keys.forget(&collection.id.0);
                known.write().remove(&collection.id);
            }
            // It is gone, and stays so. What it held goes while others are made.
            if let Err(error) = store.clear_collection(&collection.id).await {
                tracing::warn!(%error, "what a deleted collection held stays until the next try");
            }
            if let Err(error) = collection.indexes.discard().await {
                tracing::warn!(%error, "the index of a deleted collection stays until the next start");
            }
            opened.forget(&collection);
            Ok(())
        })
        .await
    }

    /// Brings the indexes up to a change that is committed already, and stands whatever becomes of them: what they
    /// still name is not read back, and [`Self::catch_up`] brings them up.
    pub async fn follow(&self, collection: &CollectionId) {
        let Some(collection) = self.by_id(collection) else { return };
        if let Err(error) = self.sync(&collection).await {
            tracing::warn!(%error, collection = collection.label(), "the indexes lag behind for now");
        }
    }

    /// Writes down when collections were used.
    pub async fn write_uses(&self) -> Result<(), CollectionError> {
        let all: Vec<_> = self.known.read().all().cloned().collect();
        let used: Vec<_> = all.iter().filter_map(|c| Some((c.id.clone(), c.take_use()?))).collect();
        if used.is_empty() {
            return Ok(());
        }
        Ok(self.store.touch_collections(used).await?)
    }

    /// Removes what is over its time: files, and documents of collections.
    pub async fn expire(&self) -> Result<(), CollectionError> {
        self.write_uses().await?;
        let expired = self.store.expired().await?;
        for file in &expired.files {
            match self.delete_file(file).await {
                Ok(()) => tracing::info!(file = file.0, "expired, and removed"),
                // Removed meanwhile by somebody else.
                Err(CollectionError::Store(StoreError::UnknownFile(_))) => {}
                Err(error) => tracing::error!(%error, file = file.0, "expired, and stays until the next try"),
            }
        }
        for id in &expired.collections {
            let Some(collection) = self.by_id(id) else { continue };
            let label = collection.label();
            let expired = self.store.expire_collection(id).await;
            // Also where a part of it was removed.
            self.follow(id).await;
            match expired {
                Ok(()) => tracing::info!(collection = label, "expired: its documents were removed"),
                Err(error) => {
                    tracing::error!(%error, collection = label, "expired, and stays until the next try");
                }
            }
        }
        Ok(())
    }

    /// The collection of this id.
    pub fn by_id(&self, id: &CollectionId) -> Option<Arc<Collection>> {
        self.known.read().get(id).cloned()
    }
}
