//! Places of what left a list. Triggers of the tables write them.

use rusqlite::{OptionalExtension, Row, Transaction, params};

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

/// The number of what comes to `table`, and so to the list of all its rows: after what is there and what left. SQLite alone
/// would give those of deleted rows again, and a page that goes on from one of them would pass over what has its number.
pub(super) fn next(t: &Transaction<'_>, table: &str, list: &str) -> Result<i64> {
    let there =
        t.prepare_cached(&format!("SELECT coalesce(max(rowid), 0) FROM {table}"))?.query_row([], number)?;
    let left = t
        .prepare_cached("SELECT coalesce(max(place), 0) FROM departed WHERE list = ?1")?
        .query_row([list], number)?;
    Ok(there.max(left).saturating_add(1))
}

fn number(row: &Row<'_>) -> rusqlite::Result<i64> {
    row.get(0)
}
