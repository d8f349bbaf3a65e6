//! What every [`Store`] must do with what was removed: nothing is told of it that is not so, and nothing stays of it.

use std::future::Future;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    stores_are_told_from_one_another(&empty().await, &empty().await).await;
    text_is_there_until_it_is_removed(&empty().await).await;
    removals_are_told_until_they_are_forgotten(&empty().await).await;
    a_collection_over_its_time_is_empty_and_may_be_used_again(&empty().await).await;
}

async fn document(store: &dyn Store, collection: &CollectionId, bytes: &[u8]) -> DocumentRecord {
    let new = NewDocument {
        collection: collection.clone(),
        filename: "a.txt".into(),
        blob: store.blobs().stage(bytes).await.expect("stage"),
        owner: None,
        quotas: Quotas::default(),
        on_conflict: OnConflict::Keep,
    };
    let document = store.add_document(new).await.expect("a document").document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("chunks");
    store.document(collection, &document.id).await.expect("a document")
}

async fn stores_are_told_from_one_another(one: &dyn Store, two: &dyn Store) {
    let identity = one.identity().to_owned();
    assert!(!identity.is_empty() && identity != two.identity());
    one.create_collection(new_collection("")).await.expect("a collection");
    assert_eq!(one.identity(), identity);
}

async fn text_is_there_until_it_is_removed(store: &dyn Store) {
    let c = async || store.create_collection(new_collection("")).await.expect("a collection").id;
    let (one, two) = (c().await, c().await);
    let (first, second) = (document(store, &one, b"1").await, document(store, &two, b"2").await);
    let have = async |collections: &[&CollectionId], documents: &[&DocumentRecord]| {
        let collections: Vec<_> = collections.iter().map(|id| (*id).clone()).collect();
        let documents: Vec<_> = documents.iter().map(|document| document.id.clone()).collect();
        store.have_text(&collections, &documents).await.expect("an answer")
    };
    assert!(have(&[], &[]).await && have(&[&one, &two], &[&first, &second]).await);
    assert!(!have(&[&two], &[&first, &second]).await && !have(&[], &[&first]).await);
    let failure = Failure { code: "a".into(), message: "b".into() };
    store.fail_document(first.key, failure).await.expect("failed");
    assert!(!have(&[&one, &two], &[&first]).await, "it has none left");
    store.delete_document(&two, &second.id).await.expect("deleted");
    assert!(!have(&[&one, &two], &[&second]).await);
    let last = document(store, &two, b"3").await;
    assert!(have(&[&two], &[&last]).await);
    delete_collection(store, &two).await;
    assert!(!have(&[&two], &[&last]).await);
    assert_eq!(original(store, &last.sha256).await, None);
}

async fn removals_are_told_until_they_are_forgotten(store: &dyn Store) {
    let c = store.create_collection(new_collection("")).await.expect("a collection").id;
    let one = document(store, &c, b"1").await;
    let before = store.collection(&c).await.expect("one");
    assert_eq!(before.removals_since, 0);
    store.delete_document(&c, &one.id).await.expect("deleted");
    let (between, two) = (store.collection(&c).await.expect("one"), document(store, &c, b"2").await);
    store.delete_document(&c, &two.id).await.expect("deleted");
    let removed = async |since| {
        let mark = ChunkMark::at(since);
        store.chunk_changes(&c, mark, usize::MAX).await.expect("changes").removed.len()
    };
    assert_eq!((removed(before.revision).await, removed(between.revision).await), (4, 2));
    store.forget_removals(&c, between.revision).await.expect("forgotten");
    store.forget_removals(&c, before.revision).await.expect("nothing more");
    let now = store.collection(&c).await.expect("one");
    assert!(now.removals_since > before.revision && now.removals_since <= between.revision);
    assert_eq!(removed(now.removals_since).await, 2, "the later ones are told");
    let last = async || {
        let all = store.chunk_revisions().await.expect("revisions");
        all.into_iter().find(|(id, _)| *id == c).map(|(_, revision)| revision)
    };
    assert_eq!(last().await, Some(now.revision), "the last removal is told");
    store.forget_removals(&c, now.revision).await.expect("forgotten");
    assert_eq!(last().await, None, "there is no chunk, and none is told to be gone");
    let three = document(store, &c, b"3").await;
    let at = store.collection(&c).await.expect("one").revision;
    assert_eq!(last().await, Some(at));
    let chunks = store.chunks_without_vector("f", Some(three.key), 0, 1).await.expect("chunks");
    let vectors = chunks.iter().map(|chunk| (chunk.id, vec![1.0])).collect();
    store.commit_vectors("f", vectors).await.expect("vectors");
    assert!(store.collection(&c).await.expect("one").revision > at);
    assert_eq!(last().await, Some(at), "vectors change no chunk");
}

async fn a_collection_over_its_time_is_empty_and_may_be_used_again(store: &dyn Store) {
    let c = store.create_collection(new_collection("")).await.expect("a collection").id;
    let gone = document(store, &c, b"1").await;
    let before = store.collection(&c).await.expect("one");
    store.expire_collection(&c).await.expect("expired");
    assert_eq!(original(store, &gone.sha256).await, None);
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
    let changes = store.chunk_changes(&c, ChunkMark::at(before.revision), usize::MAX).await.expect("changes");
    assert_eq!(changes.removed.len(), 2, "indexes are told");
    let again = CollectionUpdate { expires_days: Some(None), ..CollectionUpdate::default() };
    store.update_collection(&c, again).await.expect("another policy");
    let new = document(store, &c, b"1").await;
    assert!(store.have_text(&[c], &[new.id]).await.expect("an answer"));
}
