//! The store on SQLite in WAL mode, with the originals as files beside it.
//!
//! One connection writes, behind a mutex that also guards the naming and removal of blobs; readers
//! have connections of their own. All of it runs on blocking threads.

mod batches;
mod changes;
mod collections;
mod copies;
mod documents;
mod files;
mod inspect;
mod jobs;
mod keys;
mod pages;
mod passages;
mod quotas;
mod schema;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::blobs::{self, Blobs};
use super::*;

pub use inspect::{Content, Inspection, inspect};

/// [`Store`] on SQLite. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    database: PathBuf,
    /// Device and number of the database's file.
    place: (u64, u64),
    blobs: Blobs,
    staging: Staging,
}

/// The database's name in the data folder.
const DATABASE: &str = "lastro.sqlite3";
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 16;

impl SqliteStore {
    /// Opens the data folder, creating it or bringing it to the newest format. The caller holds its [`DataLock`].
    pub fn open(data: &Path) -> Result<Self> {
        let database = data.join(DATABASE);
        let mut writer = connect(&database, OpenFlags::default())?;
        // Before anything is changed.
        let format = schema::check(&writer)?;
        let (blobs, staging) = Blobs::open(data)?;
        blobs::clear_staging(&staging)?;
        if (1..schema::newest()).contains(&format) {
            copies::keep(&writer, &database, format)?;
        }
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: a commit in WAL mode is on the disk when it returns.
        writer.pragma_update(None, "synchronous", "FULL")?;
        schema::migrate(&mut writer)?;
        Ok(Self {
            inner: Arc::new(Inner {
                writer: Mutex::new(writer),
                readers: Mutex::new(Vec::new()),
                place: place(&database)?,
                database,
                blobs,
                staging,
            }),
        })
    }

    /// Removes originals that no file names: what a process left that died between naming and committing.
    /// Only those older than `before`, when this process began. Returns how many.
    pub async fn sweep(&self, before: SystemTime) -> Result<usize> {
        self.blocking(move |inner| {
            let mut removed = 0;
            for sha256 in inner.blobs.older_than(before)? {
                let writer = inner.writer.lock();
                removed += usize::from(inner.remove_unnamed(&writer, &sha256)?);
            }
            Ok(removed)
        })
        .await
    }

    /// Whether something could be stored now: the database is in its place, and a page can be written.
    pub async fn check_writable(&self) -> Result<()> {
        self.blocking(Inner::check_place).await?;
        let mut probe = self.staging().begin().await?;
        probe.write(&[0; 4_096]).await?;
        probe.flush().await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|e| StoreError::Worker(e.to_string()))?
    }

    /// One writing transaction.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            inner.check_place()?;
            write(&mut inner.writer.lock(), |t| work(t, &inner.blobs))
        })
        .await
    }

    /// The same for bytes that are given their name in it: where it fails, they do not stay behind.
    async fn write_bytes<T: Send + 'static>(
        &self,
        sha256: String,
        work: impl FnOnce(&Transaction<'_>, &Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            inner.check_place()?;
            let mut writer = inner.writer.lock();
            let written = write(&mut writer, |t| work(t, &inner.blobs));
            if written.is_err()
                && let Err(error) = inner.remove_unnamed(&writer, &sha256)
            {
                // Swept at the next start.
                tracing::warn!(%error, "bytes of a failed upload stay for now");
            }
            written
        })
        .await
    }

    /// One writing transaction that removes documents; blobs that nothing names any more are unlinked after the commit.
    async fn remove<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            inner.check_place()?;
            let mut writer = inner.writer.lock();
            let (value, orphans) = write(&mut writer, |t| Ok((work(t)?, take_orphan_blobs(t)?)))?;
            for sha256 in orphans {
                // The commit stands; a file that stays is swept at the next start.
                if let Err(error) = inner.blobs.remove(&sha256) {
                    tracing::warn!(%error, "an original could not be removed");
                }
            }
            Ok(value)
        })
        .await
    }

    /// One reading transaction.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| {
            let idle = inner.readers.lock().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => connect(&inner.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            let transaction = connection.transaction()?;
            let value = work(&transaction);
            drop(transaction);
            let mut readers = inner.readers.lock();
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
            value
        })
        .await
    }

    async fn read_before<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // A quick read would otherwise still come in time now and then, although its time was over before it began.
        if Instant::now() >= deadline {
            return Err(StoreError::Deadline);
        }
        tokio::time::timeout_at(deadline.into(), self.read(work)).await.unwrap_or(Err(StoreError::Deadline))
    }
}

