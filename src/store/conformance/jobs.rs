//! What every [`Store`] must do with jobs: they wait, are counted, given back, and owed.

use std::future::Future;
use std::time::Duration;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    jobs_that_wait_let_others_pass(&empty().await).await;
    attempts_are_forgotten_with_every_commit(&empty().await).await;
    vectors_that_are_owed_come_last_and_are_not_forgotten(&empty().await).await;
    what_stopped_the_process_is_not_hurried_by_a_start(&empty().await).await;
    documents_that_failed_are_tried_again(&empty().await).await;
    a_job_is_its_workers_for_the_lease(&empty().await).await;
    a_worker_gives_up_its_own_claims(&empty().await).await;
}

async fn take(store: &dyn Store) -> Job {
    store.take_job(WORKER, LONG).await.expect("jobs").expect("a job")
}

fn warning(code: &str) -> Option<Warning> {
    Some(Warning { code: code.into(), message: "No vectors.".into() })
}

async fn jobs_that_wait_let_others_pass(store: &dyn Store) {
    let c = collection(store, "c").await;
    let first = add(store, &c.id, b"one").await.document;
    let second = add(store, &c.id, b"two").await.document;
    assert_eq!(take(store).await.document.key, first.key);
    store.postpone_job(WORKER, first.key, LONG).await.expect("postpone");
    assert_eq!(take(store).await.document.key, second.key, "it does not hold the line");
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none(), "its time has not come");
    let until = store.until_next_job(WORKER).await.expect("a time").expect("one waits");
    assert!(until > LONG / 2 && until <= LONG, "{until:?}");
    // As after a start.
    store.release_jobs(WORKER).await.expect("release");
    let job = take(store).await;
    assert_eq!((job.document.key, job.attempts, job.failures), (first.key, 1, 0));
    for failures in 1..4 {
        store.postpone_job(WORKER, first.key, Duration::ZERO).await.expect("postpone");
        let job = take(store).await;
        assert_eq!((job.document.key, job.attempts, job.failures), (first.key, 1, failures));
    }
    // The same bytes once more, or a wish: it is tried at once.
    for wish in [true, false] {
        store.postpone_job(WORKER, first.key, LONG).await.expect("postpone");
        match wish {
            true => store.retry_document(&c.id, &first.id).await.expect("retry"),
            false => add(store, &c.id, b"one").await.document,
        };
        assert_eq!(take(store).await.document.key, first.key);
    }
    store.return_job(WORKER, second.key).await.expect("return");
    assert_eq!(store.until_next_job(WORKER).await.expect("a time"), Some(Duration::ZERO));
    store.delete_document(&c.id, &second.id).await.expect("delete");
    assert_eq!(store.until_next_job(WORKER).await.expect("a time"), None, "the other is taken");
}

async fn attempts_are_forgotten_with_every_commit(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    for attempts in 1..4 {
        assert_eq!(take(store).await.attempts, attempts);
        store.release_jobs(WORKER).await.expect("as after a death");
    }
    take(store).await;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    let chunks = store.chunks_without_vector("f", Some(document.key), 0, 9).await.expect("chunks");
    for chunk in chunks {
        for attempts in 1..3 {
            assert_eq!(take(store).await.attempts, attempts);
            store.release_jobs(WORKER).await.expect("as after a death");
        }
        take(store).await;
        store.commit_vectors("f", vec![(chunk.id, vec![1.0])]).await.expect("vectors");
        store.release_jobs(WORKER).await.expect("as after a death");
    }
    assert_eq!(take(store).await.attempts, 1);
}

/// A document of two passages, completed with this warning and what becomes of its job.
async fn completed(
    store: &dyn Store,
    c: &CollectionId,
    code: &str,
    again: Option<Duration>,
) -> DocumentRecord {
    let document = add(store, c, code.as_bytes()).await.document;
    take(store).await;
    store.commit_chunks(document.key, read(&["alpha", "beta"]), Quotas::default()).await.expect("commit");
    take(store).await;
    store.complete_document(document.key, warning(code), again).await.expect("complete");
    store.document(c, &document.id).await.expect("one")
}

