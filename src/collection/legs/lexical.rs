//! What words say to a question: in each scope by itself, and by one measure in all of them.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use crate::collection::words::Trust;
use crate::collection::{Catalog, CollectionError, Scope};
use crate::index::{Filter, IndexError, LexicalIndex, Match, Matches, Statistics};
use crate::tasks::blocking;

/// Chunks whose cosines say what a collection says to anything: their median is known to a tenth of a deviation.
const SAMPLE: usize = 200;

/// What words found in one scope.
pub(in crate::collection) struct Found {
    /// What was searched; none where the collection was deleted meanwhile.
    index: Option<Arc<LexicalIndex>>,
    pub matches: Matches,
    /// Some chunks of the collection, whatever is asked.
    pub sample: Vec<u64>,
}

/// An index, and what it answered.
type Asked<T> = (Arc<LexicalIndex>, T);

/// What words found everywhere.
pub(in crate::collection) struct Answer {
    /// In each scope.
    pub found: Vec<Result<Found, CollectionError>>,
    statistics: Arc<Statistics>,
}

impl Answer {
    /// Whether every scope answered, and some chunk was found.
    pub fn is_enough(&self) -> bool {
        let chunks = |found: &Found| !found.matches.found.is_empty();
        self.found.iter().all(Result::is_ok) && self.found.iter().flatten().any(chunks)
    }
}

/// Searches the words of all scopes, with the statistics of all of them together: a word is as rare as it is in all.
pub(in crate::collection) async fn search(
    catalog: &Catalog,
    scopes: &[Scope],
    text: &str,
    depth: usize,
    deadline: Instant,
) -> Answer {
    let text: Arc<str> = text.into();
    let asked = text.clone();
    let count = move |index: &LexicalIndex| index.statistics(&asked);
    let [scope] = scopes else {
        let counted = join_all(scopes.iter().map(|scope| ask(catalog, scope, deadline, count.clone()))).await;
        let known = counted.iter().flatten().flatten().map(|(_, statistics)| statistics.clone());
        let statistics = Arc::new(Statistics::pooled(known));
        let found = scopes.iter().zip(counted).map(async |(scope, counted)| {
            counted?;
            let (asked, statistics, filter) = (text.clone(), statistics.clone(), scope.filter());
            let depth = if scope.is_empty() { 0 } else { depth };
            let find = move |index: &LexicalIndex| find(index, &asked, depth, &filter, &statistics);
            Ok(found(ask(catalog, scope, deadline, find).await?))
        });
        let found = join_all(found).await;
        return Answer { found, statistics };
    };
    // Nothing to pool, and so nothing to wait for.
    let filter = scope.filter();
    let find_alone = move |index: &LexicalIndex| {
        let statistics = count(index)?;
        find(index, &text, depth, &filter, &statistics).map(|found| (found, statistics))
    };
    match ask(catalog, scope, deadline, find_alone).await {
        Ok(Some((index, (all, statistics)))) => {
            Answer { found: vec![Ok(found(Some((index, all))))], statistics: Arc::new(statistics) }
        }
        Ok(None) => Answer { found: vec![Ok(found(None))], statistics: Arc::default() },
        Err(error) => Answer { found: vec![Err(error)], statistics: Arc::default() },
    }
}

/// What words say of chunks that meaning found, a list for each scope. One that cannot be asked leaves them without.
pub(in crate::collection) async fn score(
    answer: &Answer,
    text: &str,
    chunks: Vec<Vec<u64>>,
    deadline: Instant,
) -> Vec<Vec<Option<Match>>> {
    let text: Arc<str> = text.into();
    let scored = answer.found.iter().zip(chunks).map(async |(found, chunks)| {
        let Some(index) = found.as_ref().ok().and_then(|found| found.index.clone()) else {
            return Vec::new();
        };
        if chunks.is_empty() {
            return Vec::new();
        }
        let (text, statistics) = (text.clone(), answer.statistics.clone());
        let scored = blocking(move || index.matches_of(&text, &chunks, &statistics));
        match tokio::time::timeout_at(deadline.into(), scored).await {
            Ok(Ok(scored)) => scored,
            Ok(Err(error)) => {
                tracing::warn!(%error, "chunks found by meaning alone are ranked without their words");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    });
    join_all(scored).await
}

fn find(
    index: &LexicalIndex,
    text: &str,
    depth: usize,
    filter: &Filter,
    statistics: &Statistics,
) -> Result<(Matches, Vec<u64>), IndexError> {
    Ok((index.matches(text, depth, filter, statistics)?, index.sample(SAMPLE)?))
}

fn found(searched: Option<Asked<(Matches, Vec<u64>)>>) -> Found {
    let (index, (matches, sample)) = searched.map_or_else(Default::default, |(i, found)| (Some(i), found));
    Found { index, matches, sample }
}

/// Asks the index of one scope. One that is not open is opened; one that breaks is mended, and asked again. `None` where
/// the collection was deleted meanwhile.
async fn ask<T: Send + 'static>(
    catalog: &Catalog,
    scope: &Scope,
    deadline: Instant,
    question: impl Fn(&LexicalIndex) -> Result<T, IndexError> + Clone + Send + 'static,
) -> Result<Option<Asked<T>>, CollectionError> {
    let attempts = async {
        let collection = &scope.collection;
        let mut next = Some(Trust::Checked);
        loop {
            if collection.indexes.words.answering().is_none()
                && let Err(error) = catalog.sync_words(collection).await
                // Otherwise it lags, and answers.
                && collection.indexes.words.answering().is_none()
            {
                return Err(error);
            }
            let Some(index) = collection.indexes.words.answering() else { return Ok(None) };
            let (question, asked) = (question.clone(), index.clone());
            match (blocking(move || question(&asked)).await, next) {
                (Err(IndexError::Damaged(error)), Some(trust)) => {
                    tracing::warn!(error, collection = collection.label(), "lexical index broke in a search");
                    collection.indexes.words.distrust(&index, trust);
                    next = trust.less();
                }
                (answer, _) => return Ok(Some((index, answer?))),
            }
        }
    };
    tokio::time::timeout_at(deadline.into(), attempts).await.unwrap_or(Err(CollectionError::Deadline))
}
