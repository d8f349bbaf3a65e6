use std::fs;
use std::path::Path;

use super::*;
use crate::store::OpenError;
use crate::store::sqlite::connection::connect;
use crate::store::sqlite::{DATABASE, SqliteStore};
use rusqlite::OpenFlags;

type Result<T> = std::result::Result<T, OpenError>;

#[test]
fn a_database_of_the_first_version_is_brought_forward_with_its_content() -> Result<()> {
    let mut connection = Connection::open_in_memory()?;
    migrate_to(&mut connection, 1)?;
    connection.execute(
        "INSERT INTO collections (id, name, origin, settings, created_at) VALUES ('vs_1', 'a', 'api', '{}', 1)",
        [],
    )?;
    connection.execute_batch(
        "INSERT INTO blobs VALUES ('b', 1);
         INSERT INTO files VALUES ('file-1', 'b', 'a.txt', 1), ('file-2', 'b', 'a.txt', 1);
         INSERT INTO documents (collection, file, status, created_at) VALUES ('vs_1', 'file-1', 'completed', 1);
         INSERT INTO chunks (document, collection, revision, text, headings, start, \"end\", tokens)
             VALUES (1, 'vs_1', 1, 'text', '[]', 0, 4, 1);
         INSERT INTO documents (key, collection, file, status, created_at) VALUES (9, 'vs_1', 'file-2', 'failed', 1);
         DELETE FROM documents WHERE key = 9;",
    )?;
    migrate(&mut connection)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    assert_eq!(version, STEPS.len() as i64);
    let names: i64 =
        connection.query_row("SELECT count(*) FROM collections WHERE name = 'a'", [], |row| row.get(0))?;
    assert_eq!(names, 1);
    let texts: String = connection.query_row(
        "SELECT c.text FROM chunks c JOIN documents d ON d.key = c.document WHERE d.text_bytes = 4",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(texts, "text", "what points to a table that was made anew is still there");
    connection.execute(
        "INSERT INTO documents (collection, file, status, created_at) VALUES ('vs_1', 'file-2', 'cancelled', 1)",
        [],
    )?;
    assert_eq!(connection.last_insert_rowid(), 10, "a document's number is not used twice");
    Ok(())
}

#[test]
fn a_database_from_the_future_is_refused_untouched() -> Result<()> {
    let mut connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "user_version", 99)?;
    let error = migrate(&mut connection).expect_err("version 99 is not known");
    assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
    Ok(())
}

/// A data folder as a lastro of an older format left it, with one document.
fn older(folder: &Path, version: usize) -> Result<()> {
    let mut connection = connect(&folder.join(DATABASE), OpenFlags::default())?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    migrate_to(&mut connection, version)?;
    let (column, value) = if version < 3 { ("", "") } else { (", last_active_at", ", 1") };
    connection.execute_batch(&format!(
        "INSERT INTO collections (id, name, origin, settings, created_at{column}) VALUES ('vs_1', 'a', 'api', '{{}}', 1{value});
         INSERT INTO blobs VALUES ('b', 1);
         INSERT INTO files (id, blob, name, created_at) VALUES ('file-1', 'b', 'a.txt', 1);
         INSERT INTO documents (collection, file, status, created_at) VALUES ('vs_1', 'file-1', 'completed', 1);
         INSERT INTO chunks (document, collection, revision, text, headings, start, \"end\", tokens)
             VALUES (1, 'vs_1', 1, 'text', '[]', 0, 4, 1);"
    ))?;
    Ok(())
}

fn chunks(database: &Path) -> Result<(i64, i64)> {
    let connection = Connection::open(database)?;
    let chunks =
        connection.query_row("SELECT count(*) FROM chunks WHERE text = 'text'", [], |row| row.get(0))?;
    Ok((version(&connection)?, chunks))
}

#[test]
fn a_copy_of_an_older_database_is_kept() -> Result<()> {
    for format in 1..STEPS.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join(DATABASE);
        older(folder.path(), format)?;
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(90 * 86_400);
        fs::File::open(&database).and_then(|file| file.set_modified(past)).expect("it was not used for long");
        let copy = folder.path().join(format!("lastro.sqlite3.format-{format}"));
        // What a start that was broken off may have left.
        fs::write(copy.with_extension(format!("format-{format}.new")), "half").expect("a file");
        drop(SqliteStore::open(folder.path())?);
        assert_eq!(chunks(&database)?, (STEPS.len() as i64, 1));
        assert_eq!(chunks(&copy)?, (format as i64, 1), "the way back");
        let vacuum: i64 =
            Connection::open(&database)?.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
        assert_eq!(vacuum, 2, "pages can be given back from now on");
        let age = fs::metadata(&copy).and_then(|found| found.modified()).expect("a time").elapsed();
        assert!(age.is_ok_and(|age| age.as_secs() < 3_600), "it is kept from now on");
        let names = fs::read_dir(folder.path()).expect("the folder").count();
        drop(SqliteStore::open(folder.path())?);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), names, "once is enough");
        // The older lastro takes the copy's place and goes on.
        fs::rename(&copy, &database).expect("it is put back");
        drop(SqliteStore::open(folder.path())?);
        assert_eq!(chunks(&database)?, (STEPS.len() as i64, 1));
    }
    Ok(())
}

#[test]
fn without_a_copy_nothing_is_changed() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    older(folder.path(), 2)?;
    // A folder stands where the copy should.
    let place = folder.path().join("lastro.sqlite3.format-2");
    fs::create_dir_all(place.join("occupied")).expect("a folder");
    let error = match SqliteStore::open(folder.path()) {
        Ok(_) => panic!("it was changed"),
        Err(error) => error,
    };
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(chunks(&folder.path().join(DATABASE))?, (2, 1));
    assert!(!folder.path().join("lastro.sqlite3.format-2.new").exists(), "nothing half stays");
    fs::remove_dir_all(place).expect("it is freed");
    drop(SqliteStore::open(folder.path())?);
    Ok(())
}

/// What the disk holds when the process is killed in the middle of a step, at any of its statements.
#[test]
fn a_migration_that_is_killed_begins_anew() -> Result<()> {
    for (format, step) in STEPS.iter().enumerate().skip(1) {
        let ends: Vec<usize> = step.match_indices(';').map(|(at, _)| at + 1).collect();
        for end in ends {
            let (folder, left) =
                (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
            older(folder.path(), format)?;
            let mut connection = connect(&folder.path().join(DATABASE), OpenFlags::default())?;
            // So little memory that pages reach the disk before the commit.
            connection.pragma_update(None, "cache_size", 1)?;
            connection.pragma_update(None, "foreign_keys", false)?;
            let transaction = connection.transaction()?;
            // A semicolon in a comment ends no statement.
            if transaction.execute_batch(&step[..end]).is_err() {
                continue;
            }
            for entry in fs::read_dir(folder.path()).expect("the folder") {
                let path = entry.expect("an entry").path();
                // The index of the log is memory that a crash of the machine loses; without it the log is read anew.
                if !path.to_string_lossy().ends_with("-shm") {
                    fs::copy(&path, left.path().join(path.file_name().expect("a name"))).expect("a copy");
                }
            }
            drop(transaction);
            assert_eq!(chunks(&left.path().join(DATABASE))?, (format as i64, 1), "{}", &step[..end]);
            drop(SqliteStore::open(left.path())?);
            assert_eq!(chunks(&left.path().join(DATABASE))?, (STEPS.len() as i64, 1));
        }
    }
    Ok(())
}
