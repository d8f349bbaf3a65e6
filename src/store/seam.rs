//! The seam between the program and where it keeps everything: a trait for each noun, and [`Store`] for them all.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use super::*;

/// Collections, documents, chunks, vectors, jobs and keys. See the module for what every implementation promises.
pub trait Store: Collections + Files + Documents + Jobs + Indexing + Passages + Keys + Housekeeping {
    /// Which past this store has. What was derived from a store of another identity is derived anew, whatever revision
    /// it stands at: a restored copy gives its revisions and the ids of its chunks a second meaning.
    fn identity(&self) -> &str;
    /// The bytes that its records name.
    fn blobs(&self) -> &Blobs;
}

/// Collections, and what happened to them and to keys.
#[async_trait]
pub trait Collections: Send + Sync {
    /// Adds a collection under a fresh id, granted to its owner.
    async fn create_collection(&self, new: NewCollection) -> Result<CollectionRecord>;
    /// All collections, oldest first.
    async fn collections(&self) -> Result<Vec<CollectionRecord>>;
    /// One collection as it is now.
    async fn collection(&self, id: &CollectionId) -> Result<CollectionRecord>;
    /// The number of a collection that was removed within the last days, for a key that saw it, or with `None` for who
    /// sees all.
    async fn departed_collection(&self, id: &CollectionId, key: Option<&str>) -> Result<Option<i64>>;
    /// Replaces what may change of a collection. The revision stays.
    async fn update_collection(&self, id: &CollectionId, update: CollectionUpdate) -> Result<()>;
    /// Raises the time of last use to these, in seconds since 1970. Collections that are gone are left out.
    async fn touch_collections(&self, used: Vec<(CollectionId, i64)>) -> Result<()>;
    /// Removes a collection: from then on nobody finds it or anything in it, also after a crash. What it held goes by
    /// [`Self::clear_collection`].
    async fn delete_collection(&self, id: &CollectionId) -> Result<()>;
    /// Removes what a collection still holds that was deleted or is over its time, and blobs that nothing else needs: in
    /// steps, between which others write. Nothing happens where there is nothing, or the collection is in use.
    async fn clear_collection(&self, id: &CollectionId) -> Result<()>;
    /// Collections that were deleted, or are over their time, and still hold something. Most often there is none:
    /// [`Self::clear_collection`] follows each removal, unless the process died.
    async fn unfinished_collections(&self) -> Result<Vec<CollectionId>>;
    /// Removes the documents of a collection whose time is over, and says so in its record.
    async fn expire_collection(&self, id: &CollectionId) -> Result<()>;
    /// What happened to collections and keys after `since`: names, settings, grants and the like, not what collections hold
    /// nor when they were used last. The counter is raised in the transaction of each change. See [`CatalogChanges`] for
    /// a reader that is too far behind.
    async fn catalog_changes(&self, since: CatalogRevision) -> Result<CatalogChanges>;
}

/// Files, and how they become documents, alone or as a batch.
#[async_trait]
pub trait Files: Send + Sync {
    /// Commits bytes and a file that stands without a document.
    async fn add_file(&self, new: NewFile) -> Result<FileRecord>;
    /// One file, if it exists for this sight.
    async fn file(&self, sight: &Sight, id: &FileId) -> Result<FileRecord>;
    /// Files that exist for this sight, of one purpose or of all.
    async fn files(&self, sight: &Sight, purpose: Option<&str>, page: Page) -> Result<Paged<FileRecord>>;
    /// Removes a file and every document of it. Returns the collections that lost one.
    async fn delete_file(&self, id: &FileId) -> Result<Vec<CollectionId>>;
    /// Makes files documents of a collection, with their first jobs: all, or none where one does not exist. A file that
    /// is in the collection already stays one document: it takes the new attributes, and is read anew where it
    /// failed, was cancelled, or is to be cut otherwise.
    async fn attach(&self, new: NewAttachments) -> Result<Attached>;
    /// One batch.
    async fn batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord>;
    /// Cancels what of a batch is still in progress.
    async fn cancel_batch(&self, collection: &CollectionId, id: &BatchId) -> Result<BatchRecord>;
}

