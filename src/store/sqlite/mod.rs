//! The store on SQLite in WAL mode, with the originals as files beside it.
//!
//! One connection writes, behind a mutex that also guards the naming and removal of blobs; readers
//! have connections of their own. All of it runs on blocking threads.

mod batches;
mod calls;
mod catalog;
mod changes;
mod collections;
mod connection;
mod copies;
mod database;
mod departed;
mod documents;
mod error;
mod files;
mod gaps;
mod headings;
mod inspect;
mod jobs;
mod keys;
mod lineage;
mod originals;
mod pages;
mod passages;
mod quotas;
mod removal;
mod schema;
mod sweep;
#[cfg(test)]
mod tests;
mod upkeep;
mod uploads;
mod versions;
mod writer;

use rusqlite::Transaction;

use super::{Result, StoreError};
use crate::system::random_hex;

pub use database::SqliteStore;
pub use inspect::{Content, Inspection, inspect};
pub use originals::{Originals, look_at_originals, originals_without_database};

use error::not_found;

/// The database's name in the data folder.
const DATABASE: &str = "lastro.sqlite3";
/// The folder of what is derived from the database.
const DERIVED: &str = "indexes";

/// Raises a collection's revision and returns it.
fn raise_revision(transaction: &Transaction<'_>, collection: &str) -> Result<i64> {
    transaction
        .prepare_cached("UPDATE collections SET revision = revision + 1 WHERE id = ?1 RETURNING revision")?
        .query_row([collection], |row| row.get(0))
        .map_err(|e| not_found(e, "collection"))
}

/// Raises the revision of collections and keys and returns it.
fn raise_catalog(transaction: &Transaction<'_>) -> Result<i64> {
    let raise = "UPDATE identity SET catalog = catalog + 1 RETURNING catalog";
    Ok(transaction.prepare_cached(raise)?.query_row([], |row| row.get(0))?)
}

fn fresh_id(prefix: &str) -> Result<String> {
    let digits = random_hex(12).map_err(|e| StoreError::Worker(e.to_string()))?;
    Ok(format!("{prefix}{digits}"))
}
