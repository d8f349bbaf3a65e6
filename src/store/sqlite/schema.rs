//! The database's tables, as steps from one format version to the next.
//!
//! A step, once released, is never edited: a change is a new step. `PRAGMA user_version` says how many
//! steps a database has been through; opening runs the rest, each in a transaction of its own.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::store::{OpenError, Result, StoreError, compared_name};

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
    // 3: OpenAI's files and vector stores: files that stand without a document, any number of collections of one name,
    // attributes, batches; and keys. Two tables are made anew: SQLite cannot drop a constraint.
    "
    CREATE TABLE collections_new (
        id             TEXT PRIMARY KEY,
        name           TEXT NOT NULL,
        origin         TEXT NOT NULL CHECK (origin IN ('api', 'folder')),
        language       TEXT,
        settings       TEXT NOT NULL,
        created_at     INTEGER NOT NULL,
        revision       INTEGER NOT NULL DEFAULT 0,
        description    TEXT,
        metadata       TEXT NOT NULL DEFAULT '{}',
        expires_days   INTEGER,
        last_active_at INTEGER NOT NULL,
        expired        INTEGER NOT NULL DEFAULT 0,
        owner          TEXT
    ) STRICT;
    INSERT INTO collections_new (id, name, origin, language, settings, created_at, revision, last_active_at)
        SELECT id, name, origin, language, settings, created_at, revision, created_at FROM collections
        ORDER BY created_at, rowid;
    DROP TABLE collections;
    ALTER TABLE collections_new RENAME TO collections;
    CREATE UNIQUE INDEX collections_of_folders ON collections (name) WHERE origin = 'folder';

    ALTER TABLE files ADD COLUMN owner TEXT;
    ALTER TABLE files ADD COLUMN purpose TEXT NOT NULL DEFAULT 'assistants';
    ALTER TABLE files ADD COLUMN expires_at INTEGER;
    ALTER TABLE files ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX files_by_owner ON files (owner);
    CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

    CREATE TABLE documents_new (
        key             INTEGER PRIMARY KEY AUTOINCREMENT,
        collection      TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        file            TEXT NOT NULL REFERENCES files (id),
        status          TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
        failure_code    TEXT,
        failure_message TEXT,
        language        TEXT,
        pages           INTEGER,
        chunks          INTEGER NOT NULL DEFAULT 0,
        text_bytes      INTEGER NOT NULL DEFAULT 0,
        created_at      INTEGER NOT NULL,
        attributes      TEXT NOT NULL DEFAULT '{}',
        chunk_tokens    INTEGER,
        overlap_tokens  INTEGER,
        owner           TEXT,
        UNIQUE (collection, file)
    ) STRICT;
    INSERT INTO documents_new (key, collection, file, status, failure_code, failure_message, language, pages, chunks,
            text_bytes, created_at)
        SELECT key, collection, file, status, failure_code, failure_message, language, pages, chunks, text_bytes,
            created_at FROM documents ORDER BY key;
    -- A document's number is never used twice, not even that of one deleted before.
    DELETE FROM sqlite_sequence WHERE name = 'documents_new';
    INSERT INTO sqlite_sequence (name, seq) SELECT 'documents_new', seq FROM sqlite_sequence WHERE name = 'documents';
    DROP TABLE documents;
    ALTER TABLE documents_new RENAME TO documents;
    CREATE INDEX documents_by_collection ON documents (collection, key, text_bytes);
    CREATE INDEX documents_by_file ON documents (file);
    CREATE INDEX documents_by_owner ON documents (owner);

    CREATE TABLE batches (
        id          TEXT PRIMARY KEY,
        collection  TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        created_at  INTEGER NOT NULL,
        cancelled   INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE batch_documents (
        batch       TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
        document    INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
        PRIMARY KEY (batch, document)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX batches_by_document ON batch_documents (document);

    CREATE TABLE keys (
        id                 TEXT PRIMARY KEY,
        name               TEXT NOT NULL,
        hash               BLOB NOT NULL,
        scopes             TEXT NOT NULL,
        all_collections    INTEGER NOT NULL,
        default_collection TEXT REFERENCES collections (id) ON DELETE SET NULL,
        limits             TEXT NOT NULL,
        created_at         INTEGER NOT NULL,
        expires_at         INTEGER,
        revoked_at         INTEGER
    ) STRICT;
    CREATE TABLE grants (
        key         TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
        collection  TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
        PRIMARY KEY (key, collection)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX grants_by_collection ON grants (collection);
    ",
    // 4: which database this is, so that a restored copy is told from it; originals that are to be removed, noted with
    // the deletion; collections that are being deleted; and from which revision on removals are still known.
    "
    CREATE TABLE identity (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        database    TEXT NOT NULL,
        epoch       TEXT NOT NULL,
        commits     INTEGER NOT NULL
    ) STRICT;
    INSERT INTO identity (one, database, epoch, commits)
        VALUES (1, lower(hex(randomblob(16))), lower(hex(randomblob(8))), 0);
    CREATE TABLE runs (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        token       TEXT NOT NULL UNIQUE,
        commits     INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE removed_blobs (
        sha256      TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE collections ADD COLUMN doomed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE collections ADD COLUMN removals_since INTEGER NOT NULL DEFAULT 0;
    ",
    // 5: what left a list keeps its place for a while: clients go on from the last id that they saw, also where they deleted
    // it. `list` is files, vector_stores or a collection; `viewer` who saw it there: '' for who sees the whole list, else
    // a key, a collection or a batch. A later step that makes one of these tables anew has to make its triggers anew.
    "
    CREATE TABLE departed (
        number  INTEGER PRIMARY KEY,
        list    TEXT NOT NULL,
        id      TEXT NOT NULL,
        viewer  TEXT NOT NULL,
        place   INTEGER NOT NULL,
        at      INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX departed_by_id ON departed (list, id, viewer);
    CREATE TRIGGER departed_are_few AFTER INSERT ON departed BEGIN
        DELETE FROM departed WHERE number <= new.number - 200000;
        DELETE FROM departed WHERE at <= new.at - 604800
            AND number IN (SELECT number FROM departed ORDER BY number LIMIT 8);
    END;
    -- Not where the collection goes with all of its documents: then there is no list.
    CREATE TRIGGER documents_depart BEFORE DELETE ON documents
        WHEN EXISTS (SELECT 1 FROM collections WHERE id = old.collection AND doomed = 0) BEGIN
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            VALUES (old.collection, old.file, '', old.key, unixepoch());
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            SELECT old.collection, old.file, batch, old.key, unixepoch() FROM batch_documents WHERE document = old.key;
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            SELECT 'files', id, old.collection, rowid, unixepoch() FROM files WHERE id = old.file;
    END;
    CREATE TRIGGER files_depart BEFORE DELETE ON files BEGIN
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            VALUES ('files', old.id, '', old.rowid, unixepoch());
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            SELECT 'files', old.id, old.owner, old.rowid, unixepoch() WHERE old.owner IS NOT NULL;
    END;
    CREATE TRIGGER collections_depart BEFORE DELETE ON collections BEGIN
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            VALUES ('vector_stores', old.id, '', old.rowid, unixepoch());
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            SELECT 'vector_stores', old.id, key, old.rowid, unixepoch() FROM grants WHERE collection = old.id;
    END;
    CREATE TRIGGER collections_are_doomed AFTER UPDATE OF doomed ON collections WHEN new.doomed > old.doomed BEGIN
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            VALUES ('vector_stores', old.id, '', old.rowid, unixepoch());
        INSERT OR REPLACE INTO departed (list, id, viewer, place, at)
            SELECT 'vector_stores', old.id, key, old.rowid, unixepoch() FROM grants WHERE collection = old.id;
    END;
    CREATE TRIGGER collections_departed AFTER DELETE ON collections BEGIN
        DELETE FROM departed WHERE list = old.id;
    END;
    ",
    // 6: jobs that wait after a failure let the others pass; a completed document may be owed vectors.
    "
    ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX jobs_in_order ON jobs (taken, owed, document, not_before);
    ALTER TABLE documents ADD COLUMN warning_code TEXT;
    ALTER TABLE documents ADD COLUMN warning_message TEXT;
    CREATE INDEX documents_with_warnings ON documents (key) WHERE warning_code IS NOT NULL;
    ",
    // 7: what a document takes of a prompt as a whole: asked for every question, as its bytes were. Unknown of old ones.
    "
    ALTER TABLE documents ADD COLUMN prompt_tokens INTEGER;
    DROP INDEX documents_by_collection;
    CREATE INDEX documents_by_collection ON documents (collection, key, text_bytes, prompt_tokens);
    ",
    // 8: documents are looked up by name; a new version of one waits, out of sight, to take the place of the others.
    "
    ALTER TABLE documents ADD COLUMN name TEXT NOT NULL DEFAULT '';
    UPDATE documents SET name = (SELECT compared_name(name) FROM files WHERE id = documents.file);
    CREATE INDEX documents_by_name ON documents (collection, name);
    ALTER TABLE documents ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
    DROP INDEX documents_by_collection;
    CREATE INDEX documents_by_collection ON documents (collection, key, text_bytes, prompt_tokens, waits);
    ",
    // 9: what comes to a list gets a number above all that left it: it is later than each of them.
    "
    CREATE INDEX departed_by_place ON departed (list, place);
    ",
    // 10: who works on a job, and until when nobody else may; and what happened to collections and keys since a revision
    // of them all.
    "
    ALTER TABLE jobs ADD COLUMN worker TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN leased_until INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE identity ADD COLUMN catalog INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE collections ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE keys ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE removed_collections (
        changed     INTEGER NOT NULL,
        collection  TEXT NOT NULL,
        PRIMARY KEY (changed, collection)
    ) STRICT, WITHOUT ROWID;
    ",
];

/// The format version of a database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// The newest format version.
pub(super) fn newest() -> i64 {
    STEPS.len() as i64
}

/// The format version of a database that this lastro can read. [`OpenError::TooNew`] for one from a later lastro.
pub(super) fn check(connection: &Connection) -> std::result::Result<i64, OpenError> {
    let (found, known) = (version(connection)?, newest());
    if (0..=known).contains(&found) { Ok(found) } else { Err(OpenError::TooNew { found, known }) }
}

/// Brings a database to the newest format. [`OpenError::TooNew`] for one from a later lastro.
pub(super) fn migrate(connection: &mut Connection) -> std::result::Result<(), OpenError> {
    migrate_to(connection, STEPS.len())
}

fn migrate_to(connection: &mut Connection, version: usize) -> std::result::Result<(), OpenError> {
    let done = check(connection)? as usize;
    let name = |arguments: &rusqlite::functions::Context<'_>| {
        arguments.get::<String>(0).map(|name| compared_name(&name))
    };
    connection.create_scalar_function("compared_name", 1, FunctionFlags::SQLITE_DETERMINISTIC, name)?;
    // A table that is made anew must not take the rows with it that point to the old one.
    connection.pragma_update(None, "foreign_keys", false)?;
    for (number, step) in STEPS.iter().enumerate().take(version).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        let astray = transaction.prepare("PRAGMA foreign_key_check")?.exists([])?;
        if astray {
            let damage = format!("rows point nowhere after step {}", number + 1);
            return Err(StoreError::Damaged(damage).into());
        }
        transaction.pragma_update(None, "user_version", number as i64 + 1)?;
        transaction.commit()?;
        tracing::info!(version = number + 1, "data folder brought to a new format version");
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

#[cfg(test)]
mod tests;