/// Documents of collections, and how much there is of them.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Commits bytes, file, document and its first job. Bytes that the collection already holds
    /// give the existing document back, unless it had failed: then it is tried anew. Where the collection has documents
    /// of its name with other bytes, and they are to be replaced, it is a new version: it waits, with their attributes and
    /// out of sight, until it is complete; versions that waited before it, or failed, go at once.
    async fn add_document(&self, new: NewDocument) -> Result<AddedDocument>;
    /// One document by its public id.
    async fn document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord>;
    /// Those of some documents that exist, in the order asked for, in one read.
    async fn documents_of(
        &self,
        collection: &CollectionId,
        ids: &[DocumentId],
    ) -> Result<Vec<DocumentRecord>>;
    /// A document by its public id, or else by its name, in whatever normal form of Unicode: the one that answers, where
    /// only one does.
    async fn find_document(
        &self,
        collection: &CollectionId,
        id_or_name: &str,
        deadline: Instant,
    ) -> Result<DocumentRecord>;
    /// All documents of a collection, oldest first.
    async fn documents(&self, collection: &CollectionId) -> Result<Vec<DocumentRecord>>;
    /// Some documents of a collection.
    async fn documents_page(
        &self,
        collection: &CollectionId,
        filter: DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentRecord>>;
    /// Those of a name, in whatever normal form of Unicode, oldest first.
    async fn documents_named(&self, collection: &CollectionId, name: &str) -> Result<Vec<DocumentRecord>>;
    /// How many documents stand where.
    async fn document_counts(&self, collection: &CollectionId) -> Result<DocumentCounts>;
    /// Replaces a document's attributes, a JSON object.
    async fn set_attributes(
        &self,
        collection: &CollectionId,
        id: &DocumentId,
        attributes: &str,
    ) -> Result<DocumentRecord>;
    /// Attributes of all documents of a collection.
    async fn document_attributes(
        &self,
        collection: &CollectionId,
        deadline: Instant,
    ) -> Result<Vec<(DocumentKey, String)>>;
    /// Removes a document, its chunks and vectors, and its file if nothing else needs it and it does not stand alone.
    async fn delete_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<()>;
    /// Whether each of these documents has text in one of these collections.
    async fn have_text(&self, collections: &[CollectionId], documents: &[DocumentId]) -> Result<bool>;
    /// How much of the quotas of documents and bytes is used that hold for an upload.
    async fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Result<Vec<Allowance>>;
    /// What there is of everything, for whoever watches.
    async fn holdings(&self, deadline: Instant) -> Result<Holdings>;
}

/// Work on documents, and what it commits.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Takes the oldest job that is free and whose time has come, and counts the attempt durably before returning it. It is
    /// this worker's until it is done, given back or postponed, and for `lease` at least: a job whose lease is over may be
    /// taken by another worker, never by the same one. What completed documents are owed comes after all that are in
    /// progress.
    ///
    /// A worker that comes back after its lease may still commit what it read: it is what another reads, too.
    async fn take_job(&self, worker: &str, lease: Duration) -> Result<Option<Job>>;
    /// Extends the leases of all jobs that a worker has, from now on. One that another has taken meanwhile stays the other's.
    async fn renew_jobs(&self, worker: &str, lease: Duration) -> Result<()>;
    /// Gives up the claims of a worker, and those whose lease is over: called as a worker begins, so that the jobs of its
    /// last run are there at once. All free jobs may be taken then, postponed ones too, and what completed documents with
    /// a [`Warning`] are owed; not [`Warning::EMBEDDING_CRASHED`], which waits on.
    async fn release_jobs(&self, worker: &str) -> Result<()>;
    /// How long until there may be a job for this worker: until the time of a free one comes, or another's lease is over.
    /// Zero where it has come.
    async fn until_next_job(&self, worker: &str) -> Result<Option<Duration>>;
    /// Puts a job of this worker back without counting the attempt. Another's stays where it is.
    async fn return_job(&self, worker: &str, document: DocumentKey) -> Result<()>;
    /// Puts a job of this worker back for a while: not the attempt is counted, but the failure. Another's stays where it is.
    async fn postpone_job(&self, worker: &str, document: DocumentKey, pause: Duration) -> Result<()>;
    /// Begins again with what failed or was cancelled, tries at once what waits after a failure, and computes once more
    /// the vectors that a completed document is owed. [`StoreError::NotFailed`] for any other document.
    async fn retry_document(&self, collection: &CollectionId, id: &DocumentId) -> Result<DocumentRecord>;
    /// Commits what was read from a document. It stays in progress, and its job goes to [`Stage::Embed`].
    /// [`StoreError::NotFound`] if it was deleted, cancelled, or begun anew with other [`ChunkSizes`] meanwhile.
    async fn commit_chunks(&self, document: DocumentKey, read: ReadDocument, quotas: Quotas) -> Result<()>;
    /// Marks a document as failed for a reason, and ends its job.
    async fn fail_document(&self, document: DocumentKey, failure: Failure) -> Result<()>;
    /// Tells the indexes of what was read from a new version, which is still not read back: to be called shortly before
    /// it is complete.
    async fn publish_document(&self, document: DocumentKey) -> Result<()>;
    /// Marks a document as completed, and ends its job; or postpones it `again`, where vectors are owed. A new
    /// version takes the place of the others of its name.
    async fn complete_document(
        &self,
        document: DocumentKey,
        warning: Option<Warning>,
        again: Option<Duration>,
    ) -> Result<()>;
    /// Notes that vectors of completed documents could not be computed, and makes jobs of them for later.
    async fn owe_vectors(&self, documents: Vec<DocumentKey>, warning: Warning, pause: Duration)
    -> Result<()>;
}

