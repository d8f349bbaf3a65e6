//! From uploads to searchable chunks: the queue, what comes in, synced folders.
//!
//! An upload is acknowledged once its bytes and its job are committed. Workers then take one job after the
//! other: a child process reads the file, the text is cut into chunks, words are searchable at once, and vectors follow.

mod folder;
mod jobs;
mod names;
mod receiving;
mod stop;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, RwLock};

use crate::access::Access;
use crate::collection::{Catalog, Collection, CollectionError};
use crate::embed::Embeddings;
use crate::reading::Parser;
use crate::store::{
    AddedDocument, Attached, Attachment, BatchId, BatchRecord, DocumentId, DocumentKey, DocumentRecord,
    FileRecord, NewAttachments, NewChunk, NewDocument, NewFile, OnConflict, Quotas, StagedBlob, Warning,
};
use jobs::Debt;
use stop::Stop;
use waiting::Waiting;

pub use folder::{FolderError, Synced, files_below, sync_folder};
pub use jobs::{LEASE, WORKER};
pub use names::{clean_filename, shared};
pub use receiving::{Destination, Reception};

/// How documents are read, and tried again.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    pub parser: Parser,
    /// The pauses before what failed through no fault of its own is tried again, one after the other.
    pub pauses: Vec<Duration>,
}

/// Together about three hours: time to make room on a disk, or to mend a model.
pub const PAUSES: [Duration; 12] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(600),
    Duration::from_secs(600),
    Duration::from_secs(900),
    Duration::from_secs(1_800),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
];

/// How much may be stored, for ingestion to ask.
pub trait WhoMayHold: Send + Sync {
    /// What this owner, and any one collection, may hold.
    fn of(&self, owner: Option<&str>) -> Quotas;
}

/// What a document of this name takes of a prompt as a whole, in tokens: which are not those of the embedding model.
pub type Measure = fn(&str, &[NewChunk]) -> u64;

/// The way in for documents.
pub struct Ingest {
    catalog: Arc<Catalog>,
    embeddings: Option<Embeddings>,
    settings: IngestSettings,
    quotas: Arc<dyn WhoMayHold>,
    measure: Measure,
    /// There may be a job to take, or one to wait for.
    wake: Notify,
    stop: Stop,
    waiting: Waiting,
    /// What became of jobs and could not be written down yet.
    debts: Mutex<Vec<Debt>>,
    /// Held while a file is read; for one alone, while that is suspected to take the process down.
    reading: RwLock<()>,
    /// How often the system killed the parser of a document that is tried again, or the code died over it. A start forgets
    /// this, as it forgets failures.
    suspects: Mutex<HashMap<DocumentKey, u32>>,
    under_way: Arc<receiving::UnderWay>,
    completed: AtomicU64,
    failed: AtomicU64,
}

/// How many documents came to an end since the start.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub completed: u64,
    pub failed: u64,
}

