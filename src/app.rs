//! The components, opened and joined.

mod housekeeping;
mod keys;
mod reranking;
mod standing;
mod storage;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use http::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

use crate::access::Keys;
use crate::collection::{Bounds, Catalog, CollectionError};
use crate::config::Config;
use crate::embed::Embeddings;
use crate::ingest::{self, Ingest, WhoMayHold};
use crate::openai;
use crate::prompt::Window;
use crate::rag;
use crate::selection::Models;
use crate::store::{self, DataLock, OpenError, Quota, Quotas, Store, StoreError};
use crate::tasks;
use crate::telemetry::{Telemetry, TelemetryError};
use crate::trace::Traces;
use crate::upstream::{Reranking, Upstream, UpstreamError};

pub use keys::{Exposed, KeyError, ListedKey, Wanted, scopes};

/// Traces kept, their bytes, and for how long.
const TRACES: (usize, usize, Duration) = (1_000, 32 << 20, Duration::from_secs(3_600));

/// The model is loaded once the words can be searched, or after this time.
const HEAD_START: Duration = Duration::from_millis(100);

/// The LLM server is asked for its models at the start, and this is how long its answer may take without a warning.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// How often uses are written down, and what is over its time is removed.
const EXPIRY: Duration = Duration::from_secs(60);

/// Least time between two passes that remove words of deleted documents from the indexes' files.
const PURGE: Duration = Duration::from_secs(10);

/// Everything that requests need.
pub struct App {
    pub config: Config,
    pub catalog: Arc<Catalog>,
    pub ingest: Arc<Ingest>,
    pub upstream: Arc<Upstream>,
    pub traces: Traces,
    pub embeddings: Option<Embeddings>,
    reranking: Option<Arc<Reranking>>,
    /// What operators see.
    pub telemetry: Arc<Telemetry>,
    /// Who may do what.
    pub keys: Arc<Keys>,
    /// Room for bodies of requests that are held whole, in KiB.
    pub bodies: Arc<Semaphore>,
    /// One at a time makes, grants or revokes: the store and the registry change together.
    changing_keys: tokio::sync::Mutex<()>,
    store: Arc<dyn Store>,
    storage: storage::StorageCheck,
    looked: Mutex<Option<standing::Looked>>,
    lock: Mutex<DataLock>,
    opened: SystemTime,
}

/// Why the app could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Collection(#[from] CollectionError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
}

impl App {
    /// Opens the data folder, with everything in it. Nothing is worked on yet, and the embedding model is not loaded.
    pub async fn open(config: Config) -> Result<Arc<Self>, AppError> {
        Self::open_with(config, |data| Ok(Arc::new(store::SqliteStore::open(data)?))).await
    }

    /// Opens the data folder with another store, which is opened once the folder is this process's alone.
    pub async fn open_with<F>(config: Config, open_store: F) -> Result<Arc<Self>, AppError>
    where
        F: FnOnce(&Path) -> Result<Arc<dyn Store>, OpenError> + Send + 'static,
    {
        let opened = SystemTime::now();
        let telemetry = Telemetry::start(&config.telemetry)?;
        let embeddings = config.embedding.as_ref().map(|e| Embeddings::prepare(e.folder.clone(), e.device));
        let data = config.data.clone();
        let open = move || Ok::<_, OpenError>((DataLock::take(&data)?, open_store(&data)?));
        let (lock, store) = tasks::blocking(open).await?;
        let keys = Arc::new(keys::open(store.as_ref(), &config.keys).await?);
        let indexes = config.data.join("indexes");
        let bounds = Bounds::of_system(config.open_collections, config.close_collections_after);
        let mut catalog =
            Catalog::open(store.clone(), embeddings.clone(), keys.clone(), indexes, bounds).await?;
        let reranking = config.rerank.clone().map(Reranking::new).transpose()?.map(Arc::new);
        if let Some(reranking) = &reranking {
            catalog = catalog.with_reranker(reranking.clone());
        }
        let catalog = Arc::new(catalog);
        let upstream = Arc::new(Upstream::new(&config.upstream, openai::read_models)?);
        let quotas = Arc::new(Holders { keys: keys.clone(), collection: config.collection_quota });
        let ingest = Ingest::new(
            catalog.clone(),
            embeddings.clone(),
            config.ingest.clone(),
            quotas,
            rag::whole_tokens,
        );
        Ok(Arc::new(Self {
            ingest: Arc::new(ingest),
            traces: Traces::new(TRACES.0, TRACES.1, TRACES.2),
            bodies: Arc::new(Semaphore::new(config.server.max_bodies >> 10)),
            config,
            catalog,
            upstream,
            embeddings,
            reranking,
            telemetry,
            keys,
            changing_keys: tokio::sync::Mutex::default(),
            store,
            storage: storage::StorageCheck::default(),
            looked: Mutex::default(),
            lock: Mutex::new(lock),
            opened,
        }))
    }

