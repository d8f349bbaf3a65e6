use std::fs;
use std::path::Path;

use crate::store::conformance::new_collection;
use crate::store::sqlite::{DATABASE, DERIVED, SqliteStore};
use crate::store::{Collections, Housekeeping, OpenError, Store};

type Result<T> = std::result::Result<T, OpenError>;

/// Starts on a data folder, changes something so many times, and ends. Says which identity the store had.
async fn run(data: &Path, changes: usize) -> Result<String> {
    let store = SqliteStore::open(data)?;
    for _ in 0..changes {
        store.create_collection(new_collection("")).await?;
    }
    store.settle().await?;
    Ok(store.identity().to_owned())
}

/// The database's file as it is.
fn database(data: &Path) -> Vec<u8> {
    fs::read(data.join(DATABASE)).expect("the database")
}

fn restore(data: &Path, database: &[u8]) {
    fs::write(data.join(DATABASE), database).expect("the database");
    for log in ["-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("{DATABASE}{log}")));
    }
}

/// What an index leaves, so that the folder of indexes is not empty.
fn index(data: &Path) {
    fs::create_dir_all(data.join(DERIVED).join("vs_1")).expect("an index");
}

#[tokio::test]
async fn a_database_that_goes_on_keeps_its_identity() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let first = run(folder.path(), 2).await?;
    index(folder.path());
    for changes in [0, 3] {
        assert_eq!(run(folder.path(), changes).await?, first);
    }
    // Without indexes there is nothing that could be of another past.
    fs::remove_dir_all(folder.path().join(DERIVED)).expect("removed");
    assert_eq!(run(folder.path(), 0).await?, first);
    // The whole folder is moved.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let moved = elsewhere.path().join("data");
    fs::rename(folder.path(), &moved).expect("moved");
    assert_eq!(run(&moved, 0).await?, first);
    Ok(())
}

#[tokio::test]
async fn another_folders_database_is_another() -> Result<()> {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    assert_ne!(run(one.path(), 1).await?, run(two.path(), 1).await?);
    Ok(())
}

/// A copy of the database that is `changes` commits behind, made within a run or between two.
#[tokio::test]
async fn a_restored_database_has_another_identity() -> Result<()> {
    for changes in [1, 5] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        let store = SqliteStore::open(data)?;
        store.create_collection(new_collection("")).await?;
        store.settle().await?;
        let within = database(data);
        for _ in 0..changes {
            store.create_collection(new_collection("")).await?;
        }
        store.settle().await?;
        let first = store.identity().to_owned();
        drop(store);
        let between = database(data);
        assert_eq!(run(data, changes).await?, first);
        let newest = database(data);
        restore(data, &within);
        let second = run(data, changes).await?;
        assert_ne!(second, first, "{changes}");
        let branch = database(data);
        restore(data, &between);
        let third = run(data, 0).await?;
        assert!(third != first && third != second);
        // Forward again, and to the branch: both are copies of another past by now.
        let mut known = vec![first, second, third];
        for copy in [&newest, &branch] {
            restore(data, copy);
            let identity = run(data, 9).await?;
            assert!(!known.contains(&identity), "{changes}");
            known.push(identity);
        }
        let last = known.pop().expect("the last");
        assert_eq!(run(data, 0).await?, last, "once is enough");
    }
    Ok(())
}

#[tokio::test]
async fn indexes_that_stayed_where_all_else_was_restored_are_of_another_past() -> Result<()> {
    for damage in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        let first = run(data, 1).await?;
        index(data);
        let (copy, blobs) = (database(data), fs::read(data.join("blobs/belongs-to")).expect("a memory"));
        assert_eq!(run(data, 2).await?, first);
        restore(data, &copy);
        fs::write(data.join("blobs/belongs-to"), blobs).expect("restored");
        if damage {
            fs::remove_file(data.join(DERIVED).join("belongs-to")).expect("removed");
        }
        assert_ne!(run(data, 9).await?, first, "{damage}");
    }
    Ok(())
}

#[tokio::test]
async fn originals_that_are_older_change_nothing() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let first = run(data, 1).await?;
    index(data);
    let older = fs::read(data.join("blobs/belongs-to")).expect("a memory");
    assert_eq!(run(data, 2).await?, first);
    fs::write(data.join("blobs/belongs-to"), older).expect("restored");
    assert_eq!(run(data, 0).await?, first);
    Ok(())
}

#[tokio::test]
async fn a_killed_process_is_not_a_restored_copy() -> Result<()> {
    let (folder, left) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let data = folder.path();
    let store = SqliteStore::open(data)?;
    index(data);
    store.create_collection(new_collection("")).await?;
    // What the disk holds at that moment; the folders may be a commit behind.
    let last = fs::read(data.join("blobs/belongs-to")).expect("a memory");
    store.create_collection(new_collection("")).await?;
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
        fs::copy(data.join(&name), left.path().join(&name)).expect("copied");
    }
    for folder in ["blobs", DERIVED] {
        fs::create_dir_all(left.path().join(folder)).expect("a folder");
        fs::write(left.path().join(folder).join("belongs-to"), &last).expect("a memory");
    }
    index(left.path());
    let identity = store.identity().to_owned();
    drop(store);
    assert_eq!(run(left.path(), 0).await?, identity);
    Ok(())
}

/// An older database does not know when its collections were used last.
#[tokio::test]
async fn nothing_is_over_its_time_in_a_restored_database() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 1).await?;
    let connection = rusqlite::Connection::open(folder.path().join(DATABASE))?;
    connection.execute("UPDATE collections SET expires_days = 1, last_active_at = 1", [])?;
    drop(connection);
    run(folder.path(), 0).await?;
    let older = database(folder.path());
    let over_their_time = async || {
        let store = SqliteStore::open(folder.path())?;
        let expired = store.expired().await?.collections.len();
        store.settle().await?;
        Ok::<_, OpenError>(expired)
    };
    assert_eq!(over_their_time().await?, 1);
    restore(folder.path(), &older);
    assert_eq!(over_their_time().await?, 0);
    Ok(())
}
