use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use crate::store::blobs::Blobs;
use crate::store::sqlite::{DATABASE, SqliteStore, look_at_originals};
use crate::store::{
    FileId, FileRecord, Files, Housekeeping, NewFile, OpenError, Quota, Store, StoreError, Swept,
};

type Result<T> = std::result::Result<T, OpenError>;

const DAYS: Duration = Duration::from_secs(7 * 86_400);

async fn file(store: &SqliteStore, text: &str) -> Result<FileRecord> {
    let new = NewFile {
        owner: None,
        filename: format!("{text}.txt"),
        purpose: "assistants".into(),
        expires_in: None,
        blob: store.blobs().stage(text.as_bytes()).await?,
        quota: Quota::default(),
    };
    Ok(store.add_file(new).await?)
}

/// What a start does with what was there before it.
async fn start(data: &Path) -> Result<(SqliteStore, Swept)> {
    let store = SqliteStore::open(data)?;
    let swept = store.sweep(SystemTime::now() + Duration::from_secs(5), DAYS).await?;
    Ok((store, swept))
}

async fn stop(store: SqliteStore) -> Result<()> {
    Ok(store.settle().await?)
}

fn discarded(files: usize) -> Swept {
    Swept { discarded: files, ..Swept::default() }
}

/// A data folder with files of these texts.
async fn folder(texts: &[&str]) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path())?;
    for text in texts {
        file(&store, text).await?;
    }
    stop(store).await?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &place) } else { fs::copy(&path, place).map(|_| ()).expect("copied") }
    }
}

/// Puts a folder or file of a copy in the place of what is there.
fn restore(copy_of: &Path, data: &Path, name: &str) {
    let (from, to) = (copy_of.join(name), data.join(name));
    if from.is_dir() {
        fs::remove_dir_all(&to).expect("removed");
        return copy(&from, &to);
    }
    fs::copy(from, to).expect("restored");
    for log in ["-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("{DATABASE}{log}")));
    }
}

fn originals(data: &Path) -> usize {
    Blobs::of(data).all().expect("the originals").len()
}

fn in_trash(data: &Path) -> usize {
    Blobs::of(data).trash().content().expect("the trash").len()
}

