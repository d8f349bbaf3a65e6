//! What every [`Store`] must do with files, their documents, batches, and what is over its time.

use std::future::Future;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    a_file_stands_alone_and_in_many_collections(&empty().await).await;
    files_exist_for_their_owner_and_through_collections(&empty().await).await;
    pages_meet_without_gap_or_repetition(&empty().await).await;
    a_place_outlives_its_element(&empty().await).await;
    attaching_is_all_or_nothing_and_may_be_repeated(&empty().await).await;
    batches_are_counted_and_cancelled(&empty().await).await;
    quotas_are_kept(&empty().await).await;
    files_of_synced_folders_stay(&empty().await).await;
    what_is_over_its_time_is_told_and_removed(&empty().await).await;
}

async fn file(store: &dyn Store, owner: Option<&str>, bytes: &[u8]) -> FileRecord {
    let blob = store.blobs().stage(bytes).await.expect("stage");
    let new = NewFile {
        owner: owner.map(str::to_owned),
        filename: "a.txt".into(),
        purpose: "assistants".into(),
        expires_in: None,
        blob,
        quota: Quota::default(),
    };
    store.add_file(new).await.expect("a file")
}

async fn collection(store: &dyn Store) -> CollectionId {
    store.create_collection(new_collection("")).await.expect("a collection").id
}

fn attaching(collection: &CollectionId, files: &[&FileId]) -> NewAttachments {
    let attachment = |file: &&FileId| Attachment { file: (*file).clone(), attributes: None, chunking: None };
    NewAttachments {
        collection: collection.clone(),
        owner: None,
        sight: Sight::Everything,
        attachments: files.iter().map(attachment).collect(),
        batch: true,
        quotas: Quotas::default(),
    }
}

fn first(limit: usize) -> Page {
    Page { after: None, before: None, limit, descending: false }
}

async fn a_file_stands_alone_and_in_many_collections(store: &dyn Store) {
    let (one, two) = (collection(store).await, collection(store).await);
    let (kept, twin) = (file(store, None, b"same").await, file(store, None, b"same").await);
    assert_ne!(kept.id, twin.id, "equal bytes are two files");
    for c in [&one, &two] {
        store.attach(attaching(c, &[&kept.id])).await.expect("attach");
    }
    let document = DocumentId(kept.id.0.clone());
    let key = store.document(&one, &document).await.expect("a document").key;
    store.commit_chunks(key, read(&["alpha"]), Quotas::default()).await.expect("chunks");
    store.delete_document(&one, &document).await.expect("detach");
    delete_collection(store, &two).await;
    let there = async || original(store, &kept.sha256).await.is_some();
    assert!(there().await && store.file(&Sight::Everything, &kept.id).await.is_ok(), "the file stands alone");
    store.attach(attaching(&one, &[&kept.id])).await.expect("attach");
    let key = store.document(&one, &document).await.expect("a document").key;
    store.commit_chunks(key, read(&["beta"]), Quotas::default()).await.expect("chunks");
    let before = store.chunk_changes(&one, ChunkMark::default(), usize::MAX).await.expect("changes");
    assert_eq!(store.delete_file(&kept.id).await.expect("delete"), std::slice::from_ref(&one));
    let after = store.chunk_changes(&one, before.until, usize::MAX).await.expect("changes");
    assert_eq!(after.removed, [before.added[0].id], "its documents are gone from the indexes");
    assert!(matches!(store.file(&Sight::Everything, &kept.id).await, Err(StoreError::UnknownFile(_))));
    assert!(there().await, "the other file needs the bytes");
    store.delete_file(&twin.id).await.expect("delete");
    assert!(!there().await);
}

