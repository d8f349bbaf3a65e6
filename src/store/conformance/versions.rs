//! What every [`Store`] promises of versions of a document, as tests that take any implementation.

use std::future::Future;
use std::time::{Duration, Instant};

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

async fn collection(store: &dyn Store) -> CollectionId {
    store.create_collection(new_collection("c")).await.expect("create").id
}

async fn add(store: &dyn Store, c: &CollectionId, bytes: &[u8]) -> AddedDocument {
    add_named(store, c, ("a.txt", bytes), OnConflict::Replace).await
}

async fn extract(store: &dyn Store, document: &DocumentRecord, texts: &[&str]) {
    store.commit_chunks(document.key, read(texts), Quotas::default()).await.expect("commit");
}

/// Reads and completes it.
async fn finish(store: &dyn Store, document: &DocumentRecord, texts: &[&str]) {
    extract(store, document, texts).await;
    store.publish_document(document.key).await.expect("publish");
    store.complete_document(document.key, None, None).await.expect("complete");
}

/// The texts that readers see: all of them, whichever way.
async fn seen(store: &dyn Store, c: &CollectionId) -> Vec<String> {
    let whole = store.whole_documents(c, None, 1_000_000, soon()).await.expect("read").expect("it fits");
    let texts: Vec<String> = whole.iter().map(|found| found.chunk.text.clone()).collect();
    let all: Vec<ChunkId> = (0..100).collect();
    let by_id = store.read_chunks(c, &all, soon()).await.expect("read");
    assert_eq!(by_id.iter().map(|found| found.chunk.text.clone()).collect::<Vec<_>>(), texts);
    let outlined = store.outlines(c, None, 10, soon()).await.expect("outlines");
    let documents: std::collections::BTreeSet<_> = whole.iter().map(|found| found.document).collect();
    assert_eq!(outlined.iter().map(|o| o.document).collect::<std::collections::BTreeSet<_>>(), documents);
    let filtered = store.document_attributes(c, soon()).await.expect("attributes");
    assert!(documents.iter().all(|key| filtered.iter().any(|(found, _)| found == key)));
    texts
}

/// What an index holds that applied everything.
async fn indexed(store: &dyn Store, c: &CollectionId) -> Vec<String> {
    let changes = store.chunk_changes(c, ChunkMark::default(), usize::MAX).await.expect("changes");
    changes.added.into_iter().map(|chunk| chunk.text).collect()
}

async fn failed(store: &dyn Store, document: &DocumentRecord) {
    let failure = Failure { code: "no_text".into(), message: "Nothing.".into() };
    store.fail_document(document.key, failure).await.expect("fail");
}

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    a_new_version_takes_the_place_in_one_commit(&empty().await).await;
    a_version_that_fails_leaves_the_one_before(&empty().await).await;
    a_third_version_supersedes_the_second(&empty().await).await;
    what_waits_answers_once_the_one_before_is_deleted(&empty().await).await;
    bytes_of_an_older_version_are_a_new_one(&empty().await).await;
    kept_ones_stay_and_their_name_is_not_clear(&empty().await).await;
    what_waits_is_kept_where_that_is_asked_for(&empty().await).await;
    what_failed_under_one_name_stands_under_another(&empty().await).await;
    names_are_compared_in_one_form(&empty().await).await;
    what_goes_makes_room(&empty().await).await;
}

