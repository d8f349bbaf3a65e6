//! Places of what left a list. Triggers of the tables write them.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::store::{Result, StoreError};

/// A list that elements leave, and as whom it is looked at.
pub(super) struct Departed<'a> {
    /// `files`, `vector_stores`, or the id of a collection for its documents.
    pub list: &'a str,
    /// Of the viewers that an element had, one of these must be among them: nobody learns of what they never saw.
    pub viewers: Vec<&'a str>,
}

/// Who sees all of a list.
pub(super) const EVERYBODY: &str = "";

/// The place that an element had, if it left this list within the last week.
pub(super) fn place(t: &Transaction<'_>, departed: &Departed<'_>, id: &str) -> Result<Option<i64>> {
    let viewers = serde_json::to_string(&departed.viewers).map_err(|e| StoreError::Damaged(e.to_string()))?;
    Ok(t.prepare_cached(
        "SELECT place FROM departed WHERE list = ?1 AND id = ?2
         AND viewer IN (SELECT value FROM json_each(?3)) AND at > unixepoch() - 604800 ORDER BY number DESC LIMIT 1",
    )?
    .query_row(params![departed.list, id, viewers], |row| row.get(0))
    .optional()?)
}