/// Vectors, and what indexes have to follow.
#[async_trait]
pub trait Indexing: Send + Sync {
    /// Chunks without a vector of this fingerprint whose id is above `after`, oldest first; of one document, or of all
    /// that no job and no warning stands for.
    async fn chunks_without_vector(
        &self,
        fingerprint: &str,
        document: Option<DocumentKey>,
        after: ChunkId,
        limit: usize,
    ) -> Result<Vec<UnembeddedChunk>>;
    /// How many chunks of each of these documents have a vector of this fingerprint.
    async fn vectors_of(&self, documents: Vec<DocumentKey>, fingerprint: &str) -> Result<Vec<u32>>;
    /// Commits vectors, and forgets the attempts and failures of their documents' jobs. Those of chunks that were deleted
    /// meanwhile are dropped.
    async fn commit_vectors(&self, fingerprint: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<()>;
    /// What happened to the chunks after `since`, in the order of revisions and ids. It ends once the texts take more than
    /// `most_bytes`, also within a revision, and the next call goes on from `until`: at least one chunk is told where
    /// there is one. What was removed is told no later than what came in the same revision.
    async fn chunk_changes(
        &self,
        collection: &CollectionId,
        since: ChunkMark,
        most_bytes: usize,
    ) -> Result<ChunkChanges>;
    /// The revision of the last change of chunks in each collection that had one: of those that it has now, and of removals
    /// that are still told.
    async fn chunk_revisions(&self) -> Result<Vec<(CollectionId, Revision)>>;
    /// What happened to the vectors of one fingerprint after `since`, in the order of revisions. Where that is more than
    /// `most` vectors, it is the first revisions that hold so many, each of them whole, and the next call has the rest.
    async fn vector_changes(
        &self,
        collection: &CollectionId,
        fingerprint: &str,
        since: Revision,
        most: usize,
    ) -> Result<VectorChanges>;
    /// Forgets what was removed up to a revision at which every index stands. Its record says from where on removals are
    /// still told: an index that is older is built anew.
    async fn forget_removals(&self, collection: &CollectionId, until: Revision) -> Result<()>;
}

/// What was read from documents, for readers.
#[async_trait]
pub trait Passages: Send + Sync {
    /// The chunks of these ids that are alive, in one read transaction, in the order asked for.
    async fn read_chunks(
        &self,
        collection: &CollectionId,
        ids: &[ChunkId],
        deadline: Instant,
    ) -> Result<Vec<ChunkRecord>>;
    /// All chunks of these documents (of all with `None`) in reading order, unless their texts, without what chunks repeat
    /// of each other, exceed `max_bytes` together.
    async fn whole_documents(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<ChunkRecord>>>;
    /// What each of these documents (of all with `None`) takes of a prompt as a whole, as [`ReadDocument`] says, unless that
    /// is more than `most` tokens together. Where nobody counted, so many bytes are taken for a token.
    async fn whole_sizes(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        most: u64,
        bytes_per_token: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<WholeSize>>>;
    /// Keeps what a document takes of a prompt, where nobody counted before.
    async fn note_whole_size(&self, document: DocumentKey, tokens: u64) -> Result<()>;
    /// Outlines of these documents (of all with `None`), at most `limit`.
    async fn outlines(
        &self,
        collection: &CollectionId,
        documents: Option<&[DocumentKey]>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<OutlineRecord>>;
}

/// Keys of the server's own.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Keeps a key with its grants. [`StoreError::KeyNameTaken`] if one that is not revoked has its name.
    async fn create_key(&self, new: NewKey) -> Result<KeyRecord>;
    /// All keys that were ever made, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>>;
    /// Notes that a key is in force no more. [`StoreError::NotFound`] if it was not.
    async fn revoke_key(&self, id: &str) -> Result<()>;
    /// Grants collections to a key that is not revoked, all or none.
    async fn grant(&self, key: &str, collections: &[CollectionId]) -> Result<KeyRecord>;
}

/// What is done at a start, after removals, now and then, and at the end.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// Whether something could be stored now, records and bytes.
    async fn check_writable(&self) -> Result<()>;
    /// What is over its time now.
    async fn expired(&self) -> Result<Expired>;
    /// Looks at all originals, as a start does. What no record names goes to the trash, and what was there for as long as
    /// `kept` is removed. Only what is older than `before`, when this process began, is looked at. Nothing is moved where
    /// others than this store may know it.
    async fn sweep(&self, before: SystemTime, kept: Duration) -> Result<Swept>;
    /// Waits until something was removed since this last returned.
    async fn removed(&self);
    /// Brings what was removed out of the files behind the store. False where somebody reads what was there before: it is to
    /// be tried again.
    async fn tidy(&self) -> Result<bool>;
    /// Forgets what is over its time and that nobody asks for any more, such as batches that have been done for a month.
    async fn forget_old(&self) -> Result<()>;
    /// Removes vectors of other fingerprints than this one, in collections where every chunk has one of it. Says how many.
    async fn forget_vectors_but(&self, fingerprint: &str) -> Result<usize>;
    /// Ends writing: what comes later is refused with [`StoreError::Closed`], and reading goes on. Nothing that was
    /// acknowledged is lost where this fails.
    async fn close(&self) -> Result<()>;
}
