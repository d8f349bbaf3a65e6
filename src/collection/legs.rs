//! The two legs of a search, words and meaning, side by side: where one fails or is late, the other answers. Where both
//! answer, each says of what the other one found how good that is.

mod dense;
mod lexical;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::background::Background;
use super::{Catalog, CollectionError, Scope};
use crate::embed::ModelInfo;
use crate::index::Match;
use crate::store::ChunkId;

/// How deep each ranking is read before fusing.
const DEPTH: usize = 100;

/// Which legs answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// False when meaning alone answered, somewhere.
    pub words: bool,
    /// False when words alone answered.
    pub meaning: bool,
}

impl By {
    pub(super) const BOTH: Self = Self { words: true, meaning: true };
}

/// A chunk that a leg found, with what each leg says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Candidate {
    /// None where the words did not answer, or it has none of the question's.
    pub words: Option<Match>,
    /// Its cosine; none where meaning did not answer, or it has no vector yet.
    pub cosine: Option<f32>,
    /// The mean of its cosines with questions about anything.
    pub anything: Option<f32>,
}

impl Candidate {
    /// How much more alike it is to the question than to questions about anything.
    pub fn lift(&self) -> Option<f32> {
        Some(self.cosine? - self.anything?)
    }
}

/// What was found in one scope.
#[derive(Debug)]
pub(super) struct Answered {
    pub by: By,
    pub candidates: BTreeMap<ChunkId, Candidate>,
    /// The share of the question that occurs in the indexes at all.
    pub known: f32,
    /// How much the question says: as much as so many words that no chunk has.
    pub weight: f32,
    /// How many chunks there are, as far as they were counted.
    pub chunks: usize,
}

/// What was found everywhere.
pub(super) struct Answer {
    /// In each scope.
    pub scopes: Vec<Result<Answered, CollectionError>>,
    /// What embedded the question.
    pub model: Option<Arc<ModelInfo>>,
    /// What all scopes together say to the question: measured each by itself, one that has nothing to say would have a best
    /// that stands out as much. None where a leg did not answer.
    pub background: Option<Background>,
    pub embed: Option<Duration>,
    pub lexical: Duration,
    pub dense: Option<Duration>,
}

/// Asks both legs. Each has half of the time for itself; after that it is not waited for if the other one has answered.
/// That no words were found is no answer while meaning may still find something.
pub(super) async fn ask(catalog: &Catalog, scopes: &[Scope], text: &str, deadline: Instant) -> Answer {
    let started = Instant::now();
    let mut words_took = None;
    let words = async {
        let found = lexical::search(catalog, scopes, text, DEPTH, deadline).await;
        words_took = Some(started.elapsed());
        found
    };
    let meaning = dense::search(catalog, scopes, text, DEPTH, deadline);
    let (words, meaning) =
        either(words, |found| found.is_enough(), meaning, |found| found.is_enough(), half_way(deadline))
            .await;
    let lexical = words_took.unwrap_or_else(|| started.elapsed());
    let (embed, dense) = meaning.as_ref().map_or((None, None), |meaning| (meaning.embed, meaning.dense));
    let began = Instant::now();
    let mut asked = (0..scopes.len())
        .map(|scope| Answered::of(scope, words.as_ref(), meaning.as_ref()))
        .collect::<Vec<_>>();
    let mut background = None;
    if let Some(meaning) = &meaning {
        let by = half_way(deadline);
        // They are asked about the same chunks, and neither waits for the other.
        let found = asked.iter().map(|scope| scope.candidates.keys().copied().collect()).collect();
        let (completed, anything) = tokio::join!(
            async {
                match &words {
                    Some(words) => complete(&mut asked, words, meaning, text, by).await,
                    None => None,
                }
            },
            dense::score_anything(meaning, found, by)
        );
        background = completed;
        for (scope, cosines) in asked.iter_mut().zip(anything) {
            for (candidate, cosine) in scope.candidates.values_mut().zip(cosines) {
                candidate.anything = cosine;
            }
        }
    }
    let dense = dense.map(|dense| dense + began.elapsed());
    let model = meaning.as_ref().and_then(|meaning| meaning.model().cloned());
    let words = words.map(|words| words.found).unwrap_or_default();
    let meaning = meaning.map(|meaning| meaning.found).unwrap_or_default();
    let mut failed =
        (words.into_iter().map(Result::err), meaning.into_iter().map(|found| found?.scored.err()));
    let scopes = scopes.iter().zip(asked).map(|(scope, asked)| {
        let (words, meaning) = (failed.0.next().flatten(), failed.1.next().flatten());
        if !asked.by.words && !asked.by.meaning {
            return Err(words.unwrap_or(CollectionError::Deadline));
        }
        for (leg, failed) in [("words", words), ("meaning", meaning)] {
            let Some(error) = failed else { continue };
            tracing::warn!(%error, leg, collection = scope.collection.label(), "the other leg answers alone");
        }
        Ok(asked)
    });
    Answer { scopes: scopes.collect(), model, background, embed, lexical, dense }
}

