use std::time::Instant;

use super::SqliteStore;
use crate::store::conformance::{LONG, WORKER, new_collection, read};
use crate::store::{
    CollectionId, CollectionUpdate, Collections, DocumentRecord, Documents, Housekeeping, Jobs, NewDocument,
    OnConflict, OpenError, Passages, Quotas, Stage, Status, Store, StoreError,
};

type Result<T> = std::result::Result<T, OpenError>;

#[tokio::test]
async fn conforms() {
    crate::store::conformance::store(empty).await;
}

/// With one statement for one document and for all, SQLite went through every chunk that there is.
#[test]
fn what_has_no_vector_is_looked_up_by_its_document() {
    let mut connection = rusqlite::Connection::open_in_memory().expect("a database");
    super::schema::migrate(&mut connection).expect("tables");
    let plan = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
        let rows = statement.query_map(rusqlite::params!["f", 0, 64, 1], |row| row.get(3)).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("steps")
    };
    let steps = plan(super::changes::OF_ONE_DOCUMENT);
    assert!(steps[0].contains("chunks_by_document (document=? AND rowid>?)"), "{steps:?}");
    assert!(steps.iter().all(|step| !step.starts_with("SCAN") && !step.contains("TEMP B-TREE")), "{steps:?}");
}

async fn empty() -> SqliteStore {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path()).expect("a store");
    // Kept until the process ends: the suite needs the store alone.
    let _ = folder.keep();
    store
}

#[tokio::test]
async fn originals_that_have_no_place_are_told_before_an_upload() -> Result<()> {
    let folder = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
    let store = SqliteStore::open(folder.path())?;
    store.check_writable().await?;
    let originals = folder.path().join("blobs");
    std::fs::remove_dir_all(&originals).map_err(StoreError::io(&originals))?;
    let told = store.check_writable().await;
    let place = originals.display().to_string();
    assert!(matches!(&told, Err(StoreError::Unavailable(cause)) if cause.starts_with(&place)), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn a_closed_database_is_one_file_and_stays_so() -> Result<()> {
    let folder = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
    let store = SqliteStore::open(folder.path())?;
    store.create_collection(new_collection("kept")).await?;
    let log = folder.path().join("lastro.sqlite3-wal");
    let length = || std::fs::metadata(&log).map_err(StoreError::io(&log)).map(|found| found.len());
    assert!(length()? > 0);
    store.close().await?;
    let refused = store.create_collection(new_collection("late")).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert_eq!(length()?, 0);
    let copy = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
    let database = folder.path().join("lastro.sqlite3");
    std::fs::copy(&database, copy.path().join("lastro.sqlite3")).map_err(StoreError::io(&database))?;
    let kept = SqliteStore::open(copy.path())?.collections().await?;
    assert_eq!(kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    Ok(())
}

/// Adds a document of always the same name.
async fn add(
    store: &SqliteStore,
    collection: &CollectionId,
    bytes: &[u8],
    on_conflict: OnConflict,
) -> Result<DocumentRecord> {
    let new = NewDocument {
        collection: collection.clone(),
        filename: "a.txt".into(),
        blob: store.blobs().stage(bytes).await?,
        owner: None,
        quotas: Quotas::default(),
        on_conflict,
    };
    Ok(store.add_document(new).await?.document)
}

#[tokio::test]
async fn a_collection_that_is_brought_back_before_it_is_cleared_goes_on_with_the_rest() -> Result<()> {
    let folder = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
    let store = SqliteStore::open(folder.path())?;
    let collection = store.create_collection(new_collection("")).await?.id;
    let mut documents = Vec::new();
    for bytes in [b"1", b"2"] {
        documents.push(add(&store, &collection, bytes, OnConflict::Keep).await?.key);
    }
    store.commit_chunks(documents[0], read(&["alpha"]), Quotas::default()).await?;
    // Nothing can be cleared.
    let database = rusqlite::Connection::open(folder.path().join("lastro.sqlite3")).expect("the database");
    let stuck = "CREATE TRIGGER stuck BEFORE DELETE ON documents BEGIN SELECT RAISE(ABORT, 'stuck'); END";
    database.execute_batch(stuck).expect("a trigger");
    assert!(store.expire_collection(&collection).await.is_err());
    database.execute_batch("DROP TRIGGER stuck").expect("no trigger");
    assert!(store.take_job(WORKER, LONG).await?.is_none(), "what is over its time is not worked on");
    let longer = CollectionUpdate { expires_days: Some(Some(9)), ..CollectionUpdate::default() };
    store.update_collection(&collection, longer).await?;
    let mut taken = Vec::new();
    while let Some(job) = store.take_job(WORKER, LONG).await? {
        taken.push((job.document.key, job.stage));
    }
    assert_eq!(taken, [(documents[0], Stage::Embed), (documents[1], Stage::Extract)]);
    Ok(())
}

#[tokio::test]
async fn a_version_that_waited_for_what_was_cleared_stands_by_itself() -> Result<()> {
    let folder = tempfile::tempdir().map_err(StoreError::io("temporary folder"))?;
    let store = SqliteStore::open(folder.path())?;
    let collection = store.create_collection(new_collection("")).await?.id;
    let mut documents = Vec::new();
    for bytes in [b"1", b"2"] {
        let document = add(&store, &collection, bytes, OnConflict::Replace).await?;
        store.commit_chunks(document.key, read(&["alpha"]), Quotas::default()).await?;
        if documents.is_empty() {
            store.complete_document(document.key, None, None).await?;
        }
        documents.push(document);
    }
    assert_eq!(documents[1].replaces, Some(documents[0].id.clone()));
    let database = rusqlite::Connection::open(folder.path().join("lastro.sqlite3")).expect("the database");
    database.execute_batch("UPDATE collections SET expired = 1").expect("its time is over");
    let cleared = collection.clone();
    assert!(
        store.write(move |t, _| super::removal::clear_some(t, &cleared, 1)).await?,
        "the first, and no more at a time"
    );
    let longer = CollectionUpdate { expires_days: Some(Some(9)), ..CollectionUpdate::default() };
    store.update_collection(&collection, longer).await?;
    store.complete_document(documents[1].key, None, None).await?;
    let soon = Instant::now() + LONG;
    let answers = store.find_document(&collection, "a.txt", soon).await?;
    assert_eq!((answers.key, answers.status), (documents[1].key, Status::Completed));
    let chunks = store.whole_documents(&collection, Some(&[documents[1].key]), usize::MAX, soon).await?;
    assert_eq!(chunks.map(|chunks| chunks.len()), Some(1), "it is read back");
    Ok(())
}