async fn files_exist_for_their_owner_and_through_collections(store: &dyn Store) {
    let c = collection(store).await;
    let (mine, theirs) = (file(store, Some("me"), b"1").await, file(store, Some("them"), b"2").await);
    let sight = |collections: &[&CollectionId]| Sight::Of {
        owner: "me".into(),
        collections: collections.iter().map(|c| (*c).clone()).collect(),
    };
    let ids = async |sight: &Sight| {
        let page = store.files(sight, None, first(9)).await.expect("files");
        page.items.into_iter().map(|f| f.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&sight(&[])).await, std::slice::from_ref(&mine.id));
    assert!(matches!(store.file(&sight(&[]), &theirs.id).await, Err(StoreError::UnknownFile(_))));
    let cursor = Page { after: Some(theirs.id.0.clone()), ..first(9) };
    assert!(matches!(store.files(&sight(&[]), None, cursor).await, Err(StoreError::Cursor { .. })));
    let foreign = NewAttachments { sight: sight(&[]), ..attaching(&c, &[&theirs.id]) };
    assert!(matches!(store.attach(foreign).await, Err(StoreError::UnknownFile(_))));
    store.attach(attaching(&c, &[&theirs.id])).await.expect("attach");
    assert_eq!(ids(&sight(&[&c])).await, [mine.id.clone(), theirs.id.clone()]);
    assert_eq!(ids(&sight(&[])).await.len(), 1);
    // That it could not be read is told to who sees where.
    let other = collection(store).await;
    store.attach(attaching(&c, &[&mine.id])).await.expect("attach");
    let key = store.document(&c, &DocumentId(mine.id.0.clone())).await.expect("a document").key;
    let failure = Failure { code: "no_text".into(), message: "It is empty.".into() };
    store.fail_document(key, failure).await.expect("fail");
    let told = async |sight: &Sight| store.file(sight, &mine.id).await.expect("a file").failure;
    assert_eq!(told(&sight(&[&c])).await.as_deref(), Some("It is empty."));
    assert_eq!(told(&Sight::Everything).await.as_deref(), Some("It is empty."));
    assert_eq!((told(&sight(&[])).await, told(&sight(&[&other])).await), (None, None));
    store.attach(attaching(&other, &[&mine.id])).await.expect("attach");
    assert_eq!(told(&sight(&[&c, &other])).await, None, "it may still be read");
    let page = store.files(&sight(&[&c]), None, first(9)).await.expect("files");
    assert!(page.items[0].failure.is_some() && page.items[1].failure.is_none());
}

