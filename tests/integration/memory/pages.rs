//! Parts of lists, between the ids of elements.

use lastro::store::{Page, Paged, Result, StoreError};

use super::state::{List, State};

/// An element of a list with its place, and whether it is asked for.
pub struct Listed<T> {
    pub place: i64,
    pub id: String,
    pub is_wanted: bool,
    pub element: T,
}

impl State {
    /// The place that an element had which left this list, for one of these viewers.
    pub fn departed_place(&self, list: &List, id: &str, viewers: &[Option<String>]) -> Option<i64> {
        let left = self.departed.iter().rev().find(|departed| {
            departed.list == *list && departed.id == id && viewers.contains(&departed.viewer)
        });
        left.map(|departed| departed.place)
    }
}

/// A part of a list whose elements stand in the order of their places. An element that is not wanted, or has left, still
/// says where a page begins or ends; what was never there does not.
pub fn part<T>(all: Vec<Listed<T>>, departed: impl Fn(&str) -> Option<i64>, page: &Page) -> Result<Paged<T>> {
    let place = |end: &'static str, id: &Option<String>| {
        let Some(id) = id else { return Ok(None) };
        let there = all.iter().find(|listed| listed.id == *id).map(|listed| listed.place);
        let place = there.or_else(|| departed(id));
        place.map(Some).ok_or_else(|| StoreError::Cursor { end, id: id.clone() })
    };
    let (after, before) = (place("after", &page.after)?, place("before", &page.before)?);
    let (above, below) = if page.descending { (before, after) } else { (after, before) };
    let mut items: Vec<T> = all
        .into_iter()
        .filter(|listed| listed.is_wanted)
        .filter(|listed| above.is_none_or(|place| listed.place > place))
        .filter(|listed| below.is_none_or(|place| listed.place < place))
        .map(|listed| listed.element)
        .collect();
    if page.descending {
        items.reverse();
    }
    let has_more = items.len() > page.limit;
    // A page that only ends somewhere is the last part of what is before that.
    if after.is_none() && before.is_some() {
        items.drain(..items.len().saturating_sub(page.limit));
    } else {
        items.truncate(page.limit);
    }
    Ok(Paged { items, has_more })
}
