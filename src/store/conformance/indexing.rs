//! What every [`Store`] must tell indexes: all that came and went, in order.

use std::future::Future;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    changes_are_told_since_a_revision_and_ids_are_never_used_twice(&empty().await).await;
    chunks_are_told_in_parts_that_end_within_revisions(&empty().await).await;
    chunks_are_told_anew_with_another_language(&empty().await).await;
    vectors_of_deleted_chunks_are_dropped(&empty().await).await;
    many_vectors_are_told_by_whole_revisions(&empty().await).await;
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

async fn chunks_are_told_anew_with_another_language(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let first = all_changes(store, &c.id, 0).await;
    let languages =
        |changes: &ChunkChanges| changes.added.iter().map(|chunk| chunk.language.clone()).collect::<Vec<_>>();
    assert_eq!(languages(&first), [Some("en".to_owned()), Some("en".to_owned())]);
    let set = async |attributes: &str| {
        store.set_attributes(&c.id, &document.id, attributes).await.expect("attributes").language
    };
    assert_eq!(set(r#"{"year":2026}"#).await.as_deref(), Some("en"));
    assert!(all_changes(store, &c.id, first.until.revision).await.added.is_empty());
    assert_eq!(set(r#"{"language":"pt-BR"}"#).await.as_deref(), Some("pt"));
    let anew = all_changes(store, &c.id, first.until.revision).await;
    assert_eq!(languages(&anew), [Some("pt".to_owned()), Some("pt".to_owned())]);
    let ids = |changes: &ChunkChanges| changes.added.iter().map(|chunk| chunk.id).collect::<Vec<_>>();
    assert_eq!((ids(&anew), anew.removed.len()), (ids(&first), 0));
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
