//! What every [`Store`] must do. An implementation's tests call [`store`] with a way to make an empty one.
//!
//! It names nothing but what the store's module exports, so that the tests of another crate can take it in.

mod catalog;
mod files;
mod housekeeping;
mod jobs;
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
    changes_are_told_since_a_revision_and_ids_are_never_used_twice(&empty().await).await;
    chunks_are_told_in_parts_that_end_within_revisions(&empty().await).await;
    vectors_of_deleted_chunks_are_dropped(&empty().await).await;
    many_vectors_are_told_by_whole_revisions(&empty().await).await;
    reading_back_keeps_order_and_to_its_limits(&empty().await).await;
    keys_are_kept_with_their_grants_and_never_forgotten(&empty().await).await;
    catalog::store(&empty).await;
    files::store(&empty).await;
    housekeeping::store(&empty).await;
    jobs::store(&empty).await;
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

async fn changes_are_told_since_a_revision_and_ids_are_never_used_twice(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let first = all_changes(store, &c.id, 0).await;
    assert_eq!(first.added.len(), 2);
    let revision = first.until.revision;
    assert!(revision > 0 && first.removed.is_empty() && !first.more);
    let ids: Vec<_> = first.added.iter().map(|a| a.id).collect();
    let vectors = ids.iter().map(|id| (*id, vec![0.5, -0.5])).collect();
    store.commit_vectors("f", vectors).await.expect("vectors");
    assert_eq!(store.vectors_of(vec![document.key], "f").await.expect("a count"), [ids.len() as u32]);
    assert_eq!(store.vectors_of(vec![document.key], "other").await.expect("a count"), [0]);
    let vectors = store.vector_changes(&c.id, "f", revision, ALL).await.expect("changes");
    assert!(vectors.revision > revision);
    assert_eq!(vectors.added[0], (ids[0], document.key, vec![0.5, -0.5]));
    assert!(store.vector_changes(&c.id, "other", 0, ALL).await.expect("changes").added.is_empty());

    store.delete_document(&c.id, &document.id).await.expect("delete");
    let after = store.vector_changes(&c.id, "f", vectors.revision, ALL).await.expect("changes");
    assert_eq!((after.removed, after.added.len()), (ids.clone(), 0));
    let document = add(store, &c.id, b"one").await.document;
    store.commit_chunks(document.key, read(&["gamma"]), Quotas::default()).await.expect("commit");
    let last = all_changes(store, &c.id, revision).await;
    assert_eq!(last.removed, ids);
    assert!(last.added.iter().all(|a| !ids.contains(&a.id)));
    // An index that stands at the beginning may hold a part of a first fill.
    let anew = all_changes(store, &c.id, 0).await;
    assert_eq!((anew.removed, anew.added.len()), (ids, 1));
}