async fn a_place_outlives_its_element(store: &dyn Store) {
    let (c, other) = (collection(store).await, collection(store).await);
    let mut files = Vec::new();
    for n in 0..6u8 {
        files.push(file(store, Some("me"), &[n]).await.id);
    }
    let ids: Vec<&FileId> = files.iter().collect();
    let batch = store.attach(attaching(&c, &ids[..4])).await.expect("attach").batch.expect("a batch").id;
    store.attach(attaching(&c, &ids[4..])).await.expect("attach");
    let document = |n: usize| DocumentId(files[n].0.clone());
    let page =
        |after: usize, descending| Page { after: Some(files[after].0.clone()), descending, ..first(9) };
    let documents = async |filter: &DocumentFilter, page: Page| {
        let found = store.documents_page(&c, filter.clone(), page).await;
        found.map(|part| part.items.into_iter().map(|d| d.id.0).collect::<Vec<_>>())
    };
    let names = |from: &[usize]| from.iter().map(|n| files[*n].0.clone()).collect::<Vec<_>>();
    let (all, of_batch) = (DocumentFilter::default(), DocumentFilter { status: None, batch: Some(batch) });
    for n in [2, 5] {
        store.delete_document(&c, &document(n)).await.expect("delete");
    }
    assert_eq!(documents(&all, page(2, false)).await.expect("a page"), names(&[3, 4]));
    assert_eq!(documents(&all, page(2, true)).await.expect("a page"), names(&[1, 0]));
    assert_eq!(documents(&all, page(5, true)).await.expect("a page"), names(&[4, 3, 1, 0]));
    assert_eq!(documents(&of_batch, page(2, false)).await.expect("a page"), names(&[3]));
    let before = Page { before: Some(files[2].0.clone()), ..first(9) };
    assert_eq!(documents(&all, before).await.expect("a page"), names(&[0, 1]));
    // What was never in this list is not known to it.
    assert!(matches!(documents(&of_batch, page(5, false)).await, Err(StoreError::Cursor { .. })));
    let elsewhere = store.documents_page(&other, all.clone(), page(2, false)).await;
    assert!(matches!(elsewhere, Err(StoreError::Cursor { .. })));

    let sight = |owner: &str, collections: &[&CollectionId]| Sight::Of {
        owner: owner.into(),
        collections: collections.iter().map(|c| (*c).clone()).collect(),
    };
    let listed = async |sight: &Sight, page: Page| {
        let found = store.files(sight, None, page).await;
        found.map(|part| part.items.into_iter().map(|f| f.id.0).collect::<Vec<_>>())
    };
    // Who saw it through the collection alone.
    assert_eq!(listed(&sight("them", &[&c]), page(2, true)).await.expect("a page"), names(&[1, 0]));
    store.delete_file(&files[3]).await.expect("delete");
    for of in [&Sight::Everything, &sight("me", &[]), &sight("them", &[&c])] {
        let found = listed(of, page(3, true)).await.expect("a page");
        assert!(names(&[2, 1, 0]).ends_with(&found[found.len() - 2..]), "{of:?}: {found:?}");
    }
    for of in [sight("them", &[]), sight("them", &[&other])] {
        assert!(matches!(listed(&of, page(3, true)).await, Err(StoreError::Cursor { .. })));
    }
    // One that came back has its new place, and one that came later is not passed over.
    let later = file(store, Some("me"), b"later").await.id;
    assert_eq!(listed(&Sight::Everything, page(5, false)).await.expect("a page"), [later.0]);
    store.attach(attaching(&c, &[&files[2]])).await.expect("attach");
    assert_eq!(documents(&all, page(4, false)).await.expect("a page"), names(&[2]));

    let numbers: Vec<i64> =
        store.collections().await.expect("collections").into_iter().map(|c| c.number).collect();
    assert_eq!(store.departed_collection(&other, None).await.expect("a look"), None);
    delete_collection(store, &other).await;
    assert_eq!(store.departed_collection(&other, None).await.expect("a look"), Some(numbers[1]));
    assert_eq!(store.departed_collection(&other, Some("key_1")).await.expect("a look"), None);
    delete_collection(store, &c).await;
    assert!(matches!(documents(&all, page(2, false)).await, Err(StoreError::Cursor { .. })));
}

async fn pages_meet_without_gap_or_repetition(store: &dyn Store) {
    let c = collection(store).await;
    let mut files = Vec::new();
    for n in 0..7u8 {
        files.push(file(store, None, &[n]).await.id);
    }
    store.attach(attaching(&c, &files.iter().collect::<Vec<_>>())).await.expect("attach");
    for descending in [false, true] {
        let mut expected: Vec<String> = files.iter().map(|f| f.0.clone()).collect();
        if descending {
            expected.reverse();
        }
        let mut found = Vec::new();
        let mut page = Page { descending, ..first(3) };
        loop {
            let part =
                store.documents_page(&c, DocumentFilter::default(), page.clone()).await.expect("a page");
            found.extend(part.items.iter().map(|d| d.id.0.clone()));
            if !part.has_more {
                break;
            }
            page.after = found.last().cloned();
        }
        assert_eq!(found, expected);
        let before = Page { before: Some(expected[4].clone()), descending, ..first(2) };
        let part = store.documents_page(&c, DocumentFilter::default(), before).await.expect("a page");
        assert_eq!(part.items.iter().map(|d| &d.id.0).collect::<Vec<_>>(), [&expected[2], &expected[3]]);
        assert!(part.has_more);
    }
    let nothing = DocumentFilter { status: Some(Status::Failed), batch: None };
    let after = Page { after: Some(files[0].0.clone()), ..first(3) };
    assert!(store.documents_page(&c, nothing, after).await.expect("a page").items.is_empty());
}