async fn vectors_that_are_owed_come_last_and_are_not_forgotten(store: &dyn Store) {
    let c = collection(store, "c").await;
    let owed = completed(store, &c.id, Warning::EMBEDDING_FAILED, Some(Duration::ZERO)).await;
    assert_eq!((owed.status, &owed.warning), (Status::Completed, &warning(Warning::EMBEDDING_FAILED)));
    assert!(
        store.chunks_without_vector("f", None, 0, 9).await.expect("chunks").is_empty(),
        "a job is at them"
    );
    let new = add(store, &c.id, b"new").await.document;
    assert_eq!(take(store).await.document.key, new.key, "what nobody has an answer for comes first");
    let job = take(store).await;
    assert_eq!((job.document.key, job.stage, job.failures), (owed.key, Stage::Embed, 1));
    // It is given up for now: a start tries again, and so does a wish.
    for wish in [false, true] {
        store.complete_document(owed.key, warning(Warning::EMBEDDING_FAILED), None).await.expect("complete");
        assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
        match wish {
            true => assert_eq!(
                store.retry_document(&c.id, &owed.id).await.expect("retry").status,
                Status::Completed
            ),
            false => {
                store.release_jobs(WORKER).await.expect("as after a start");
                assert_eq!(take(store).await.document.key, new.key);
            }
        }
        assert_eq!(take(store).await.document.key, owed.key);
    }
    store.complete_document(owed.key, None, None).await.expect("complete");
    assert_eq!(store.document(&c.id, &owed.id).await.expect("one").warning, None);
    // As for documents of another model.
    assert_eq!(store.chunks_without_vector("f", None, 0, 9).await.expect("chunks").len(), 2);
    let failed = warning(Warning::EMBEDDING_FAILED).expect("one");
    store.owe_vectors(vec![owed.key, new.key], failed, Duration::ZERO).await.expect("owe");
    assert_eq!(take(store).await.document.key, owed.key);
    assert_eq!(store.document(&c.id, &new.id).await.expect("one").warning, None, "it is in progress");
    store
        .fail_document(new.key, Failure { code: "no_text".into(), message: String::new() })
        .await
        .expect("fail");
    assert!(store.complete_document(new.key, None, None).await.is_err());
}

async fn what_stopped_the_process_is_not_hurried_by_a_start(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = completed(store, &c.id, Warning::EMBEDDING_CRASHED, Some(LONG)).await;
    store.release_jobs(WORKER).await.expect("as after a start");
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none(), "it waits on");
    store.retry_document(&c.id, &document.id).await.expect("retry");
    for attempts in 1..=4 {
        assert_eq!(take(store).await.attempts, attempts);
        store.release_jobs(WORKER).await.expect("as after a death");
    }
    take(store).await;
    store
        .complete_document(document.key, warning(Warning::EMBEDDING_CRASHED), Some(Duration::ZERO))
        .await
        .expect("complete");
    assert_eq!(take(store).await.attempts, 4, "one attempt was left");
    store.complete_document(document.key, warning(Warning::EMBEDDING_CRASHED), None).await.expect("complete");
    store.release_jobs(WORKER).await.expect("as after a start");
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
}