impl Inner {
    /// Removes bytes that no file names, and says whether it did. The caller holds the writer.
    fn remove_unnamed(&self, writer: &Connection, sha256: &str) -> Result<bool> {
        let known = writer.prepare_cached("SELECT 1 FROM blobs WHERE sha256 = ?1")?.exists([sha256])?;
        if !known {
            self.blobs.remove(sha256)?;
        }
        Ok(!known)
    }

    /// SQLite goes on writing to a file that was removed or unmounted under it, and what it acknowledges there is lost.
    fn check_place(&self) -> Result<()> {
        match place(&self.database)? == self.place {
            true => Ok(()),
            false => Err(StoreError::Replaced { path: self.database.clone() }),
        }
    }
}

/// The file system and the number of a file: two files that exist never share both.
fn place(path: &Path) -> Result<(u64, u64)> {
    let found = std::fs::metadata(path).map_err(StoreError::io(path))?;
    Ok((found.dev(), found.ino()))
}

fn write<T>(writer: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn connect(database: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(database, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    // With statistics compiled in, SQLite would prepare a cached statement anew for every bound text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn take_orphan_blobs(transaction: &Transaction<'_>) -> Result<Vec<String>> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.blob = blobs.sha256) RETURNING sha256",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Raises a collection's revision and returns it.
fn raise_revision(transaction: &Transaction<'_>, collection: &str) -> Result<i64> {
    transaction
        .prepare_cached("UPDATE collections SET revision = revision + 1 WHERE id = ?1 RETURNING revision")?
        .query_row([collection], |row| row.get(0))
        .map_err(|e| not_found(e, "collection"))
}

fn not_found(error: rusqlite::Error, what: &'static str) -> StoreError {
    match error {
        rusqlite::Error::QueryReturnedNoRows => StoreError::NotFound(what),
        error => StoreError::Database(error),
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}

fn fresh_id(prefix: &str) -> Result<String> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Worker(e.to_string()))?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

#[async_trait]
impl Store for SqliteStore {
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

    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()> {
        let id = id.clone();
        self.write(move |t, _| collections::update(t, &id, &update)).await
    }

    async fn delete_collection(&self, id: &CollectionId) -> Result<()> {
        let id = id.clone();
        self.remove(move |t| collections::delete(t, &id)).await
    }

    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()> {
        self.write(move |t, _| collections::touch(t, &used)).await
    }

    async fn expire_collection(&self, id: &CollectionId) -> Result<()> {
        let id = id.clone();
        self.remove(move |t| collections::expire(t, &id)).await
    }

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
        self.remove(move |t| files::delete(t, &id)).await
    }

    async fn expired(&self) -> Result<Expired> {
        let read = |t: &Transaction<'_>| {
            let (files, collections) = (files::over_their_time(t)?, collections::over_their_time(t)?);
            Ok(Expired { files, collections })
        };
        self.read(read).await
    }

    async fn attach(&self, new: NewAttachments) -> Result<Attached> {
        self.write(move |t, _| batches::attach(t, &new)).await
    }

    async fn set_attributes(
        &self,
        collection: &CollectionId,
        id: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord> {
        let (collection, id, attributes) = (collection.clone(), id.clone(), attributes.to_owned());
        self.write(move |t, _| documents::set_attributes(t, &collection, &id, &attributes)).await
    }

    async fn document_attributes(
        &self,
        collection: &CollectionId,
        deadline: Instant,
    ) -> Result<Vec<(DocumentKey, String)>> {
        let collection = collection.clone();
        self.read_before(deadline, move |t| documents::attributes(t, &collection)).await
    }

    async fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.read(move |t| batches::one(t, &collection, &id)).await
    }

    async fn cancel_batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.write(move |t, _| batches::cancel(t, &collection, &id)).await
    }

    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument> {
        self.write_bytes(new.blob.sha256.clone(), move |t, blobs| documents::add(t, blobs, new)).await
    }

    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.read(move |t| documents::one(t, &collection, &id)).await
    }

    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>> {
        let collection = collection.clone();
        self.read(move |t| documents::all(t, &collection)).await
    }

    async fn documents_page(
        &self,
        collection: &CollectionId,
        filter: DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentRecord>> {
        let collection = collection.clone();
        self.read(move |t| documents::page(t, &collection, &filter, &page)).await
    }

    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts> {
        let collection = collection.clone();
        self.read(move |t| documents::counts(t, &collection)).await
    }

    async fn holdings(&self, deadline: Instant) -> Result<Holdings> {
        self.read_before(deadline, quotas::holdings).await
    }

    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()> {
        let (collection, id) = (collection.clone(), id.clone());
        self.remove(move |t| documents::delete(t, &collection, &id)).await
    }

    fn blob_path(&self, sha256: &str) -> PathBuf {
        self.inner.blobs.path(sha256)
    }

    fn staging(&self) -> Staging {
        self.inner.staging.clone()
    }

    async fn take_job(&self) -> Result<Option<Job>> {
        self.write(|t, _| jobs::take(t)).await
    }

    async fn release_jobs(&self) -> Result<()> {
        self.write(|t, _| Ok(t.execute("UPDATE jobs SET taken = 0", []).map(|_| ())?)).await
    }

    async fn return_job(&self, document: DocumentKey) -> Result<()> {
        self.write(move |t, _| jobs::put_back(t, document)).await
    }

    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()> {
        self.write(move |t, _| jobs::commit_chunks(t, document, &read, quotas)).await
    }

    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()> {
        self.write(move |t, _| jobs::fail(t, document, &failure)).await
    }

    async fn complete_document(&self, document: DocumentKey) -> Result<()> {
        self.write(move |t, _| jobs::complete(t, document)).await
    }

    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |t| changes::without_vector(t, &fingerprint, document, after, limit)).await
    }

    async fn vectors_of(&self, document: DocumentKey, fingerprint: &str) -> Result<u32> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |t| changes::vectors_of(t, document, &fingerprint)).await
    }

    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
        let fingerprint = fingerprint.to_owned();
        self.write(move |t, _| changes::commit_vectors(t, &fingerprint, &vectors)).await
    }

    async fn chunk_changes(&self, collection: &CollectionId, since: Revision) -> Result<ChunkChanges> {
        let collection = collection.clone();
        self.read(move |t| changes::of_chunks(t, &collection, since)).await
    }

    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges> {
        let (collection, fingerprint) = (collection.clone(), fingerprint.to_owned());
        self.read(move |t| changes::of_vectors(t, &collection, &fingerprint, since, most)).await
    }

    async fn read_chunks(
        &self,
        collection: &CollectionId,
        ids: &[ChunkId],
        deadline: Instant,
    ) -> Result<Vec<ChunkRecord>> {
        let (collection, ids) = (collection.clone(), ids.to_vec());
        self.read_before(deadline, move |t| passages::by_id(t, &collection, &ids)).await
    }

    async fn whole_documents(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<ChunkRecord>>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| passages::whole(t, &collection, documents.as_deref(), max_bytes))
            .await
    }

    async fn outlines(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<OutlineRecord>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| passages::outlines(t, &collection, documents.as_deref(), limit))
            .await
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        crate::store::conformance::store(empty).await;
        crate::store::conformance_files::store(empty).await;
    }

    async fn empty() -> SqliteStore {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        // Kept until the process ends: the suite needs the store alone.
        let _ = folder.keep();
        store
    }

    #[tokio::test]
    async fn originals_that_nothing_names_are_swept() -> Result<()> {
        let folder = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
        let store = SqliteStore::open(folder.path())?;
        let staged = store.staging().stage(b"left behind").await?;
        let path = store.blob_path(&staged.sha256);
        store.inner.blobs.adopt(staged)?;
        assert_eq!(store.sweep(SystemTime::UNIX_EPOCH).await?, 0, "newer than the process");
        assert!(path.exists());
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        assert_eq!(store.sweep(later).await?, 1);
        assert!(!path.exists());
        Ok(())
    }
}