async fn chunks_are_told_in_parts_that_end_within_revisions(store: &dyn Store) {
    let c = collection(store, "c").await;
    let texts: Vec<String> = (0..40).map(|n| format!("{n:>100}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let first = add(store, &c.id, b"one").await.document;
    store.commit_chunks(first.key, read(&texts), Quotas::default()).await.expect("commit");
    let second = add(store, &c.id, b"two").await.document;
    store.commit_chunks(second.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let whole = all_changes(store, &c.id, 0).await;
    let all: Vec<ChunkId> = whole.added.iter().map(|chunk| chunk.id).collect();
    assert_eq!(
        (all.len(), whole.until),
        (42, ChunkMark::at(store.collection(&c.id).await.expect("one").revision))
    );
    for most in [0, 1, 1_000, 2_000, 100_000] {
        let (mut mark, mut told, mut parts) = (ChunkMark::default(), Vec::new(), 0);
        loop {
            let part = store.chunk_changes(&c.id, mark, most).await.expect("a part");
            let ids: Vec<ChunkId> = part.added.iter().map(|chunk| chunk.id).collect();
            assert!(!ids.is_empty() && part.removed.is_empty());
            assert!(most > 1 || ids.len() == 1, "{ids:?}");
            (mark, parts) = (part.until, parts + 1);
            told.extend(ids);
            // What is claimed is there: going on from it as a whole revision leaves nothing out.
            let claimed = ChunkMark::at(mark.revision);
            let rest = store.chunk_changes(&c.id, claimed, ALL).await.expect("the rest").added;
            assert!(all.iter().all(|id| told.contains(id) || rest.iter().any(|chunk| chunk.id == *id)));
            if !part.more {
                break;
            }
        }
        assert_eq!((&told, mark), (&all, whole.until), "{most}");
        assert!(parts > 1 || most == 100_000, "{parts} parts of {most}");
    }

    // What goes while parts are told is told as removed, be it told before or not.
    let part = store.chunk_changes(&c.id, ChunkMark::default(), 1_000).await.expect("a part");
    assert!(part.more && part.added.len() < 40);
    store.delete_document(&c.id, &first.id).await.expect("delete");
    let rest = store.chunk_changes(&c.id, part.until, ALL).await.expect("the rest");
    assert_eq!(rest.added.iter().map(|chunk| chunk.id).collect::<Vec<_>>(), all[40..]);
    assert_eq!((rest.removed, rest.more), (all[..40].to_vec(), false));
    let again = store.chunk_changes(&c.id, rest.until, ALL).await.expect("nothing");
    assert_eq!((again.added.len(), again.removed.len(), again.until), (0, 0, rest.until));
}

async fn vectors_of_deleted_chunks_are_dropped(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let waiting = store.chunks_without_vector("f", Some(document.key), 0, 10).await.expect("waiting");
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting[0].headings, ["Title", "Part"]);
    store.commit_vectors("f", vec![(waiting[0].id, vec![1.0])]).await.expect("vectors");
    assert!(
        store.chunks_without_vector("f", None, 0, 10).await.expect("waiting").is_empty(),
        "a job is at them"
    );
    store.complete_document(document.key, None, None).await.expect("complete");
    assert_eq!(store.chunks_without_vector("f", None, 0, 10).await.expect("waiting"), waiting[1..]);
    assert!(store.chunks_without_vector("f", None, waiting[1].id, 10).await.expect("waiting").is_empty());
    store.delete_document(&c.id, &document.id).await.expect("delete");
    store.commit_vectors("f", vec![(waiting[1].id, vec![1.0])]).await.expect("no error");
    assert!(store.vector_changes(&c.id, "f", 0, ALL).await.expect("changes").added.is_empty());
    assert!(matches!(
        store.commit_chunks(document.key, read(&["late"]), Quotas::default()).await,
        Err(StoreError::NotFound(_))
    ));
}

async fn many_vectors_are_told_by_whole_revisions(store: &dyn Store) {
    let c = collection(store, "c").await;
    let mut ids = Vec::new();
    for (bytes, texts) in [(b"one", ["a", "b"]), (b"two", ["c", "d"]), (b"six", ["e", "f"])] {
        let document = add(store, &c.id, bytes).await.document;
        store.commit_chunks(document.key, read(&texts), Quotas::default()).await.expect("commit");
        let new = store.chunks_without_vector("f", Some(document.key), 0, 10).await.expect("waiting");
        let vectors = new.iter().map(|chunk| (chunk.id, vec![1.0])).collect();
        store.commit_vectors("f", vectors).await.expect("vectors");
        ids.push((document, new.iter().map(|chunk| chunk.id).collect::<Vec<_>>()));
    }
    let told = |changes: VectorChanges| {
        let added: Vec<_> = changes.added.iter().map(|added| added.0).collect();
        (added, changes.removed, changes.revision)
    };
    let newest = store.collection(&c.id).await.expect("one").revision;
    // A revision is never told in parts, however little was asked for.
    for most in [0, 1, 2] {
        let (added, removed, revision) =
            told(store.vector_changes(&c.id, "f", 0, most).await.expect("changes"));
        assert_eq!((&added, &removed), (&ids[0].1, &vec![]), "{most}");
        assert!(revision < newest);
    }
    let (_, _, first) = told(store.vector_changes(&c.id, "f", 0, 1).await.expect("changes"));
    store.delete_document(&c.id, &ids[0].0.id).await.expect("delete");
    let (added, removed, second) = told(store.vector_changes(&c.id, "f", first, 3).await.expect("changes"));
    assert_eq!((added, removed), ([ids[1].1.clone(), ids[2].1.clone()].concat(), vec![]));
    let (added, removed, last) = told(store.vector_changes(&c.id, "f", second, 3).await.expect("changes"));
    assert_eq!((added, removed), (vec![], ids[0].1.clone()), "the removal has its turn");
    assert_eq!(last, store.collection(&c.id).await.expect("one").revision);
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

async fn keys_are_kept_with_their_grants_and_never_forgotten(store: &dyn Store) {
    assert!(store.keys().await.expect("keys").is_empty());
    let (one, two) = (collection(store, "one").await.id, collection(store, "two").await.id);
    let new = NewKey {
        id: "key_1".into(),
        name: "tenant".into(),
        hash: [7; 32],
        scopes: "chat".into(),
        all_collections: false,
        collections: vec![one.clone()],
        default_collection: Some(one.clone()),
        limits: "{}".into(),
        expires_at: Some(99),
    };
    let made = store.create_key(new.clone()).await.expect("create");
    assert_eq!((made.hash, made.expires_at, made.revoked_at), ([7; 32], Some(99), None));
    assert_eq!(made.collections, std::slice::from_ref(&one));
    let again = NewKey { id: "key_2".into(), ..new.clone() };
    assert!(matches!(store.create_key(again.clone()).await, Err(StoreError::KeyNameTaken(_))));
    let nowhere = CollectionId("vs_nowhere".into());
    let astray = NewKey { name: "b".into(), collections: vec![nowhere.clone()], ..again.clone() };
    assert!(matches!(store.create_key(astray).await, Err(StoreError::NotFound("collection"))));

    let both = store.grant("key_1", &[two.clone(), one.clone()]).await.expect("grant").collections;
    assert!(both.len() == 2 && both.contains(&two));
    let partly = store.grant("key_1", &[two.clone(), nowhere]).await;
    assert!(matches!(partly, Err(StoreError::NotFound("collection"))));
    assert!(matches!(store.grant("key_9", &[]).await, Err(StoreError::NotFound("key"))));
    delete_collection(store, &one).await;
    let left = store.keys().await.expect("keys");
    assert_eq!((&left[0].collections, &left[0].default_collection), (&vec![two], &None));

    store.revoke_key("key_1").await.expect("revoke");
    assert!(matches!(store.revoke_key("key_1").await, Err(StoreError::NotFound("key"))));
    assert!(matches!(store.grant("key_1", &[]).await, Err(StoreError::NotFound("key"))));
    let free = NewKey { collections: vec![], default_collection: None, ..again };
    store.create_key(free).await.expect("the name is free again");
    let all = store.keys().await.expect("keys");
    assert_eq!(all.iter().map(|key| key.revoked_at.is_some()).collect::<Vec<_>>(), [true, false]);
}