impl Answered {
    /// What both legs found in a scope. A chunk that one of them found has nothing from the other yet.
    fn of(scope: usize, words: Option<&lexical::Answer>, meaning: Option<&dense::Answer>) -> Self {
        let words = words.and_then(|words| words.found[scope].as_ref().ok());
        let meaning = meaning.and_then(|meaning| meaning.found[scope].as_ref()?.scored.as_ref().ok());
        let by = By { words: words.is_some(), meaning: meaning.is_some() };
        let mut candidates: BTreeMap<ChunkId, Candidate> = BTreeMap::new();
        for found in words.into_iter().flat_map(|words| &words.matches.found) {
            candidates.entry(found.chunk).or_default().words = Some(*found);
        }
        for found in meaning.into_iter().flatten() {
            candidates.entry(found.chunk).or_default().cosine = Some(found.score);
        }
        let known = words.map_or(0.0, |words| words.matches.known);
        let weight = words.map_or(0.0, |words| words.matches.weight);
        let chunks = words.map_or(usize::MAX, |words| words.sample.len());
        Self { by, candidates, known, weight, chunks }
    }
}

/// Asks each leg what it says of the chunks that the other one found, and how alike the question is to any chunk.
async fn complete(
    scopes: &mut [Answered],
    words: &lexical::Answer,
    meaning: &dense::Answer,
    text: &str,
    deadline: Instant,
) -> Option<Background> {
    let lack = |scope: &Answered, lacks: fn(&Candidate) -> bool| -> Vec<ChunkId> {
        let lacking =
            scope.candidates.iter().filter(|(_, candidate)| scope.by == By::BOTH && lacks(candidate));
        lacking.map(|(chunk, _)| *chunk).collect()
    };
    let without_words: Vec<_> = scopes.iter().map(|scope| lack(scope, |c| c.words.is_none())).collect();
    let without_cosine: Vec<_> = scopes.iter().map(|scope| lack(scope, |c| c.cosine.is_none())).collect();
    let to_compare = scopes.iter().zip(&words.found).zip(&without_cosine).map(|((scope, found), lacking)| {
        let sample =
            found.as_ref().ok().filter(|_| scope.by == By::BOTH).map(|found| found.sample.as_slice());
        [lacking.as_slice(), sample.unwrap_or_default()].concat()
    });
    let to_compare = to_compare.collect();
    let (matches, cosines) = tokio::join!(
        lexical::score(words, text, without_words, deadline),
        dense::score(meaning, to_compare, deadline)
    );
    let mut sample = Vec::new();
    for (number, scope) in scopes.iter_mut().enumerate() {
        for found in matches[number].iter().flatten() {
            if let Some(candidate) = scope.candidates.get_mut(&found.chunk) {
                candidate.words = Some(*found);
            }
        }
        let mut cosines = cosines[number].iter();
        for (chunk, cosine) in without_cosine[number].iter().zip(&mut cosines) {
            if let Some(candidate) = scope.candidates.get_mut(chunk) {
                candidate.cosine = *cosine;
            }
        }
        sample.extend(cosines.flatten());
    }
    Background::of(sample)
}

fn half_way(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
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
