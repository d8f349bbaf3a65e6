//! What every [`Store`] must do. An implementation's tests call [`store`] with a way to make an empty one.
//!
//! It names nothing but what the store's module exports, so that the tests of another crate can take it in.

mod catalog;
mod files;
mod housekeeping;
mod indexing;
mod jobs;
mod keys;
mod removals;
mod versions;

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::*;

/// Who takes jobs, and for longer than any test takes.
pub(super) const WORKER: &str = "one";
pub(super) const LONG: Duration = Duration::from_secs(600);

/// As many vectors as there are.
const ALL: usize = usize::MAX;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn chunk(text: &str, start: u64) -> NewChunk {
    NewChunk {
        text: text.to_owned(),
        page: Some(1),
        last_page: Some(2),
        headings: vec!["Title".into(), "Part".into()],
        start,
        end: start + text.len() as u64,
        tokens: 3,
    }
}

pub(super) fn read(texts: &[&str]) -> ReadDocument {
    let chunks = texts.iter().enumerate().map(|(i, text)| chunk(text, i as u64 * 100)).collect();
    let outline = Outline { title: Some("Title".into()), opening: "It opens.".into(), headings: vec![] };
    ReadDocument { chunks, outline, language: Some("en".into()), pages: Some(2), ..ReadDocument::default() }
}

/// The bytes of an original, where it is there.
pub(super) async fn original(store: &dyn Store, sha256: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    store.blobs().read(sha256).await.ok()?.read_to_end(&mut bytes).await.expect("it can be read");
    Some(bytes)
}

/// A collection goes, and then what it held.
pub(super) async fn delete_collection(store: &dyn Store, id: &CollectionId) {
    store.delete_collection(id).await.expect("deleted");
    assert!(matches!(store.collection(id).await, Err(StoreError::NotFound("collection"))));
    store.clear_collection(id).await.expect("cleared");
}

pub(super) fn new_collection(name: &str) -> NewCollection {
    NewCollection {
        name: name.into(),
        origin: Origin::Api,
        language: None,
        settings: "{}".into(),
        description: None,
        metadata: "{}".into(),
        expires_days: None,
        owner: None,
    }
}

pub(super) async fn collection(store: &dyn Store, name: &str) -> CollectionRecord {
    store.create_collection(new_collection(name)).await.expect("create")
}

pub(super) async fn add(store: &dyn Store, collection: &CollectionId, bytes: &[u8]) -> AddedDocument {
    add_named(store, collection, (&String::from_utf8_lossy(bytes), bytes), OnConflict::Replace).await
}

pub(super) async fn add_named(
    store: &dyn Store,
    collection: &CollectionId,
    (filename, bytes): (&str, &[u8]),
    on_conflict: OnConflict,
) -> AddedDocument {
    let blob = store.blobs().stage(bytes).await.expect("stage");
    let new = NewDocument {
        collection: collection.clone(),
        filename: filename.into(),
        blob,
        owner: None,
        quotas: Quotas::default(),
        on_conflict,
    };
    store.add_document(new).await.expect("add")
}

async fn all_changes(store: &dyn Store, collection: &CollectionId, since: Revision) -> ChunkChanges {
    store.chunk_changes(collection, ChunkMark::at(since), ALL).await.expect("changes")
}

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    ids_are_unique_and_deletion_is_complete(&empty().await).await;
    equal_bytes_are_one_document(&empty().await).await;
    a_document_goes_through_its_stages(&empty().await).await;
    reading_back_keeps_order_and_to_its_limits(&empty().await).await;
    catalog::store(&empty).await;
    files::store(&empty).await;
    housekeeping::store(&empty).await;
    indexing::store(&empty).await;
    jobs::store(&empty).await;
    keys::store(&empty).await;
    removals::store(&empty).await;
    versions::store(&empty).await;
}