#[tokio::test]
async fn what_no_record_names_is_kept_in_the_trash_for_days() -> Result<()> {
    let folder = folder(&["named"]).await?;
    let data = folder.path();
    let store = SqliteStore::open(data)?;
    let staged = store.blobs().stage(b"left behind").await?;
    let sha256 = staged.sha256.clone();
    store.inner.blobs.adopt(staged)?;
    fs::write(data.join("blobs/notes.txt"), "not ours").expect("a file");
    assert_eq!(store.sweep(SystemTime::UNIX_EPOCH, DAYS).await?, Swept::default(), "newer than the process");
    stop(store).await?;
    let (store, swept) = start(data).await?;
    assert_eq!((swept, originals(data), in_trash(data)), (discarded(1), 1, 1));
    assert_eq!(store.blobs().empty_trash(DAYS).await?, 0);
    // The same bytes are uploaded: what is in the trash is not needed any more.
    let again = file(&store, "left behind").await?;
    assert_eq!((again.sha256 == sha256, originals(data), in_trash(data)), (true, 2, 0));
    store.delete_file(&again.id).await?;
    assert_eq!((originals(data), in_trash(data)), (1, 0), "and what is deleted does not go there");

    store.inner.blobs.adopt(store.blobs().stage(b"left once more").await?)?;
    stop(store).await?;
    let (store, swept) = start(data).await?;
    assert_eq!(swept, discarded(1));
    let path =
        fs::read_dir(data.join("trash")).expect("the trash").next().expect("a file").expect("a file").path();
    let old = SystemTime::now() - DAYS - Duration::from_secs(60);
    fs::File::open(&path).and_then(|file| file.set_modified(old)).expect("a time");
    assert_eq!((store.blobs().empty_trash(DAYS).await?, in_trash(data)), (1, 0));
    assert!(data.join("blobs/notes.txt").exists());
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_missing_or_new_removes_nothing() -> Result<()> {
    for forgetful in [false, true] {
        let folder = folder(&["a", "b", "c"]).await?;
        let data = folder.path();
        let kept = tempfile::tempdir().expect("a folder");
        copy(data, kept.path());
        fs::remove_file(data.join(DATABASE)).expect("removed");
        if forgetful {
            // As they were before folders remembered anything.
            fs::remove_file(data.join("blobs/belongs-to")).expect("removed");
        }
        for round in 0..3 {
            let (store, swept) = start(data).await?;
            assert_eq!(swept, Swept { unknown: 3, ..Swept::default() }, "{forgetful}");
            assert_eq!((originals(data), in_trash(data)), (if round == 0 { 3 } else { 4 }, 0));
            file(&store, "new").await.map(|_| ())?;
            let gone = file(&store, "gone").await?;
            store.delete_file(&gone.id).await?;
            assert_eq!(originals(data), 4, "what is deleted on purpose goes");
            stop(store).await?;
            let found = look_at_originals(data)?.expect("a database");
            assert_eq!((found.belong, found.unnamed.len(), found.missing.len()), (false, 3, 0));
        }
        // The right one comes back, and knows nothing of what was uploaded meanwhile.
        restore(kept.path(), data, DATABASE);
        let (_store, swept) = start(data).await?;
        assert_eq!((swept.unknown, swept.missing, originals(data), in_trash(data)), (1, 0, 4, 0));
    }
    Ok(())
}

#[tokio::test]
async fn copies_of_the_database_and_the_originals_are_restored_in_any_order() -> Result<()> {
    let folder = folder(&["always", "deleted"]).await?;
    let data = folder.path();
    let older = tempfile::tempdir().expect("a folder");
    copy(data, older.path());
    let (store, _) = start(data).await?;
    let all = store.files(
        &crate::store::Sight::Everything,
        None,
        crate::store::Page { after: None, before: None, limit: 9, descending: false },
    );
    let deleted = all.await?.items.into_iter().find(|file| file.filename == "deleted.txt").expect("a file");
    store.delete_file(&deleted.id).await?;
    file(&store, "later").await?;
    stop(store).await?;
    let newer = tempfile::tempdir().expect("a folder");
    copy(data, newer.path());

    // The database alone: what it does not know stays, and what it knows and was deleted is missing.
    restore(older.path(), data, DATABASE);
    let (store, swept) = start(data).await?;
    assert_eq!(swept, Swept { unknown: 1, missing: 1, ..Swept::default() });
    stop(store).await?;
    let found = look_at_originals(data)?.expect("a database");
    assert_eq!(
        (found.belong, found.missing.as_slice(), found.unnamed.len()),
        (false, &["deleted.txt".to_owned()][..], 1)
    );
    // Forward again.
    restore(newer.path(), data, DATABASE);
    let (store, swept) = start(data).await?;
    assert_eq!((swept, originals(data), in_trash(data)), (Swept::default(), 2, 0));
    stop(store).await?;
    assert!(look_at_originals(data)?.expect("a database").belong);

    // The originals alone: what was deleted goes to the trash, and what came later is missing.
    restore(older.path(), data, "blobs");
    let (store, swept) = start(data).await?;
    assert_eq!(swept, Swept { discarded: 1, missing: 1, ..Swept::default() });
    stop(store).await?;
    // Then the database, which names it again: it is back.
    restore(older.path(), data, DATABASE);
    let (store, swept) = start(data).await?;
    assert_eq!((swept, originals(data), in_trash(data)), (Swept::default(), 2, 0));
    stop(store).await?;
    // Both, forward.
    restore(newer.path(), data, DATABASE);
    restore(newer.path(), data, "blobs");
    let (_store, swept) = start(data).await?;
    assert_eq!((swept.missing, swept.discarded, originals(data), in_trash(data)), (0, 0, 2, 0));
    Ok(())
}

#[tokio::test]
async fn originals_of_another_server_are_not_swept() -> Result<()> {
    for remembers in [true, false] {
        let (ours, theirs) = (folder(&["ours"]).await?, folder(&["x", "y"]).await?);
        restore(theirs.path(), ours.path(), "blobs");
        if !remembers {
            fs::remove_file(ours.path().join("blobs/belongs-to")).expect("removed");
        }
        for _ in 0..2 {
            let (store, swept) = start(ours.path()).await?;
            assert_eq!(swept, Swept { unknown: 2, missing: 1, ..Swept::default() }, "{remembers}");
            stop(store).await?;
        }
    }
    Ok(())
}

/// The process dies between the commit of a deletion and the removal of the file.
#[tokio::test]
async fn what_was_deleted_before_a_crash_is_removed_for_good() -> Result<()> {
    let folder = folder(&["kept", "deleted"]).await?;
    let data = folder.path();
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(b"deleted"));
    let connection = Connection::open(data.join(DATABASE))?;
    let crashed = "DELETE FROM files WHERE name = 'deleted.txt';
        INSERT INTO removed_blobs SELECT sha256 FROM blobs WHERE NOT EXISTS (SELECT 1 FROM files WHERE blob = sha256);
        DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM removed_blobs);";
    connection.execute_batch(crashed)?;
    drop(connection);
    let (store, swept) = start(data).await?;
    assert_eq!((swept, originals(data), in_trash(data)), (Swept { finished: 1, ..Swept::default() }, 1, 0));
    assert!(!store.inner.blobs.path(&sha256).exists());
    // Uploaded again before that is done, it stays.
    let again = file(&store, "deleted").await?;
    stop(store).await?;
    let connection = Connection::open(data.join(DATABASE))?;
    connection.execute_batch(crashed)?;
    drop(connection);
    let store = SqliteStore::open(data)?;
    let named = file(&store, "deleted").await?;
    assert_ne!(named.id, again.id);
    store.sweep(SystemTime::now(), DAYS).await?;
    assert!(store.inner.blobs.path(&sha256).exists());
    Ok(())
}