    /// What goes on beside requests, until dropped: opening indexes, the embedding model, syncing the folder, ingestion.
    pub async fn work(self: Arc<Self>) {
        let models = async {
            match self.upstream.models(None, Instant::now() + FIRST_WAIT).await {
                Ok(_) => {}
                Err(error) if error.is_refusal() => tracing::warn!(
                    %error,
                    "windows are learnt with the keys that clients send, or set --upstream-key or --window"
                ),
                Err(error) => {
                    tracing::warn!(%error, "search works, chats will fail until the LLM server answers");
                }
            }
        };
        let folder = async {
            if let Some(root) = &self.config.collections {
                self.sync_folder(root).await;
            }
        };
        let lagging = self.catalog.catch_up(&self.config.ingest.pauses);
        tokio::join!(
            self.open_indexes(),
            self.ingest.clone().run(),
            folder,
            models,
            self.expire(),
            self.keep_house(),
            self.purge(),
            lagging,
            self.catalog.close_idle()
        );
    }

    /// Words first: the first questions are answered by them. The model takes a core while it is loaded, so it waits for
    /// them; not for long, since an index that has to be rebuilt takes its time. What the last process left comes last.
    async fn open_indexes(&self) {
        let mut words = pin!(self.catalog.open_recent());
        let opened = tokio::time::timeout(HEAD_START, words.as_mut()).await;
        if let Some(embeddings) = &self.embeddings {
            embeddings.load();
        }
        if opened.is_err() {
            words.await;
        }
        self.catalog.mend().await;
    }

    async fn expire(&self) {
        let mut now_and_then = tokio::time::interval(EXPIRY);
        now_and_then.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            now_and_then.tick().await;
            if let Err(error) = self.catalog.expire().await {
                tracing::error!(%error, "what is over its time stays until the next try");
            }
        }
    }

    /// Removes words of deleted documents from the indexes' files. Many deletions are followed by one pass, and passes take
    /// a small share of the time.
    async fn purge(&self) {
        let mut pause = PURGE;
        loop {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            self.catalog.purge().await;
            pause = PURGE.max(began.elapsed() * 10);
        }
    }

    /// Writes down what is only in memory. The last call.
    pub async fn close(&self) {
        if let Err(error) = self.catalog.write_uses().await {
            tracing::warn!(%error, "when collections were last used was not written down");
        }
        self.catalog.close().await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the database keeps its log, which the next start reads");
        }
        let telemetry = self.telemetry.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || telemetry.finish()).await {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }

    async fn sync_folder(&self, root: &Path) {
        match ingest::sync_folder(&self.catalog, &self.ingest, root).await {
            Ok(synced) => tracing::info!(
                added = synced.added,
                removed = synced.removed,
                kept = synced.kept,
                retried = synced.retried,
                folder = %root.display(),
                "collections synced"
            ),
            Err(error) => tracing::error!(%error, folder = %root.display(), "collections not synced"),
        }
    }

    /// Whether uploads could be stored now, or a moment ago; if not, why.
    pub async fn check_storage(&self) -> Result<(), String> {
        let store = self.store.clone();
        let look = || async move { store.check_writable().await.map_err(|error| error.to_string()) };
        self.storage.check(look).await
    }

    /// Tells the next process that asks for the data folder who holds it.
    pub fn describe_holder(&self, holder: &str) {
        if let Err(error) = self.lock.lock().describe(holder) {
            tracing::warn!(%error, "the data folder's lock was not described");
        }
    }

    /// Tells it that this process is about to leave the folder, and is to be waited for.
    pub fn describe_stopping(&self) {
        if let Err(error) = self.lock.lock().describe_stopping(&format!("process {}", std::process::id())) {
            tracing::warn!(%error, "the data folder's lock was not described");
        }
    }

    /// The LLM server's models as grounding needs them, for a client that sends this `Authorization` along.
    pub fn models(&self, client: Option<&HeaderValue>) -> impl Window + Models + use<> {
        UpstreamModels { upstream: self.upstream.clone(), client: client.cloned() }
    }

    /// When this process opened the data folder.
    pub fn opened(&self) -> SystemTime {
        self.opened
    }

    /// The store, for what has no access to check.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }
}

/// How much may be stored.
struct Holders {
    keys: Arc<Keys>,
    collection: Quota,
}

impl WhoMayHold for Holders {
    fn of(&self, owner: Option<&str>) -> Quotas {
        let owner = owner.map(|owner| self.keys.quota(owner)).unwrap_or_default();
        Quotas { owner, collection: self.collection }
    }
}

/// The LLM server's models: their names for the selection, and their windows for the prompt.
struct UpstreamModels {
    upstream: Arc<Upstream>,
    client: Option<HeaderValue>,
}

#[async_trait]
impl Window for UpstreamModels {
    async fn tokens(&self, model: Option<&str>, until: Instant) -> Option<u64> {
        self.upstream.window(model, self.client.as_ref(), until).await
    }

    async fn count(&self, model: Option<&str>, fields: &[(&str, &str)]) -> Option<u64> {
        self.upstream.count_tokens(model, fields, self.client.as_ref()).await
    }
}

#[async_trait]
impl Models for UpstreamModels {
    async fn has(&self, name: &str, until: Instant) -> Option<bool> {
        let models = self.upstream.models(self.client.as_ref(), until).await.ok()?;
        let listed = models.iter().any(|(id, _)| id == name);
        (listed || self.upstream.has_told_all(self.client.as_ref())).then_some(listed)
    }
}
