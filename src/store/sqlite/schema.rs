//! The database's tables, as steps from one format version to the next.
//!
//! A step, once released, is never edited: a change is a new step. `PRAGMA user_version` says how many
//! steps a database has been through; opening runs the rest, each in a transaction of its own.

use rusqlite::Connection;

use crate::store::{Result, StoreError};

const STEPS: &[&str] = &[
    // 1: collections, blobs, files, documents, chunks, outlines, vectors, jobs.
    "
    CREATE TABLE collections (
        id          TEXT PRIMARY KEY,
        name        TEXT NOT NULL UNIQUE,
        origin      TEXT NOT NULL CHECK (origin IN ('api', 'folder')),
        language    TEXT,
        settings    TEXT NOT NULL,
        created_at  INTEGER NOT NULL,
        revision    INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE blobs (
        sha256      TEXT PRIMARY KEY,
        bytes       INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE files (
        id          TEXT PRIMARY KEY,
        blob        TEXT NOT NULL REFERENCES blobs (sha256),
        name        TEXT NOT NULL,
        created_at  INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX files_by_blob ON files (blob);
    CREATE TABLE documents (
        key             INTEGER PRIMARY KEY AUTOINCREMENT,
        collection      TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        file            TEXT NOT NULL REFERENCES files (id),
        status          TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed')),
        failure_code    TEXT,
        failure_message TEXT,
        language        TEXT,
        pages           INTEGER,
        chunks          INTEGER NOT NULL DEFAULT 0,
        created_at      INTEGER NOT NULL,
        UNIQUE (collection, file)
    ) STRICT;
    CREATE TABLE chunks (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        document    INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
        collection  TEXT NOT NULL,
        revision    INTEGER NOT NULL,
        text        TEXT NOT NULL,
        page        INTEGER,
        last_page   INTEGER,
        headings    TEXT NOT NULL,
        start       INTEGER NOT NULL,
        \"end\"     INTEGER NOT NULL,
        tokens      INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX chunks_by_document ON chunks (document);
    CREATE INDEX chunks_by_revision ON chunks (collection, revision);
    CREATE TABLE removals (
        collection  TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        revision    INTEGER NOT NULL,
        chunk       INTEGER NOT NULL,
        PRIMARY KEY (collection, revision, chunk)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outlines (
        document    INTEGER PRIMARY KEY REFERENCES documents (key) ON DELETE CASCADE,
        outline     TEXT NOT NULL
    ) STRICT;
    CREATE TABLE vectors (
        chunk       INTEGER NOT NULL REFERENCES chunks (id) ON DELETE CASCADE,
        fingerprint TEXT NOT NULL,
        collection  TEXT NOT NULL,
        revision    INTEGER NOT NULL,
        vector      BLOB NOT NULL,
        PRIMARY KEY (chunk, fingerprint)
    ) STRICT;
    CREATE INDEX vectors_by_revision ON vectors (collection, fingerprint, revision);
    CREATE TABLE jobs (
        document    INTEGER PRIMARY KEY REFERENCES documents (key) ON DELETE CASCADE,
        stage       TEXT NOT NULL CHECK (stage IN ('extract', 'embed')),
        attempts    INTEGER NOT NULL DEFAULT 0,
        taken       INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    ",
    // 2: documents of a collection are listed, counted and compared by content on every upload; and whether
    // they fit into a window whole is asked for every question.
    "
    ALTER TABLE documents ADD COLUMN text_bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE documents SET text_bytes = coalesce((SELECT max(\"end\") FROM chunks WHERE document = documents.key), 0);
    CREATE INDEX documents_by_collection ON documents (collection, key, text_bytes);
    CREATE INDEX documents_by_file ON documents (file);
    ",
];

/// Brings a database to the newest format. [`StoreError::TooNew`] for one from a later lastro.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    migrate_to(connection, STEPS.len())
}

fn migrate_to(connection: &mut Connection, version: usize) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = STEPS.len() as i64;
    let done = match usize::try_from(found) {
        Ok(done) if done <= STEPS.len() => done,
        _ => return Err(StoreError::TooNew { found, known }),
    };
    for (number, step) in STEPS.iter().enumerate().take(version).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number as i64 + 1)?;
        transaction.commit()?;
        tracing::info!(version = number + 1, "data folder brought to a new format version");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_the_first_version_is_brought_forward_with_its_content() -> Result<()> {
        let mut connection = Connection::open_in_memory()?;
        migrate_to(&mut connection, 1)?;
        connection.execute(
            "INSERT INTO collections (id, name, origin, settings, created_at) VALUES ('vs_1', 'a', 'api', '{}', 1)",
            [],
        )?;
        migrate(&mut connection)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        assert_eq!(version, STEPS.len() as i64);
        let names: i64 =
            connection
                .query_row("SELECT count(*) FROM collections WHERE name = 'a'", [], |row| row.get(0))?;
        assert_eq!(names, 1);
        Ok(())
    }

    #[test]
    fn a_database_from_the_future_is_refused_untouched() -> Result<()> {
        let mut connection = Connection::open_in_memory()?;
        connection.pragma_update(None, "user_version", 99)?;
        let error = migrate(&mut connection).expect_err("version 99 is not known");
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
        Ok(())
    }
}
