//! Each call of the store as one transaction on a thread that may block.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::Transaction;

use super::upkeep::CHUNKS_AT_ONCE;
use super::{
    SqliteStore, batches, changes, collections, documents, files, jobs, keys, passages, quotas, removal,
    uploads, versions,
};
use crate::store::*;
use crate::system::now_in_milliseconds;

/// The time after a pause, in milliseconds since 1970.
fn after(pause: Duration) -> i64 {
    now_in_milliseconds().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
}

/// Removals that are forgotten in one transaction, about.
const REMOVALS_AT_ONCE: usize = 5_000;

#[async_trait]
impl Store for SqliteStore {
    fn identity(&self) -> &str {
        &self.inner.identity
    }

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
        self.write(move |t, _| collections::update(t, &id, &update)).await
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

    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()> {
        self.write(move |t, _| collections::touch(t, &used)).await
    }

    async fn expire_collection(&self, id: &CollectionId) -> Result<()> {
        let expired = id.clone();
        self.remove(move |t, _| removal::expire(t, &expired)).await?;
        self.clear_collection(id).await
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
        self.remove(move |t, _| removal::delete_file(t, &id)).await
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
        self.remove(move |t, _| batches::cancel(t, &collection, &id)).await
    }

    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument> {
        let sha256 = new.blob.sha256.clone();
        let added = self.write_bytes(sha256, move |t, blobs| uploads::add(t, blobs, new)).await?;
        if added.superseded {
            self.note_removal();
        }
        Ok(added)
    }

    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.read(move |t| documents::one(t, &collection, &id)).await
    }

    async fn documents_of(
        &self,
        collection: &CollectionId,
        ids: &[DocumentId],
    ) -> Result<Vec<DocumentRecord>> {
        let (collection, ids) = (collection.clone(), ids.to_vec());
        self.read(move |t| documents::some(t, &collection, &ids)).await
    }

    async fn find_document(
        &self,
        collection: &CollectionId,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord> {
        let (collection, id_or_name) = (collection.clone(), id_or_name.to_owned());
        self.read_before(deadline, move |t| versions::find(t, &collection, &id_or_name)).await
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

    async fn documents_named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>> {
        let (collection, name) = (collection.clone(), name.to_owned());
        self.read(move |t| documents::of_name(t, &collection, &name)).await
    }

    async fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Result<Vec<Allowance>> {
        let (owner, collection) = (owner.map(str::to_owned), collection.cloned());
        self.read(move |t| quotas::allowances(t, owner.as_deref(), collection.as_ref(), quotas)).await
    }

    async fn holdings(&self, deadline: Instant) -> Result<Holdings> {
        self.read_before(deadline, quotas::holdings).await
    }

    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()> {
        let (collection, id) = (collection.clone(), id.clone());
        self.remove(move |t, _| removal::delete_document(t, &collection, &id)).await
    }

    async fn have_text(&self, collections: &[CollectionId], documents: &[DocumentId]) -> Result<bool> {
        let (collections, documents) = (collections.to_vec(), documents.to_vec());
        self.read(move |t| documents::have_text(t, &collections, &documents)).await
    }

    fn blob_path(&self, sha256: &str) -> PathBuf {
        self.inner.blobs.path(sha256)
    }

    fn staging(&self) -> Staging {
        self.inner.staging.clone()
    }

    async fn take_job(&self) -> Result<Option<Job>> {
        self.write(|t, _| jobs::take(t, now_in_milliseconds())).await
    }

    async fn release_jobs(&self) -> Result<()> {
        self.write(|t, _| jobs::release(t)).await
    }

    async fn until_next_job(&self) -> Result<Option<Duration>> {
        let next = self.read(jobs::next).await?;
        let until = |at: i64| u64::try_from(at.saturating_sub(now_in_milliseconds())).unwrap_or(0);
        Ok(next.map(|at| Duration::from_millis(until(at))))
    }

    async fn postpone_job(&self, document: DocumentKey, pause: Duration) -> Result<()> {
        self.write(move |t, _| jobs::postpone(t, document, after(pause))).await
    }

    async fn retry_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord> {
        let (collection, id) = (collection.clone(), id.clone());
        self.write(move |t, _| jobs::retry(t, &collection, &id)).await
    }

    async fn return_job(&self, document: DocumentKey) -> Result<()> {
        self.write(move |t, _| jobs::put_back(t, document)).await
    }

    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()> {
        self.remove(move |t, _| jobs::commit_chunks(t, document, &read, quotas)).await
    }

    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()> {
        self.remove(move |t, _| jobs::fail(t, document, &failure)).await
    }

    async fn publish_document(&self, document: DocumentKey) -> Result<()> {
        self.write(move |t, _| versions::publish(t, document)).await
    }

    async fn complete_document(
        &self,
        document: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()> {
        self.remove(move |t, _| jobs::complete(t, document, warning.as_ref(), again.map(after))).await
    }

    async fn owe_vectors(
        &self,
        documents: Vec<DocumentKey>,
        warning: Warning,
        pause: Duration,
    ) -> Result<()> {
        self.write(move |t, _| jobs::owe_vectors(t, &documents, &warning, after(pause))).await
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

    async fn vectors_of(&self, documents: Vec<DocumentKey>, fingerprint: &str) -> Result<Vec<u32>> {
        let fingerprint = fingerprint.to_owned();
        self.read(move |t| changes::vectors_of(t, &documents, &fingerprint)).await
    }

    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()> {
        let fingerprint = fingerprint.to_owned();
        self.write(move |t, _| changes::commit_vectors(t, &fingerprint, &vectors)).await
    }

    async fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges> {
        let collection = collection.clone();
        self.read(move |t| changes::of_chunks(t, &collection, since, most_bytes)).await
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

    async fn forget_removals(&self, collection: &CollectionId, until: Revision) -> Result<()> {
        loop {
            let collection = collection.clone();
            let some = move |t: &Transaction<'_>| {
                changes::forget_some_removals(t, &collection, until, REMOVALS_AT_ONCE)
            };
            if !self.write(move |t, _| some(t)).await? {
                return Ok(());
            }
        }
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

    async fn whole_sizes(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        most: u64,
        bytes_per_token: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<WholeSize>>> {
        let (collection, documents) = (collection.clone(), documents.map(<[_]>::to_vec));
        self.read_before(deadline, move |t| {
            passages::sizes(t, &collection, documents.as_deref(), most, bytes_per_token)
        })
        .await
    }

    async fn note_whole_size(&self, document: DocumentKey, tokens: u64) -> Result<()> {
        self.write(move |t, _| passages::note_size(t, document, tokens)).await
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