async fn a_new_version_takes_the_place_in_one_commit(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    assert_eq!(first.replaces, None);
    finish(store, &first, &["first"]).await;
    store.set_attributes(&c, &first.id, r#"{"year":1}"#).await.expect("attributes");
    let second = add(store, &c, b"two").await;
    assert!(second.created);
    let second = second.document;
    assert_eq!((&second.replaces, second.attributes.as_str()), (&Some(first.id.clone()), r#"{"year":1}"#));
    store.set_attributes(&c, &first.id, r#"{"year":2}"#).await.expect("attributes");
    // Also those that the old one is attached once more with.
    let again = Attachment {
        file: FileId(first.id.0.clone()),
        attributes: Some(r#"{"year":3}"#.into()),
        chunking: None,
    };
    let (collection, attachments) = (c.clone(), vec![again]);
    let (owner, sight, batch, quotas) = (None, Sight::Everything, false, Quotas::default());
    let again = NewAttachments { collection, owner, sight, attachments, batch, quotas };
    store.attach(again).await.expect("attached");
    let revision = store.collection(&c).await.expect("one").revision;
    extract(store, &second, &["second", "more"]).await;
    let waiting = store.chunks_without_vector("f", Some(second.key), 0, 10).await.expect("waiting");
    let vectors = waiting.iter().map(|chunk| (chunk.id, vec![1.0])).collect();
    store.commit_vectors("f", vectors).await.expect("vectors");
    // Out of sight, for indexes too.
    assert_eq!(seen(store, &c).await, ["first"]);
    assert_eq!(indexed(store, &c).await, ["first"]);
    assert!(store.vector_changes(&c, "f", 0, 100).await.expect("changes").added.is_empty());
    assert_eq!(store.collection(&c).await.expect("one").revision, revision);
    let counts = store.document_counts(&c).await.expect("counts");
    assert_eq!((counts.in_progress, counts.completed), (1, 1));
    // Published twice, as after a crash in between: indexes have both, readers the first alone.
    for _ in 0..2 {
        store.publish_document(second.key).await.expect("publish");
        assert_eq!(seen(store, &c).await, ["first"]);
        assert_eq!(indexed(store, &c).await, ["first", "second", "more"]);
        let vectors = store.vector_changes(&c, "f", revision, 100).await.expect("changes").added;
        assert_eq!(vectors.len(), 2);
    }
    assert_eq!(store.collection(&c).await.expect("one").revision, revision + 1);
    assert_eq!(store.find_document(&c, "a.txt", soon()).await.expect("one").id, first.id);
    store.complete_document(second.key, None, None).await.expect("complete");
    assert_eq!(seen(store, &c).await, ["second", "more"]);
    assert_eq!(indexed(store, &c).await, ["second", "more"]);
    assert!(matches!(store.document(&c, &first.id).await, Err(StoreError::NotFound(_))));
    assert_eq!(original(store, &first.sha256).await, None, "its original goes with it");
    let found = store.find_document(&c, "a.txt", soon()).await.expect("one");
    assert_eq!((found.id, found.replaces, found.attributes.as_str()), (second.id, None, r#"{"year":3}"#));
    let counts = store.document_counts(&c).await.expect("counts");
    assert_eq!((counts.total(), counts.completed), (1, 1));
}

async fn a_version_that_fails_leaves_the_one_before(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    extract(store, &second, &["second"]).await;
    failed(store, &second).await;
    assert_eq!(
        (seen(store, &c).await, indexed(store, &c).await),
        (vec!["first".into()], vec!["first".into()])
    );
    let stands = store.document(&c, &second.id).await.expect("it says why");
    assert_eq!((stands.status, stands.replaces), (Status::Failed, Some(first.id.clone())));
    assert_eq!(store.find_document(&c, "a.txt", soon()).await.expect("one").id, first.id);
    // The same bytes once more: it is tried anew, and still waits.
    let again = add(store, &c, b"two").await;
    assert_eq!((again.created, &again.document.id), (false, &second.id));
    assert_eq!(
        (again.document.status, again.document.replaces),
        (Status::InProgress, Some(first.id.clone()))
    );
    failed(store, &second).await;
    // Others: the failed one goes at once.
    let third = add(store, &c, b"three").await.document;
    assert!(matches!(store.document(&c, &second.id).await, Err(StoreError::NotFound(_))));
    finish(store, &third, &["third"]).await;
    assert_eq!(seen(store, &c).await, ["third"]);
}

async fn a_third_version_supersedes_the_second(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    // The first is not complete either.
    extract(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    extract(store, &second, &["second"]).await;
    let third = add(store, &c, b"three").await.document;
    assert_eq!(third.replaces, Some(first.id.clone()));
    assert!(matches!(store.document(&c, &second.id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.complete_document(second.key, None, None).await, Err(StoreError::NotFound(_))));
    assert_eq!(original(store, &second.sha256).await, None);
    assert_eq!(seen(store, &c).await, ["first"]);
    finish(store, &third, &["third"]).await;
    assert_eq!(seen(store, &c).await, ["third"]);
    assert!(matches!(store.complete_document(first.key, None, None).await, Err(StoreError::NotFound(_))));
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
}

async fn what_waits_answers_once_the_one_before_is_deleted(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    extract(store, &second, &["second"]).await;
    store.delete_document(&c, &first.id).await.expect("delete");
    assert_eq!(
        (seen(store, &c).await, indexed(store, &c).await),
        (vec!["second".into()], vec!["second".into()])
    );
    assert_eq!(store.document(&c, &second.id).await.expect("one").replaces, None);
    store.complete_document(second.key, None, None).await.expect("complete");
    // And the other way round.
    let third = add(store, &c, b"three").await.document;
    extract(store, &third, &["third"]).await;
    store.delete_document(&c, &third.id).await.expect("delete");
    assert_eq!(seen(store, &c).await, ["second"]);
    // By its file, from all collections.
    let fourth = add(store, &c, b"four").await.document;
    extract(store, &fourth, &["fourth"]).await;
    store.delete_file(&FileId(second.id.0)).await.expect("delete");
    assert_eq!(seen(store, &c).await, ["fourth"]);
}

async fn bytes_of_an_older_version_are_a_new_one(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    finish(store, &second, &["second"]).await;
    assert!(!add(store, &c, b"two").await.created, "nothing happens");
    let back = add(store, &c, b"one").await;
    assert!(back.created);
    assert_ne!(back.document.id, first.id);
    // Those that answer, while others wait: these are what is wanted again.
    let present = add(store, &c, b"two").await;
    assert_eq!((present.created, &present.document.id), (false, &second.id));
    assert!(matches!(store.document(&c, &back.document.id).await, Err(StoreError::NotFound(_))));
    // The same bytes under another name are that document, unless the name has others already.
    let elsewhere = add_named(store, &c, ("b.txt", b"two"), OnConflict::Replace).await;
    assert_eq!((elsewhere.created, &elsewhere.document.id), (false, &second.id));
    let other = add_named(store, &c, ("b.txt", b"other"), OnConflict::Replace).await.document;
    finish(store, &other, &["other"]).await;
    let same = add_named(store, &c, ("b.txt", b"two"), OnConflict::Replace).await;
    assert_eq!((same.created, &same.document.replaces), (true, &Some(other.id)));
}

async fn kept_ones_stay_and_their_name_is_not_clear(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add_named(store, &c, ("a.txt", b"two"), OnConflict::Keep).await.document;
    assert_eq!(second.replaces, None);
    extract(store, &second, &["second"]).await;
    assert_eq!(seen(store, &c).await, ["first", "second"]);
    store.complete_document(second.key, None, None).await.expect("complete");
    assert_eq!(seen(store, &c).await, ["first", "second"]);
    assert!(matches!(store.find_document(&c, "a.txt", soon()).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.find_document(&c, &first.id.0, soon()).await.expect("by id").id, first.id);
    // A version replaces all that have its name, and the name is clear again.
    let third = add(store, &c, b"three").await.document;
    finish(store, &third, &["third"]).await;
    assert_eq!(seen(store, &c).await, ["third"]);
    assert_eq!(store.find_document(&c, "a.txt", soon()).await.expect("one").id, third.id);
}

async fn what_waits_is_kept_where_that_is_asked_for(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    extract(store, &second, &["second"]).await;
    assert_eq!(seen(store, &c).await, ["first"]);
    let kept = add_named(store, &c, ("a.txt", b"two"), OnConflict::Keep).await;
    assert_eq!((kept.created, &kept.document.id), (false, &second.id));
    assert_eq!(kept.document.replaces, None);
    assert_eq!(seen(store, &c).await, ["first", "second"]);
    assert_eq!(indexed(store, &c).await, ["first", "second"]);
    store.complete_document(second.key, None, None).await.expect("complete");
    assert_eq!(seen(store, &c).await, ["first", "second"]);
    // One that failed waits no more either.
    let third = add_named(store, &c, ("b.txt", b"three"), OnConflict::Replace).await.document;
    finish(store, &third, &["third"]).await;
    let fourth = add_named(store, &c, ("b.txt", b"four"), OnConflict::Replace).await.document;
    failed(store, &fourth).await;
    let kept = add_named(store, &c, ("b.txt", b"four"), OnConflict::Keep).await;
    assert_eq!((&kept.document.id, &kept.document.replaces), (&fourth.id, &None));
    finish(store, &fourth, &["fourth"]).await;
    assert_eq!(seen(store, &c).await, ["first", "second", "third", "fourth"]);
}

async fn what_failed_under_one_name_stands_under_another(store: &dyn Store) {
    let c = collection(store).await;
    let first = add(store, &c, b"one").await.document;
    finish(store, &first, &["first"]).await;
    let second = add(store, &c, b"two").await.document;
    failed(store, &second).await;
    let renamed = add_named(store, &c, ("b.txt", b"two"), OnConflict::Replace).await;
    assert_eq!((renamed.created, &renamed.document.id), (false, &second.id));
    assert_eq!(renamed.document.replaces, None);
    finish(store, &second, &["second"]).await;
    assert_eq!(seen(store, &c).await, ["first", "second"]);
    assert_eq!(indexed(store, &c).await, ["first", "second"]);
    for (name, id) in [("a.txt", &first.id), ("b.txt", &second.id)] {
        assert_eq!(&store.find_document(&c, name, soon()).await.expect(name).id, id);
    }
    // And what waited for one that has another name now.
    let third = add_named(store, &c, ("c.txt", b"three"), OnConflict::Replace).await.document;
    let fourth = add_named(store, &c, ("c.txt", b"four"), OnConflict::Replace).await.document;
    assert_eq!(fourth.replaces, Some(third.id.clone()));
    failed(store, &third).await;
    let renamed = add_named(store, &c, ("d.txt", b"three"), OnConflict::Replace).await;
    assert_eq!(renamed.document.id, third.id);
    assert_eq!(store.document(&c, &fourth.id).await.expect("one").replaces, None);
    finish(store, &fourth, &["fourth"]).await;
    assert_eq!(seen(store, &c).await, ["first", "second", "fourth"]);
}

async fn names_are_compared_in_one_form(store: &dyn Store) {
    let (c, other) = (collection(store).await, collection(store).await);
    let (composed, apart) = ("relat\u{f3}rio.txt", "relato\u{301}rio.txt");
    let first = add_named(store, &c, (apart, b"one"), OnConflict::Replace).await.document;
    finish(store, &first, &["first"]).await;
    for name in [composed, apart] {
        let found = store.find_document(&c, name, soon()).await.expect("one");
        assert_eq!((found.id, found.filename.as_str()), (first.id.clone(), apart), "as it was given");
        assert_eq!(store.documents_named(&c, name).await.expect("some").len(), 1);
        assert!(matches!(store.find_document(&other, name, soon()).await, Err(StoreError::NotFound(_))));
    }
    let second = add_named(store, &c, (composed, b"two"), OnConflict::Replace).await.document;
    assert_eq!(second.replaces, Some(first.id));
    let past = Instant::now() - Duration::from_millis(1);
    assert!(matches!(store.find_document(&c, composed, past).await, Err(StoreError::Deadline)));
}

async fn what_goes_makes_room(store: &dyn Store) {
    let c = collection(store).await;
    let quota = Quota { documents: Some(1), bytes: Some(6), chunks: Some(2) };
    let quotas = Quotas { owner: quota, collection: quota };
    let add = async |filename: &str, bytes: &[u8]| {
        let blob = store.blobs().stage(bytes).await.expect("stage");
        let (collection, owner) = (c.clone(), Some("key_1".to_owned()));
        let on_conflict = OnConflict::Replace;
        store
            .add_document(NewDocument {
                collection,
                filename: filename.into(),
                blob,
                owner,
                quotas,
                on_conflict,
            })
            .await
    };
    let first = add("a.txt", b"123456").await.expect("it fits").document;
    store.commit_chunks(first.key, read(&["1", "2"]), quotas).await.expect("commit");
    store.complete_document(first.key, None, None).await.expect("complete");
    assert!(matches!(add("b.txt", b"1").await, Err(StoreError::Quota { .. })));
    assert!(matches!(add("a.txt", b"1234567").await, Err(StoreError::Quota { .. })));
    let second = add("a.txt", b"654321").await.expect("as much as goes").document;
    assert!(store.commit_chunks(second.key, read(&["1", "2", "3"]), quotas).await.is_err());
    store.commit_chunks(second.key, read(&["3", "4"]), quotas).await.expect("as much as goes");
    store.publish_document(second.key).await.expect("publish");
    store.complete_document(second.key, None, None).await.expect("complete");
    let allowances = store.allowances(Some("key_1"), Some(&c), quotas).await.expect("allowances");
    assert_eq!(allowances.len(), 4);
    for allowance in allowances {
        assert_eq!(
            (allowance.held, allowance.replaceable),
            (allowance.most, allowance.most),
            "{allowance:?}"
        );
        assert!(allowance.check(1, 0).is_err() && allowance.check(1, 1).is_ok());
    }
    assert!(store.allowances(None, None, Quotas::default()).await.expect("allowances").is_empty());
}