async fn attaching_is_all_or_nothing_and_may_be_repeated(store: &dyn Store) {
    let c = collection(store).await;
    let known = file(store, None, b"1").await;
    let nobody = FileId("file-0".into());
    let refused = store.attach(attaching(&c, &[&known.id, &nobody])).await;
    assert!(matches!(refused, Err(StoreError::UnknownFile(id)) if id == nobody.0));
    assert!(store.documents(&c).await.expect("documents").is_empty());
    let mut new = attaching(&c, &[&known.id, &known.id]);
    new.attachments[0].attributes = Some("{\"a\":1}".into());
    let attached = store.attach(new).await.expect("attach");
    assert_eq!(attached.documents.len(), 1, "named twice it is one document");
    let document = &attached.documents[0];
    store.take_job(WORKER, LONG).await.expect("jobs").expect("a job");
    store.commit_chunks(document.key, read(&["alpha"]), Quotas::default()).await.expect("chunks");
    store.complete_document(document.key, None, None).await.expect("complete");
    let again = store.attach(attaching(&c, &[&known.id])).await.expect("again").documents.remove(0);
    assert_eq!(
        (again.key, again.status, again.attributes.as_str()),
        (document.key, Status::Completed, "{\"a\":1}")
    );
    let sizes = Some(ChunkSizes { max_tokens: 100, overlap_tokens: 10 });
    let mut new = attaching(&c, &[&known.id]);
    new.attachments[0].chunking = sizes;
    let again = store.attach(new).await.expect("otherwise").documents.remove(0);
    assert_eq!((again.status, again.chunking), (Status::InProgress, sizes), "it is cut anew");
    let late = store.commit_chunks(again.key, read(&["as before"]), Quotas::default()).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))), "whoever still cuts it as before is too late");
    let anew = ReadDocument { chunking: sizes, ..read(&["anew"]) };
    store.commit_chunks(again.key, anew, Quotas::default()).await.expect("chunks");
    let set = store.set_attributes(&c, &again.id, "{}").await.expect("attributes");
    assert_eq!(set.attributes, "{}");
}

async fn batches_are_counted_and_cancelled(store: &dyn Store) {
    let (c, other) = (collection(store).await, collection(store).await);
    let (one, two) = (file(store, None, b"1").await, file(store, None, b"2").await);
    let attached = store.attach(attaching(&c, &[&one.id, &two.id])).await.expect("attach");
    let batch = attached.batch.expect("a batch");
    assert_eq!((batch.counts.in_progress, batch.counts.total()), (2, 2));
    assert!(matches!(store.batch(&other, &batch.id).await, Err(StoreError::NotFound("batch"))));
    let done = &attached.documents[0];
    store.commit_chunks(done.key, read(&["alpha"]), Quotas::default()).await.expect("chunks");
    store.complete_document(done.key, None, None).await.expect("complete");
    let cancelled = store.cancel_batch(&c, &batch.id).await.expect("cancel");
    assert_eq!((cancelled.counts.completed, cancelled.counts.cancelled, cancelled.cancelled), (1, 1, true));
    let late = store.commit_chunks(attached.documents[1].key, read(&["late"]), Quotas::default()).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))), "its worker is told");
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
    let filter = DocumentFilter { status: Some(Status::Cancelled), batch: Some(batch.id) };
    assert_eq!(store.documents_page(&c, filter, first(9)).await.expect("a page").items.len(), 1);
}