async fn ids_are_unique_and_deletion_is_complete(store: &dyn Store) {
    let first = collection(store, "first").await;
    assert_ne!(collection(store, "first").await.id, first.id, "names may repeat");
    let update = CollectionUpdate { language: Some("pt".into()), ..CollectionUpdate::default() };
    store.update_collection(&first.id, update).await.expect("update");
    assert_eq!(store.collection(&first.id).await.expect("one").language.as_deref(), Some("pt"));
    let added = add(store, &first.id, b"bytes").await.document;
    assert_eq!(original(store, &added.sha256).await.as_deref(), Some(&b"bytes"[..]));
    delete_collection(store, &first.id).await;
    assert!(matches!(store.collection(&first.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.document(&first.id, &added.id).await, Err(StoreError::NotFound(_))));
    assert_eq!(original(store, &added.sha256).await, None, "the original goes with its last document");
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
    assert_ne!(collection(store, "first").await.id, first.id);
}

async fn equal_bytes_are_one_document(store: &dyn Store) {
    let (one, two) = (collection(store, "one").await, collection(store, "two").await);
    let first = add(store, &one.id, b"same").await;
    let again = add(store, &one.id, b"same").await;
    assert!(first.created && !again.created);
    assert_eq!(first.document.id, again.document.id);
    let other = add(store, &two.id, b"same").await;
    assert_ne!(other.document.id, first.document.id);
    let there = async || original(store, &first.document.sha256).await.is_some();
    store.delete_document(&one.id, &first.document.id).await.expect("delete");
    assert!(there().await, "another collection needs it");
    assert!(matches!(store.delete_document(&one.id, &first.document.id).await, Err(StoreError::NotFound(_))));
    store.delete_document(&two.id, &other.document.id).await.expect("delete");
    assert!(!there().await);
}

async fn a_document_goes_through_its_stages(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    assert_eq!(document.status, Status::InProgress);
    let job = store.take_job(WORKER, LONG).await.expect("job").expect("one job");
    assert_eq!((job.stage, job.attempts, job.document.key), (Stage::Extract, 1, document.key));
    assert!(store.take_job(WORKER, LONG).await.expect("job").is_none(), "it is taken");
    store.release_jobs(WORKER).await.expect("as after a start");
    assert_eq!(store.take_job(WORKER, LONG).await.expect("job").expect("again").attempts, 2);
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let job = store.take_job(WORKER, LONG).await.expect("job").expect("next stage");
    assert_eq!((job.stage, job.attempts, job.document.chunks), (Stage::Embed, 1, 2));
    store.return_job(WORKER, document.key).await.expect("return");
    assert_eq!(store.take_job(WORKER, LONG).await.expect("job").expect("again").attempts, 1);
    store.complete_document(document.key, None, None).await.expect("complete");
    let document = store.document(&c.id, &document.id).await.expect("one");
    assert_eq!((document.status, document.pages), (Status::Completed, Some(2)));

    let bad = add(store, &c.id, b"two").await.document;
    let failure = Failure { code: "no_text".into(), message: "Nothing to read.".into() };
    store.fail_document(bad.key, failure.clone()).await.expect("fail");
    assert_eq!(store.document(&c.id, &bad.id).await.expect("one").failure, Some(failure));
    let counts = store.document_counts(&c.id).await.expect("counts");
    assert_eq!(
        counts,
        DocumentCounts { in_progress: 0, completed: 1, failed: 1, cancelled: 0, bytes: 6, chunks: 2 }
    );
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
    let again = add(store, &c.id, b"two").await;
    assert_eq!((again.created, again.document.status), (false, Status::InProgress));
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_some(), "what failed is tried anew");
}

async fn reading_back_keeps_order_and_to_its_limits(store: &dyn Store) {
    let (c, other) = (collection(store, "c").await, collection(store, "other").await);
    let document = add(store, &c.id, b"one").await.document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let ids: Vec<_> = all_changes(store, &c.id, 0).await.added.iter().map(|a| a.id).collect();
    let asked = [ids[1], 9_999, ids[0]];
    let found = store.read_chunks(&c.id, &asked, soon()).await.expect("read");
    assert_eq!(found.iter().map(|f| f.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert_eq!(found[0].chunk, chunk("beta", 100));
    assert!(store.read_chunks(&other.id, &asked, soon()).await.expect("read").is_empty());
    let past = Instant::now() - Duration::from_millis(1);
    assert!(matches!(store.read_chunks(&c.id, &asked, past).await, Err(StoreError::Deadline)));
    let whole = store.whole_documents(&c.id, None, 1_000, soon()).await.expect("read").expect("it fits");
    assert_eq!(whole.iter().map(|f| f.chunk.text.as_str()).collect::<Vec<_>>(), ["alpha", "beta"]);
    assert!(store.whole_documents(&c.id, None, 103, soon()).await.expect("read").is_none());
    let sizes = |most| store.whole_sizes(&c.id, None, most, 6, soon());
    // 104 bytes that nobody counted: 17 tokens at least.
    assert_eq!(
        sizes(17).await.expect("read"),
        Some(vec![WholeSize { document: document.key, tokens: None }])
    );
    assert_eq!(sizes(16).await.expect("read"), None);
    store.note_whole_size(document.key, 40).await.expect("note");
    store.note_whole_size(document.key, 1).await.expect("what is counted stays");
    assert_eq!(
        sizes(40).await.expect("read"),
        Some(vec![WholeSize { document: document.key, tokens: Some(40) }])
    );
    assert_eq!(sizes(39).await.expect("read"), None);
    let none = store.whole_sizes(&c.id, Some(&[]), 1, 6, soon()).await.expect("read");
    assert_eq!(none, Some(Vec::new()));
    let foreign = store.whole_documents(&other.id, Some(&[document.key]), 1_000, soon()).await.expect("read");
    assert!(foreign.is_none_or(|chunks| chunks.is_empty()));
    let outlines = store.outlines(&c.id, None, 5, soon()).await.expect("outlines");
    assert_eq!(outlines[0].outline, read(&[]).outline);
}