async fn documents_that_failed_are_tried_again(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    take(store).await;
    store
        .fail_document(document.key, Failure { code: "no_text".into(), message: "None.".into() })
        .await
        .expect("fail");
    let again = store.retry_document(&c.id, &document.id).await.expect("retry");
    assert_eq!((again.status, again.failure), (Status::InProgress, None));
    let twice = store.retry_document(&c.id, &document.id).await.expect("twice is once");
    assert_eq!(twice.status, Status::InProgress);
    assert_eq!(take(store).await.document.key, document.key);
    assert!(store.take_job(WORKER, LONG).await.expect("jobs").is_none());
    store.commit_chunks(document.key, read(&["alpha"]), Quotas::default()).await.expect("commit");
    store.complete_document(document.key, None, None).await.expect("complete");
    assert!(matches!(store.retry_document(&c.id, &document.id).await, Err(StoreError::NotFailed)));
    let nobody = DocumentId("file-0".into());
    assert!(matches!(store.retry_document(&c.id, &nobody).await, Err(StoreError::NotFound("document"))));
    let ids = [nobody, document.id.clone()];
    let found = store.documents_of(&c.id, &ids).await.expect("documents");
    assert_eq!(found.iter().map(|d| d.key).collect::<Vec<_>>(), [document.key]);
}

/// A lease that is over as it begins.
const OVER: Duration = Duration::ZERO;
const OTHER: &str = "two";

async fn a_job_is_its_workers_for_the_lease(store: &dyn Store) {
    let c = collection(store, "c").await;
    let document = add(store, &c.id, b"one").await.document;
    let taken =
        async |worker: &str, lease| store.take_job(worker, lease).await.expect("jobs").map(|j| j.attempts);
    assert_eq!(taken(WORKER, LONG).await, Some(1));
    assert_eq!(taken(OTHER, LONG).await, None, "the lease is not over");
    assert!(store.until_next_job(OTHER).await.expect("a time").is_some_and(|until| until > LONG / 2));
    // It is over before it is renewed, and again after.
    store.renew_jobs(WORKER, OVER).await.expect("renewed");
    assert_eq!(store.until_next_job(OTHER).await.expect("a time"), Some(Duration::ZERO));
    assert_eq!(store.until_next_job(WORKER).await.expect("a time"), None);
    assert_eq!(taken(WORKER, LONG).await, None, "the same worker is still at it");
    store.renew_jobs(WORKER, LONG).await.expect("renewed");
    assert_eq!(taken(OTHER, LONG).await, None);
    store.renew_jobs(WORKER, OVER).await.expect("renewed");
    assert_eq!(taken(OTHER, LONG).await, Some(2), "another takes it over, and that is an attempt");
    // Who comes too late changes nothing of it.
    store.renew_jobs(WORKER, OVER).await.expect("renewed");
    store.return_job(WORKER, document.key).await.expect("nothing happens");
    store.postpone_job(WORKER, document.key, Duration::ZERO).await.expect("nothing happens");
    assert_eq!(taken(WORKER, LONG).await, None);
    store.return_job(OTHER, document.key).await.expect("given back");
    assert_eq!(taken(WORKER, LONG).await, Some(2));
    // What is free comes before what is left by another.
    store.renew_jobs(WORKER, OVER).await.expect("renewed");
    let free = add(store, &c.id, b"two").await.document;
    let jobs = async || store.take_job(OTHER, LONG).await.expect("jobs").map(|job| job.document.key);
    assert_eq!((jobs().await, jobs().await, jobs().await), (Some(free.key), Some(document.key), None));
}

async fn a_worker_gives_up_its_own_claims(store: &dyn Store) {
    let c = collection(store, "c").await;
    let (one, two) = (add(store, &c.id, b"one").await.document, add(store, &c.id, b"two").await.document);
    assert_eq!(take(store).await.document.key, one.key);
    assert_eq!(store.take_job(OTHER, LONG).await.expect("jobs").expect("a job").document.key, two.key);
    store.release_jobs(OTHER).await.expect("as at its start");
    assert_eq!(take(store).await.document.key, two.key, "the other's is still its own");
    assert!(store.take_job(OTHER, LONG).await.expect("jobs").is_none());
    // A third one begins: what somebody left long ago is free, for that one and for others.
    store.renew_jobs(WORKER, OVER).await.expect("renewed");
    store.release_jobs("three").await.expect("as at its start");
    assert_eq!(take(store).await.document.key, one.key);
    assert_eq!(store.take_job(OTHER, LONG).await.expect("jobs").expect("a job").document.key, two.key);
}