async fn quotas_are_kept(store: &dyn Store) {
    let c = collection(store).await;
    let (one, two) = (file(store, Some("me"), b"1").await, file(store, Some("me"), b"23").await);
    let quota = |documents, bytes, chunks| Quota { documents, bytes, chunks };
    let quotas = |owner| Quotas { owner, collection: Quota::default() };
    let mut new = attaching(&c, &[&one.id, &two.id]);
    new.owner = Some("me".into());
    new.quotas = quotas(quota(Some(1), None, None));
    assert!(matches!(store.attach(new.clone()).await, Err(StoreError::Quota { what: "documents", .. })));
    assert!(store.documents(&c).await.expect("documents").is_empty());
    new.quotas = quotas(quota(Some(2), None, None));
    let documents = store.attach(new).await.expect("attach").documents;
    let blob = store.blobs().stage(b"45").await.expect("stage");
    let file = NewFile {
        owner: Some("me".into()),
        filename: "b".into(),
        purpose: "assistants".into(),
        expires_in: None,
        blob,
        quota: quota(None, Some(4), None),
    };
    assert!(matches!(store.add_file(file).await, Err(StoreError::Quota { what: "bytes", most: 4, .. })));
    let most = quotas(quota(None, None, Some(2)));
    store.commit_chunks(documents[0].key, read(&["a", "b"]), most).await.expect("two chunks");
    store.commit_chunks(documents[0].key, read(&["c", "d"]), most).await.expect("in their place");
    let more = store.commit_chunks(documents[1].key, read(&["e"]), most).await;
    assert!(matches!(more, Err(StoreError::Quota { what: "chunks", .. })));
}

async fn files_of_synced_folders_stay(store: &dyn Store) {
    let synced = NewCollection { origin: Origin::Folder, ..new_collection("folder") };
    let c = store.create_collection(synced).await.expect("a collection").id;
    let document = add(store, &c, b"1").await.document;
    let file = FileId(document.id.0.clone());
    assert!(matches!(store.delete_file(&file).await, Err(StoreError::Synced)));
    assert!(store.document(&c, &document.id).await.is_ok());
    // The sync itself removes documents, and the file goes with its last one.
    store.delete_document(&c, &document.id).await.expect("deleted");
    assert!(matches!(store.delete_file(&file).await, Err(StoreError::UnknownFile(_))));
}

async fn what_is_over_its_time_is_told_and_removed(store: &dyn Store) {
    let new = NewCollection { expires_days: Some(1), ..new_collection("brief") };
    let c = store.create_collection(new).await.expect("a collection");
    let blob = store.blobs().stage(b"1").await.expect("stage");
    let new = NewFile {
        owner: None,
        filename: "a".into(),
        purpose: "batch".into(),
        expires_in: Some(0),
        blob,
        quota: Quota::default(),
    };
    let brief = store.add_file(new).await.expect("a file");
    assert!(store.file(&Sight::Everything, &brief.id).await.is_err(), "it is gone at once");
    let expired = store.expired().await.expect("expired");
    assert_eq!((expired.files, expired.collections.len()), (vec![brief.id], 0));
    let kept = file(store, None, b"2").await;
    store.attach(attaching(&c.id, &[&kept.id])).await.expect("attach");
    store.expire_collection(&c.id).await.expect("expire");
    let record = store.collection(&c.id).await.expect("it stays");
    assert!(record.expired && store.documents(&c.id).await.expect("documents").is_empty());
    let update = CollectionUpdate { expires_days: Some(None), ..CollectionUpdate::default() };
    store.update_collection(&c.id, update).await.expect("update");
    assert!(!store.collection(&c.id).await.expect("one").expired, "another policy brings it back");
    store.touch_collections(vec![(c.id.clone(), c.created_at + 99)]).await.expect("touch");
    store.touch_collections(vec![(c.id.clone(), 1)]).await.expect("touch");
    assert_eq!(store.collection(&c.id).await.expect("one").last_active_at, c.created_at + 99);
}
