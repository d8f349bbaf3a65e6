//! The store on SQLite in WAL mode, with the originals as files beside it.
//!
//! One connection writes, behind a mutex that also guards the naming and removal of blobs; readers
//! have connections of their own. All of it runs on blocking threads.

mod batches;
mod calls;
mod changes;
mod collections;
mod copies;
mod database;
mod documents;
mod files;
mod inspect;
mod jobs;
mod keys;
mod pages;
mod passages;
mod quotas;
mod schema;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use rusqlite::Transaction;

use super::{Result, StoreError};

pub use database::SqliteStore;
pub use inspect::{Content, Inspection, inspect};

/// The database's name in the data folder.
const DATABASE: &str = "lastro.sqlite3";

/// Raises a collection's revision and returns it.
fn raise_revision(transaction: &Transaction<'_>, collection: &str) -> Result<i64> {
    transaction
        .prepare_cached("UPDATE collections SET revision = revision + 1 WHERE id = ?1 RETURNING revision")?
        .query_row([collection], |row| row.get(0))
        .map_err(|e| not_found(e, "collection"))
}

fn not_found(error: rusqlite::Error, what: &'static str) -> StoreError {
    match error {
        rusqlite::Error::QueryReturnedNoRows => StoreError::NotFound(what),
        error => StoreError::Database(error),
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}

fn fresh_id(prefix: &str) -> Result<String> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Worker(e.to_string()))?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}
