//! A look at a data folder from outside: nothing in it is made, changed or brought to another format.

use std::path::Path;

use rusqlite::OpenFlags;

use super::connection::connect;
use super::{keys, schema};
use crate::store::{KeyRecord, Result};

/// What stands in a data folder.
#[derive(Debug)]
pub struct Inspection {
    /// Its format version, and the one that this lastro writes.
    pub format: i64,
    pub known: i64,
    /// None where the two differ.
    pub content: Option<Content>,
}

/// What is stored.
#[derive(Debug)]
pub struct Content {
    pub collections: u64,
    pub documents: u64,
    /// Documents that wait to be read or embedded.
    pub waiting: u64,
    pub chunks: u64,
    /// Vectors of each fingerprint of an embedding model.
    pub vectors: Vec<(String, u64)>,
    /// All keys that were ever made.
    pub keys: Vec<KeyRecord>,
}

/// Reads a data folder. None where no database is in it yet.
pub fn inspect(data: &Path) -> Result<Option<Inspection>> {
    let database = data.join(super::DATABASE);
    if !database.exists() {
        return Ok(None);
    }
    let mut connection = connect(&database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let (format, known) = (schema::version(&connection)?, schema::newest());
    if format != known {
        return Ok(Some(Inspection { format, known, content: None }));
    }
    let t = connection.transaction()?;
    let count = |sql: &str| -> Result<u64> {
        let counted: i64 = t.query_row(sql, [], |row| row.get(0))?;
        Ok(counted as u64)
    };
    let mut vectors = t.prepare("SELECT fingerprint, count(*) FROM vectors GROUP BY fingerprint")?;
    let vectors = vectors.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
    let content = Content {
        collections: count("SELECT count(*) FROM collections")?,
        documents: count("SELECT count(*) FROM documents")?,
        waiting: count("SELECT count(*) FROM jobs")?,
        chunks: count("SELECT count(*) FROM chunks")?,
        vectors: vectors.collect::<rusqlite::Result<_>>()?,
        keys: keys::all(&t)?,
    };
    Ok(Some(Inspection { format, known, content: Some(content) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Keys, NewKey, OpenError, SqliteStore};

    type Result<T> = std::result::Result<T, OpenError>;

    #[tokio::test]
    async fn a_folder_is_read_beside_the_process_that_has_it_open() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(inspect(folder.path())?.is_none());
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing is made");
        let store = SqliteStore::open(folder.path())?;
        let key = NewKey {
            id: "key_1".to_owned(),
            name: "a".to_owned(),
            hash: [0; 32],
            scopes: "chat".to_owned(),
            all_collections: false,
            collections: vec![],
            default_collection: None,
            limits: "{}".to_owned(),
            expires_at: Some(1),
        };
        store.create_key(key).await?;
        let found = inspect(folder.path())?.expect("a database");
        assert_eq!(found.format, found.known);
        let content = found.content.expect("the format is known");
        assert_eq!((content.documents, content.keys.len()), (0, 1));
        Ok(())
    }

    #[test]
    fn another_format_is_told_and_not_read() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let other = rusqlite::Connection::open(folder.path().join(super::super::DATABASE))?;
        other.pragma_update(None, "user_version", 99)?;
        let found = inspect(folder.path())?.expect("a database");
        assert!(found.content.is_none() && found.format == 99, "{found:?}");
        Ok(())
    }
}
