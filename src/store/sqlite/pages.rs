//! Parts of lists, between the ids of elements.

use rusqlite::{OptionalExtension, Row, ToSql, Transaction};

use super::departed::{self, Departed};
use crate::store::{Page, Paged, Result, StoreError};

/// Named parameters of a list's conditions.
pub(super) type Params<'a> = &'a [(&'a str, &'a dyn ToSql)];

/// A list as SQL: what is read, and the columns by which it is named and ordered.
pub(super) struct Listed<'a> {
    pub columns: &'a str,
    /// What belongs to the list.
    pub all: &'a str,
    /// What of it is asked for. An element may leave this between two pages and still says where the next begins.
    pub filter: &'a str,
    pub id: &'a str,
    pub order: &'a str,
    /// What left it, whose places still hold.
    pub departed: Departed<'a>,
}

/// Reads a page. [`StoreError::Cursor`] if it begins or ends at what the list does not have.
pub(super) fn read<T>(
    t: &Transaction<'_>,
    list: &Listed<'_>,
    params: Params<'_>,
    page: &Page,
    record: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Paged<T>> {
    let (later, earlier) = if page.descending { ("<", ">") } else { (">", "<") };
    let bound = |end, id: &Option<String>, side| match id {
        Some(id) => place(t, list, params, (end, id), side).map(Some),
        None => Ok(None),
    };
    let (after, before) = (bound("after", &page.after, later)?, bound("before", &page.before, earlier)?);
    // A page that only ends somewhere is read from its end.
    let backwards = after.is_none() && before.is_some();
    let direction = if page.descending == backwards { "ASC" } else { "DESC" };
    let Listed { columns, all, filter, order, .. } = list;
    let mut statement = t.prepare_cached(&format!(
        "{columns} WHERE {all} AND {filter} AND (:after IS NULL OR {order} {later} :after)
         AND (:before IS NULL OR {order} {earlier} :before) ORDER BY {order} {direction} LIMIT :limit"
    ))?;
    // One more tells whether there are more.
    let limit = page.limit.saturating_add(1) as i64;
    let bounds: Params<'_> = &[(":after", &after), (":before", &before), (":limit", &limit)];
    let both = [params, bounds].concat();
    let rows = statement.query_map(&both[..], record)?;
    let mut items = rows.collect::<rusqlite::Result<Vec<T>>>()?;
    let has_more = items.len() > page.limit;
    items.truncate(page.limit);
    if backwards {
        items.reverse();
    }
    Ok(Paged { items, has_more })
}

/// Where the elements begin that stand on one side of an id: above or below this.
fn place(
    t: &Transaction<'_>,
    list: &Listed<'_>,
    params: Params<'_>,
    (end, id): (&'static str, &str),
    side: &str,
) -> Result<i64> {
    let Listed { columns, all, filter, id: column, order, departed } = list;
    let from = columns.rfind("FROM ").map_or("", |at| &columns[at..]);
    // The filter is named for its parameters, and lets everything pass.
    let mut statement = t.prepare_cached(&format!(
        "SELECT {order} {from} WHERE {all} AND ({filter} OR 1) AND {column} = :id"
    ))?;
    let both = [params, &[(":id", &id)]].concat();
    if let Some(place) = statement.query_row(&both[..], |row| row.get(0)).optional()? {
        return Ok(place);
    }
    let place = departed::place(t, departed, id)?;
    let place = place.ok_or_else(|| StoreError::Cursor { end, id: id.to_owned() })?;
    // What stands there now came later.
    Ok(if side == ">" { place - 1 } else { place })
}
