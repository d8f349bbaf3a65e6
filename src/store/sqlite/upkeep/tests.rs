use std::path::Path;
use std::time::Duration;

use crate::store::conformance::{new_collection, read};
use crate::store::sqlite::SqliteStore;
use crate::store::*;

type Result<T> = std::result::Result<T, OpenError>;

const MARKER: &str = "zephyrine";

async fn document(
    store: &SqliteStore,
    collection: &CollectionId,
    name: &str,
    chunks: usize,
) -> DocumentRecord {
    let blob = store.blobs().stage(format!("{name} {MARKER}").as_bytes()).await.expect("stage");
    let new = NewDocument {
        collection: collection.clone(),
        owner: None,
        filename: format!("{MARKER}-{name}.txt"),
        blob,
        quotas: Quotas::default(),
        on_conflict: OnConflict::Keep,
    };
    let document = store.add_document(new).await.expect("a document").document;
    let texts: Vec<_> =
        (0..chunks).map(|n| format!("{name} {n} {MARKER} {}", "word ".repeat(n % 90))).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    store.commit_chunks(document.key, read(&texts), Quotas::default()).await.expect("chunks");
    let waiting = store.chunks_without_vector("f", Some(document.key), 0, chunks).await.expect("chunks");
    let vectors = waiting.iter().map(|chunk| (chunk.id, vec![0.5; 96])).collect();
    store.commit_vectors("f", vectors).await.expect("vectors");
    store.complete_document(document.key, None, None).await.expect("complete");
    document
}

/// How often the marker stands in the files of a folder, names of files included.
fn markers(folder: &Path) -> usize {
    let count = |bytes: &[u8]| bytes.windows(MARKER.len()).filter(|part| *part == MARKER.as_bytes()).count();
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let each = entries.map(|path| {
        let name = count(path.file_name().expect("a name").as_encoded_bytes());
        name + if path.is_dir() { markers(&path) } else { count(&std::fs::read(&path).expect("a file")) }
    });
    each.sum()
}

/// Documents go in turn out of the middle, so that pages are merged and moved while their neighbours still live.
#[tokio::test]
async fn what_is_deleted_is_in_no_file_after_a_stop() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let (one, two) = (
        store.create_collection(new_collection("")).await?.id,
        store.create_collection(new_collection("")).await?.id,
    );
    let mut documents = Vec::new();
    for n in 0..24 {
        let collection = if n % 2 == 0 { &one } else { &two };
        documents.push(document(&store, collection, &format!("d{n}"), 7 + 13 * (n % 5)).await);
    }
    store.tidy().await?;
    assert!(markers(folder.path()) > 500);
    for n in (0..24).step_by(2).chain((1..24).step_by(6)) {
        let n = n * 5 % 24;
        store.delete_document(&documents[n].collection, &documents[n].id).await.or_else(
            |error| match error {
                StoreError::NotFound(_) => Ok(()),
                error => Err(error),
            },
        )?;
        if n % 8 == 0 {
            store.tidy().await?;
        }
    }
    assert!(markers(folder.path()) > 50, "the others are there");
    for document in &documents {
        match store.delete_file(&FileId(document.id.0.clone())).await {
            Ok(_) | Err(StoreError::UnknownFile(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    store.settle().await?;
    drop(store);
    assert_eq!(markers(folder.path()), 0);
    Ok(())
}

#[tokio::test]
async fn a_deleted_collection_gives_its_room_back_while_the_server_runs() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let kept = store.create_collection(new_collection("kept")).await?.id;
    let gone = store.create_collection(new_collection("gone")).await?.id;
    document(&store, &gone, "large", 9_000).await;
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |found| found.len());
    store.tidy().await?;
    let before = size("lastro.sqlite3");
    assert!(before > 4 << 20 && size("lastro.sqlite3-wal") == 0, "{before}");
    store.delete_collection(&gone).await?;
    store.clear_collection(&gone).await?;
    assert!(store.tidy().await?);
    assert!(size("lastro.sqlite3") < before / 2, "{} of {before}", size("lastro.sqlite3"));
    assert_eq!((size("lastro.sqlite3-wal"), markers(folder.path())), (0, 0));
    assert!(store.collection(&kept).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn who_still_reads_is_waited_for_until_the_next_try() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    store.create_collection(new_collection("a")).await?;
    let (begun, wait) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let reader = tokio::spawn({
        let store = store.clone();
        async move {
            let read = move |t: &rusqlite::Transaction<'_>| {
                super::super::collections::all(t)?;
                let _ = begun.0.send(());
                let _ = wait.1.recv();
                Ok(())
            };
            store.read(read).await
        }
    });
    tokio::task::spawn_blocking(move || begun.1.recv()).await.expect("a thread").expect("it reads");
    store.create_collection(new_collection("b")).await?;
    assert!(!store.tidy().await?, "the log is read");
    assert_eq!(store.collections().await?.len(), 2, "and nobody waits for that");
    drop(wait.0);
    reader.await.expect("a task")?;
    assert!(store.tidy().await?);
    Ok(())
}

#[tokio::test]
async fn a_collection_that_was_half_deleted_is_gone_and_finished_later() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let new = NewCollection { origin: Origin::Folder, ..new_collection("manual") };
    let id = store.create_collection(new.clone()).await?.id;
    let waiting = document(&store, &id, "d", 5).await;
    store.update_collection(&id, CollectionUpdate::default()).await?;
    // The process dies after the first step.
    store
        .write({
            let id = id.clone();
            move |t, _| super::super::removal::doom(t, &id)
        })
        .await?;
    drop(store);
    let store = SqliteStore::open(folder.path())?;
    assert!(store.collections().await?.is_empty());
    assert!(matches!(store.collection(&id).await, Err(StoreError::NotFound("collection"))));
    assert!(matches!(store.delete_collection(&id).await, Err(StoreError::NotFound("collection"))));
    assert!(!store.have_text(std::slice::from_ref(&id), std::slice::from_ref(&waiting.id)).await?);
    store.create_collection(new).await?;
    assert!(store.blobs().holds(&waiting.sha256));
    for unfinished in store.unfinished_collections().await? {
        store.clear_collection(&unfinished).await?;
    }
    store.tidy().await?;
    assert!(!store.blobs().holds(&waiting.sha256));
    assert_eq!(markers(folder.path()), 0);
    Ok(())
}

