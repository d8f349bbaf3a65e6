//! The two legs of a search, words and meaning, side by side: where one fails or is late, the other answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::words::Trust;
use super::{Catalog, CollectionError, Scope};
use crate::embed::{EmbedError, ModelInfo};
use crate::index::{Filter, IndexError, Scored};
use crate::tasks::blocking;

/// How deep each ranking is read before fusing.
const DEPTH: usize = 100;

/// What one leg found in one scope.
pub(super) type Ranking = Result<Vec<Scored>, CollectionError>;

/// What meaning found.
pub(super) struct Meaning {
    /// What embedded the question; none where there is no model, or it is not ready, or it failed.
    pub model: Option<Arc<ModelInfo>>,
    /// In each scope; none where it has no vectors of this model.
    pub found: Vec<Option<Ranking>>,
    pub embed: Option<Duration>,
    pub dense: Option<Duration>,
}

/// Both legs. One that is missing was late.
pub(super) struct Legs {
    pub words: Option<Vec<Ranking>>,
    pub words_took: Duration,
    pub meaning: Option<Meaning>,
}

/// Asks both legs. Each has half of the time for itself; after that it is not waited for if the other one has answered.
/// That no words were found is no answer while meaning may still find something.
pub(super) async fn ask(catalog: &Catalog, scopes: &[Scope], text: &str, deadline: Instant) -> Legs {
    let started = Instant::now();
    let patience = started + deadline.saturating_duration_since(started) / 2;
    let mut words_took = None;
    let words = async {
        let found = join_all(scopes.iter().map(|scope| words(catalog, scope, text, deadline))).await;
        words_took = Some(started.elapsed());
        found
    };
    let all_meaning = |meaning: &Meaning| meaning.found.iter().all(|f| matches!(f, Some(Ok(_))));
    let meaning = meaning(catalog, scopes, text, deadline);
    let (words, meaning) = either(words, |found| is_enough(found), meaning, all_meaning, patience).await;
    Legs { words, words_took: words_took.unwrap_or_else(|| started.elapsed()), meaning }
}

/// Whether the words answered everywhere, and found something.
fn is_enough(found: &[Ranking]) -> bool {
    found.iter().all(Result::is_ok) && found.iter().flatten().any(|found| !found.is_empty())
}

/// Both outcomes, or after `patience` what is there once one of them is enough.
async fn either<A, B>(
    first: impl Future<Output = A>,
    first_is_enough: impl Fn(&A) -> bool,
    second: impl Future<Output = B>,
    second_is_enough: impl Fn(&B) -> bool,
    patience: Instant,
) -> (Option<A>, Option<B>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b, mut late) = (None, None, false);
    let mut clock = pin!(tokio::time::sleep_until(patience.into()));
    loop {
        let enough = a.as_ref().is_some_and(&first_is_enough) || b.as_ref().is_some_and(&second_is_enough);
        if (a.is_some() && b.is_some()) || (late && enough) {
            return (a, b);
        }
        tokio::select! {
            biased;
            found = &mut first, if a.is_none() => a = Some(found),
            found = &mut second, if b.is_none() => b = Some(found),
            () = &mut clock, if !late => late = true,
        }
    }
}

/// Searches the words of one scope. An index that is not open is opened; one that breaks is mended, and searched again.
async fn words(catalog: &Catalog, scope: &Scope, text: &str, deadline: Instant) -> Ranking {
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
            // None: it was deleted meanwhile.
            let Some(index) = collection.indexes.words.answering() else { return Ok(Vec::new()) };
            let (text, filter, searched) = (text.to_owned(), filter(scope), index.clone());
            match (blocking(move || searched.search(&text, DEPTH, &filter)).await, next) {
                (Err(IndexError::Damaged(error)), Some(trust)) => {
                    tracing::warn!(error, collection = collection.label(), "lexical index broke in a search");
                    collection.indexes.words.distrust(&index, trust);
                    next = trust.less();
                }
                (found, _) => return Ok(found?),
            }
        }
    };
    tokio::time::timeout_at(deadline.into(), attempts).await.unwrap_or(Err(CollectionError::Deadline))
}

/// Embeds the question, and searches the vectors of all scopes.
async fn meaning(catalog: &Catalog, scopes: &[Scope], text: &str, deadline: Instant) -> Meaning {
    let started = Instant::now();
    let mut meaning =
        Meaning { model: None, found: scopes.iter().map(|_| None).collect(), embed: None, dense: None };
    let Some(embeddings) = catalog.embeddings() else { return meaning };
    let embedded = tokio::time::timeout_at(deadline.into(), embeddings.embed_query(text)).await;
    let vector: Arc<[f32]> = match embedded {
        Ok(Ok(vector)) => vector.into(),
        Ok(Err(EmbedError::NotReady | EmbedError::NoModel(_))) => return meaning,
        Ok(Err(error)) => {
            tracing::warn!(%error, "words alone answer");
            return meaning;
        }
        Err(_) => return meaning,
    };
    let Ok(model) = embeddings.info() else { return meaning };
    meaning.embed = Some(started.elapsed());
    let started = Instant::now();
    let vectors = catalog.all_vectors(scopes, &model).await;
    for ((scope, dense), found) in scopes.iter().zip(vectors).zip(&mut meaning.found) {
        let Some(dense) = dense else { continue };
        *found = Some(match dense.index.search(vector.clone(), DEPTH, filter(scope), deadline).await {
            Err(IndexError::Deadline) => Err(CollectionError::Deadline),
            searched => searched.map_err(CollectionError::from),
        });
    }
    meaning.dense = Some(started.elapsed());
    meaning.model = Some(model);
    meaning
}

fn filter(scope: &Scope) -> Filter {
    scope.documents.clone().map_or(Filter::Everything, Filter::Documents)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn asked(
        first: impl Future<Output = bool>,
        second: impl Future<Output = bool>,
    ) -> (Option<bool>, Option<bool>) {
        either(first, |enough| *enough, second, |enough| *enough, Instant::now()).await
    }

    #[test]
    fn no_words_are_no_answer() {
        let found = || Ok(vec![Scored { chunk: 1, score: 1.0 }]);
        for (found, enough) in [
            (vec![Ok(Vec::new())], false),
            (vec![Ok(Vec::new()), found()], true),
            (vec![found(), Err(CollectionError::Deadline)], false),
        ] {
            assert_eq!(is_enough(&found), enough);
        }
    }

    #[tokio::test]
    async fn who_is_late_is_left_once_the_other_has_answered() {
        assert_eq!(asked(ready(true), pending()).await, (Some(true), None));
        assert_eq!(asked(pending(), ready(true)).await, (None, Some(true)));
    }

    #[tokio::test]
    async fn who_is_late_is_waited_for_where_the_other_failed() {
        let late = || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            true
        };
        assert_eq!(asked(ready(false), late()).await, (Some(false), Some(true)));
        assert_eq!(asked(late(), ready(false)).await, (Some(true), Some(false)));
        assert_eq!(asked(ready(false), ready(false)).await, (Some(false), Some(false)));
    }
}