/// An older database does not finish deletions: its bytes may have been uploaded again in the time that it lost.
#[tokio::test]
async fn an_older_database_finishes_no_deletion() -> Result<()> {
    let folder = folder(&["again"]).await?;
    let data = folder.path();
    let older = tempfile::tempdir().expect("a folder");
    copy(data, older.path());
    Connection::open(older.path().join(DATABASE))?.execute_batch(
        "INSERT INTO removed_blobs SELECT sha256 FROM blobs; DELETE FROM files; DELETE FROM blobs;",
    )?;
    let (store, _) = start(data).await?;
    file(&store, "more").await?;
    stop(store).await?;
    restore(older.path(), data, DATABASE);
    let (_store, swept) = start(data).await?;
    assert_eq!((swept, originals(data)), (Swept { unknown: 2, ..Swept::default() }, 2));
    Ok(())
}

#[tokio::test]
async fn a_removal_looks_at_its_own_bytes() -> Result<()> {
    let folder = folder(&[]).await?;
    let store = SqliteStore::open(folder.path())?;
    let (one, twin) = (file(&store, "same").await?, file(&store, "same").await?);
    let path = store.inner.blobs.path(&one.sha256);
    // Bytes that another removal should have noted are not its business.
    store.write(|t, _| Ok(t.execute("INSERT INTO blobs (sha256, bytes) VALUES ('stray', 1)", [])?)).await?;
    store.delete_file(&one.id).await?;
    assert!(path.exists());
    store.delete_file(&twin.id).await?;
    assert!(!path.exists());
    let left = store
        .read(|t| Ok(t.query_row("SELECT count(*) FROM blobs", [], |row| row.get::<_, i64>(0))?))
        .await?;
    assert_eq!(left, 1);
    let noted = store
        .read(|t| Ok(t.query_row("SELECT count(*) FROM removed_blobs", [], |row| row.get::<_, i64>(0))?))
        .await?;
    assert_eq!(noted, 0);
    assert!(store.delete_file(&FileId("file-0".into())).await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_upload_that_fails_removes_no_original_that_was_there() -> Result<()> {
    let folder = folder(&["known"]).await?;
    let older = tempfile::tempdir().expect("a folder");
    copy(folder.path(), older.path());
    let store = SqliteStore::open(folder.path())?;
    file(&store, "later").await?;
    stop(store).await?;
    restore(older.path(), folder.path(), DATABASE);
    let (store, swept) = start(folder.path()).await?;
    assert_eq!(swept, Swept { unknown: 1, ..Swept::default() });
    for (text, left) in [("later", 2), ("new", 2)] {
        let refused = NewFile {
            owner: None,
            filename: "a.txt".into(),
            purpose: "assistants".into(),
            expires_in: None,
            blob: store.blobs().stage(text.as_bytes()).await?,
            quota: Quota::default(),
        };
        // The bytes have their name already when it fails.
        let failed = store.write_bytes(refused.blob.sha256.clone(), move |t, blobs| {
            super::super::files::add(t, blobs, refused)?;
            Err::<(), _>(StoreError::NotFound("collection"))
        });
        assert!(failed.await.is_err());
        assert_eq!(originals(folder.path()), left, "{text}");
    }
    Ok(())
}