#[tokio::test]
async fn batches_that_are_done_are_forgotten_in_the_end() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let collection = store.create_collection(new_collection("")).await?.id;
    let (done, working) =
        (document(&store, &collection, "a", 1).await, document(&store, &collection, "b", 1).await);
    let mut batches = Vec::new();
    for document in [&done, &working, &done] {
        let attachment = Attachment { file: FileId(document.id.0.clone()), attributes: None, chunking: None };
        let new = NewAttachments {
            collection: collection.clone(),
            owner: None,
            sight: Sight::Everything,
            attachments: vec![attachment],
            batch: true,
            quotas: Quotas::default(),
        };
        batches.push(store.attach(new).await?.batch.expect("a batch").id);
    }
    let (old, new) = (batches[..2].to_vec(), &batches[2]);
    store
        .write(move |t, _| {
            t.execute("UPDATE documents SET status = 'in_progress' WHERE file = ?1", [&working.id.0])?;
            for id in old {
                t.execute(
                    "UPDATE batches SET created_at = created_at - ?1 WHERE id = ?2",
                    rusqlite::params![31 * 86_400, id.0],
                )?;
            }
            Ok(())
        })
        .await?;
    store.forget_old().await?;
    assert!(matches!(store.batch(&collection, &batches[0]).await, Err(StoreError::NotFound("batch"))));
    assert!(store.batch(&collection, &batches[1]).await.is_ok(), "it is worked on");
    assert!(store.batch(&collection, new).await.is_ok(), "it is young");
    Ok(())
}

#[tokio::test]
async fn vectors_of_another_model_go_once_the_new_one_has_all() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let id = store.create_collection(new_collection("")).await?.id;
    let (one, two) = (document(&store, &id, "a", 3).await, document(&store, &id, "b", 2).await);
    let embed = async |document: &DocumentRecord| {
        let waiting = store.chunks_without_vector("new", Some(document.key), 0, 9).await?;
        store.commit_vectors("new", waiting.iter().map(|chunk| (chunk.id, vec![1.0])).collect()).await
    };
    let old = async || store.vectors_of(vec![one.key, two.key], "f").await;
    assert_eq!(store.forget_vectors_but("f").await?, 0);
    embed(&one).await?;
    assert_eq!((store.forget_vectors_but("new").await?, old().await?), (0, vec![3, 2]), "two are owed");
    embed(&two).await?;
    assert_eq!((store.forget_vectors_but("new").await?, old().await?), (5, vec![0, 0]));
    assert_eq!(store.vectors_of(vec![one.key, two.key], "new").await?, [3, 2]);
    Ok(())
}

#[tokio::test]
async fn the_writer_is_free_between_the_steps_of_a_large_deletion() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    let gone = store.create_collection(new_collection("gone")).await?.id;
    document(&store, &gone, "large", 9_000).await;
    let deleting = tokio::spawn({
        let (store, gone) = (store.clone(), gone.clone());
        async move {
            store.delete_collection(&gone).await?;
            store.clear_collection(&gone).await
        }
    });
    // Others write before it is done: each waits for one step at most.
    let mut written = 0;
    while !deleting.is_finished() {
        store.create_collection(new_collection("")).await?;
        written += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    deleting.await.expect("a task")?;
    assert!(written > 1, "{written}");
    Ok(())
}

/// A log that stayed would be read into whatever database is put back beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_tidying_leaves_no_log() -> Result<()> {
    for round in 0..40 {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path())?;
        store.create_collection(new_collection("")).await?;
        let tidied = store.clone();
        let tidying = tokio::spawn(async move { tidied.tidy().await });
        tokio::time::sleep(Duration::from_micros(100 * round)).await;
        store.close().await?;
        let log = std::fs::metadata(folder.path().join("lastro.sqlite3-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0, "round {round}");
        // Whether it came first or not.
        let tidied = tidying.await.expect("it ends");
        assert!(matches!(tidied, Ok(_) | Err(StoreError::Closed)), "{tidied:?}");
    }
    Ok(())
}
