//! What every [`Store`] must do at a start, after removals, now and then, and at the end.

use std::future::Future;
use std::time::SystemTime;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    originals_that_no_record_names_are_swept(&empty().await).await;
    removals_are_announced_and_come_to_an_end(&empty().await).await;
    vectors_of_another_model_go_once_all_are_there(&empty().await).await;
    what_there_is_is_counted(&empty().await).await;
    a_closed_store_takes_nothing_more(&empty().await).await;
}

/// The time after this process has begun, whatever clock the file system has.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(5)
}

async fn originals_that_no_record_names_are_swept(store: &dyn Store) {
    let c = collection(store, "c").await;
    let named = add(store, &c.id, b"named").await.document;
    let staged = store.blobs().stage(b"unnamed").await.expect("stage");
    let unnamed = staged.sha256.clone();
    store.blobs().adopt(staged).expect("it has its place");
    let since = store.sweep(SystemTime::UNIX_EPOCH, LONG).await.expect("swept");
    assert_eq!(since, Swept::default(), "it is newer than the process");
    let swept = store.sweep(later(), LONG).await.expect("swept");
    assert_eq!(swept, Swept { discarded: 1, ..Swept::default() });
    assert_eq!(original(store, &unnamed).await, None);
    assert!(store.blobs().holds(&unnamed), "it is in the trash");
    let swept = store.sweep(later(), Duration::ZERO).await.expect("swept");
    assert_eq!(swept, Swept { emptied: 1, ..Swept::default() });
    assert!(!store.blobs().holds(&unnamed));
    assert!(original(store, &named.sha256).await.is_some());
    store.blobs().remove(std::slice::from_ref(&named.sha256));
    let swept = store.sweep(later(), LONG).await.expect("swept");
    assert_eq!(swept, Swept { missing: 1, ..Swept::default() });
    // The same bytes once more bring it back.
    assert!(!add(store, &c.id, b"named").await.created);
    assert!(original(store, &named.sha256).await.is_some());
}

async fn removals_are_announced_and_come_to_an_end(store: &dyn Store) {
    let (c, gone) = (collection(store, "c").await.id, collection(store, "gone").await.id);
    let (one, two) = (add(store, &c, b"one").await.document, add(store, &gone, b"two").await.document);
    for document in [&one, &two] {
        store.commit_chunks(document.key, read(&["alpha"]), Quotas::default()).await.expect("chunks");
    }
    store.delete_document(&c, &one.id).await.expect("deleted");
    let told = async || tokio::time::timeout(LONG, store.removed()).await.expect("it is told");
    told().await;
    store.delete_collection(&gone).await.expect("deleted");
    told().await;
    for unfinished in store.unfinished_collections().await.expect("collections") {
        assert_eq!(unfinished, gone);
        store.clear_collection(&unfinished).await.expect("cleared");
    }
    assert!(store.unfinished_collections().await.expect("collections").is_empty());
    store.clear_collection(&gone).await.expect("there is nothing to clear");
    assert_eq!(original(store, &two.sha256).await, None);
    store.touch_collections(vec![(gone, 1)]).await.expect("who is gone is left out");
    assert!(store.tidy().await.expect("nobody reads"));
    store.forget_old().await.expect("nothing is old");
}

async fn vectors_of_another_model_go_once_all_are_there(store: &dyn Store) {
    let c = collection(store, "c").await.id;
    let document = add(store, &c, b"one").await.document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("chunks");
    let chunks = store.chunks_without_vector("old", Some(document.key), 0, 9).await.expect("chunks");
    let vectors = |which: &[UnembeddedChunk]| which.iter().map(|chunk| (chunk.id, vec![1.0])).collect();
    store.commit_vectors("old", vectors(&chunks)).await.expect("vectors");
    store.commit_vectors("new", vectors(&chunks[..1])).await.expect("vectors");
    let count = async |of| store.vectors_of(vec![document.key], of).await.expect("a count")[0];
    assert_eq!(store.forget_vectors_but("new").await.expect("none"), 0, "one is owed");
    assert_eq!((count("old").await, count("new").await), (2, 1));
    store.commit_vectors("new", vectors(&chunks[1..])).await.expect("vectors");
    assert_eq!(store.forget_vectors_but("new").await.expect("two"), 2);
    assert_eq!((count("old").await, count("new").await), (0, 2));
}

async fn what_there_is_is_counted(store: &dyn Store) {
    let (c, empty) = (collection(store, "c").await.id, collection(store, "empty").await.id);
    let done = add(store, &c, b"one").await.document;
    store.commit_chunks(done.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("chunks");
    store.complete_document(done.key, None, None).await.expect("complete");
    add(store, &c, b"three").await;
    let holdings = store.holdings(soon()).await.expect("holdings");
    assert_eq!(holdings.jobs, 1);
    let mut found: Vec<_> =
        holdings.collections.into_iter().map(|h| (h.id, h.documents, h.chunks, h.bytes)).collect();
    found.sort_by_key(|(_, documents, ..)| *documents);
    assert_eq!(found, [(empty, 0, 0, 0), (c, 2, 2, 8)]);
    let past = Instant::now() - Duration::from_millis(1);
    assert!(matches!(store.holdings(past).await, Err(StoreError::Deadline)));
}

async fn a_closed_store_takes_nothing_more(store: &dyn Store) {
    let c = collection(store, "c").await.id;
    store.check_writable().await.expect("there is room");
    store.close().await.expect("closed");
    let late = store.create_collection(new_collection("late")).await;
    assert!(matches!(late, Err(StoreError::Closed)));
    assert!(matches!(store.take_job(WORKER, LONG).await, Err(StoreError::Closed)));
    let staged = store.blobs().stage(b"late").await.expect("stage");
    let sha256 = staged.sha256.clone();
    let new = NewDocument {
        collection: c.clone(),
        filename: "late".into(),
        blob: staged,
        owner: None,
        quotas: Quotas::default(),
        on_conflict: OnConflict::Replace,
    };
    assert!(matches!(store.add_document(new).await, Err(StoreError::Closed)));
    assert!(!store.blobs().holds(&sha256), "bytes that were refused do not stay");
    assert_eq!(store.collections().await.expect("what was written is read").len(), 1);
}
