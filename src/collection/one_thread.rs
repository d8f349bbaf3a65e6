//! A search that goes from thread to thread no more often than it must.

use tokio::sync::Semaphore;

use super::search::{self, Found, Query};
use super::{Catalog, CollectionError, Scope};
use crate::tasks;

/// Searches that hold a thread each at a time. What they may wait for, as for an index that is opened, needs threads too.
const MOST: usize = 32;
static PLACES: Semaphore = Semaphore::const_new(MOST);

/// Searches, on one thread where nothing but words and records of one collection are needed, which take less than the
/// ways between threads.
pub(super) async fn search(
    catalog: &Catalog,
    scopes: &[Scope],
    query: Query<'_>,
) -> Result<Found, CollectionError> {
    let place = PLACES.try_acquire().ok();
    let Some(place) = place.filter(|_| catalog.embeddings().is_none() && scopes.len() == 1) else {
        return search::search(catalog, scopes, query).await;
    };
    let (catalog, scopes) = (catalog.clone(), scopes.to_vec());
    let texts: Vec<String> = query.texts.iter().map(|text| (*text).to_owned()).collect();
    let Query { texts: _, limit, deadline, floor, threshold, dense_weight, rerank } = query;
    let steps = async move {
        // Held as long as the thread is.
        let _place = place;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let query = Query { texts: &texts, limit, deadline, floor, threshold, dense_weight, rerank };
        search::search(&catalog, &scopes, query).await
    };
    // Whoever asked does not wait longer, although the thread may.
    let found = tokio::time::timeout_at(deadline.into(), tasks::on_one_thread(steps)).await;
    found.unwrap_or(Err(CollectionError::Deadline))
}