impl Ingest {
    /// Nothing is worked on before [`Self::run`].
    pub fn new(
        catalog: Arc<Catalog>,
        embeddings: Option<Embeddings>,
        settings: IngestSettings,
        quotas: Arc<dyn WhoMayHold>,
        measure: Measure,
    ) -> Self {
        Self {
            catalog,
            embeddings,
            settings,
            quotas,
            measure,
            wake: Notify::new(),
            stop: Stop::default(),
            waiting: Waiting::default(),
            debts: Mutex::default(),
            reading: RwLock::default(),
            suspects: Mutex::default(),
            under_way: Arc::default(),
            completed: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }

    /// Commits a document. When this returns it survives a crash. One of a name that the collection has already, with
    /// other bytes, is a new version, unless it is to be kept beside the others.
    pub async fn submit(
        &self,
        access: &Access,
        collection: &Collection,
        (filename, blob): (&str, StagedBlob),
        on_conflict: OnConflict,
    ) -> Result<AddedDocument, CollectionError> {
        let owner = access.owner().map(str::to_owned);
        let new = NewDocument {
            collection: collection.id.clone(),
            filename: filename.to_owned(),
            blob,
            quotas: self.quotas.of(owner.as_deref()),
            owner,
            on_conflict,
        };
        let added = self.catalog.store().add_document(new).await?;
        if added.superseded {
            self.waiting.tell_all();
            self.catalog.follow(&collection.id).await;
        }
        collection.touch();
        self.wake.notify_one();
        Ok(added)
    }

    /// Keeps a file that is no document yet, for a number of seconds or for good.
    pub async fn keep(
        &self,
        access: &Access,
        filename: &str,
        purpose: &str,
        expires_in: Option<u32>,
        blob: StagedBlob,
    ) -> Result<FileRecord, CollectionError> {
        let owner = access.owner().map(str::to_owned);
        let quota = self.quotas.of(owner.as_deref()).owner;
        let (filename, purpose) = (filename.to_owned(), purpose.to_owned());
        let new = NewFile { owner, filename, purpose, expires_in, blob, quota };
        Ok(self.catalog.store().add_file(new).await?)
    }

    /// Makes files documents of a collection, all or none, and follows them as a batch where asked to.
    pub async fn attach(
        &self,
        access: &Access,
        collection: &Collection,
        attachments: Vec<Attachment>,
        batch: bool,
    ) -> Result<Attached, CollectionError> {
        let owner = access.owner().map(str::to_owned);
        let described = attachments.iter().any(|attachment| attachment.attributes.is_some());
        let new = NewAttachments {
            collection: collection.id.clone(),
            quotas: self.quotas.of(owner.as_deref()),
            owner,
            sight: self.catalog.sight(access),
            attachments,
            batch,
        };
        let attached = self.catalog.store().attach(new).await?;
        if described && attached.documents.iter().any(|document| document.chunks > 0) {
            // Attributes may name another language for words that are indexed already.
            self.catalog.follow(&collection.id).await;
        }
        collection.touch();
        self.wake.notify_one();
        Ok(attached)
    }

    /// Cancels what of a batch is in progress.
    pub async fn cancel(
        &self,
        collection: &Collection,
        batch: &BatchId,
    ) -> Result<BatchRecord, CollectionError> {
        let cancelled = self.catalog.cancel_batch(collection, batch).await?;
        self.waiting.tell_all();
        Ok(cancelled)
    }

    /// Begins again with a document that failed, tries at once one that waits after a failure, and computes the vectors
    /// that a completed one is owed. Anything else is an error.
    pub async fn retry(
        &self,
        collection: &Collection,
        document: &DocumentId,
    ) -> Result<DocumentRecord, CollectionError> {
        let document = self.catalog.store().retry_document(&collection.id, document).await?;
        collection.touch();
        self.wake.notify_one();
        Ok(document)
    }

    /// Lets a worker look for jobs that did not come through here.
    pub fn look(&self) {
        self.wake.notify_one();
    }

    /// What is amiss with a document although nothing failed.
    pub fn warning(&self, document: &DocumentRecord) -> Option<Warning> {
        let lags = || document.chunks > 0 && self.catalog.lags(&document.collection);
        document.warning.clone().or_else(|| lags().then(index_behind))
    }

    /// Works until dropped or stopped: the jobs of the last run, then what is submitted.
    pub async fn run(self: Arc<Self>) {
        while let Err(error) = self.catalog.store().release_jobs(WORKER).await {
            tracing::error!(%error, "jobs of the last run could not be taken up");
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
        // Two, so that one document is read while another is embedded.
        tokio::join!(self.work(), self.work(), self.embed_the_rest(), self.renew_leases());
    }

    /// What has been done since the start.
    pub fn ended(&self) -> Ended {
        Ended { completed: self.completed.load(Relaxed), failed: self.failed.load(Relaxed) }
    }

    /// Lets the workers give back what they are at: a stop is no failed attempt.
    pub async fn stop(&self) {
        self.stop.stop().await;
    }
}

fn index_behind() -> Warning {
    Warning {
        code: "index_behind".to_owned(),
        message: "The search index of this collection lags behind: this document may not be found yet. The server's log has the cause; the index is brought up by itself as soon as that is gone.".to_owned(),
    }
}

/// Between tries after the store failed, which may be a full disk.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
