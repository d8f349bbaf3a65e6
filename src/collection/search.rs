//! One question, or several, over one or several collections: both rankings, fused, and read back from the store.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::fusion::{self, Fused};
use super::legs::{self, By};
use super::relevance::{Asked, Judge, keep_relevant};
use super::{Catalog, CollectionError, Scope};
use crate::store::{ChunkId, ChunkRecord};

/// Whether hits that are not about the question are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// All are shown.
    None,
    Full,
    /// Where there are vectors. A text that is put together of several turns has words that its answer need not have.
    ByMeaning,
}

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// At least one. Each is ranked by itself, and a chunk has the best of its scores.
    pub texts: &'a [&'a str],
    /// At most so many hits.
    pub limit: usize,
    pub deadline: Instant,
    pub floor: Floor,
    /// Least score of a hit, 0 to 1.
    pub threshold: Option<f32>,
    /// Share of meaning against words, 0 to 1, instead of the collections' own. At 0 or 1 one of them alone finds.
    pub dense_weight: Option<f32>,
    /// Whether the reranker orders the hits, where there is one.
    pub rerank: bool,
}

/// A chunk that was found, alive in the store, with what each ranking said of it.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which of the scopes.
    pub scope: usize,
    pub chunk: ChunkRecord,
    /// 0 to 1, on one scale for all questions and collections: `docs/guide/file-search.md` says what it means.
    pub score: f32,
    /// BM25.
    pub lexical: Option<f32>,
    /// The share of the question's words that it has, each weighed by its rarity: 0 to 1.
    pub coverage: Option<f32>,
    /// Cosine.
    pub dense: Option<f32>,
    /// How much more alike it is to the question than to questions about anything: a difference of cosines.
    pub lift: Option<f32>,
}

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    pub embed: Option<Duration>,
    pub lexical: Duration,
    pub dense: Option<Duration>,
    /// Reading the hits back from the store.
    pub read: Option<Duration>,
    pub rerank: Option<Duration>,
}

/// A part of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub name: &'static str,
    /// When it began, after the search did.
    pub after: Duration,
    pub took: Duration,
}

impl Stage {
    /// When it ended, after the search began.
    pub fn end(&self) -> Duration {
        self.after.saturating_add(self.took)
    }
}

impl Timings {
    /// Of two searches, one after the other.
    pub fn and(self, next: Self) -> Self {
        let both = |one: Option<Duration>, next: Option<Duration>| match (one, next) {
            (Some(one), Some(next)) => Some(one + next),
            (one, next) => one.or(next),
        };
        Self {
            embed: both(self.embed, next.embed),
            lexical: self.lexical + next.lexical,
            dense: both(self.dense, next.dense),
            read: both(self.read, next.read),
            rerank: both(self.rerank, next.rerank),
        }
    }

    /// Each stage that there was. The question is embedded while words are looked up, and vectors are compared once it is;
    /// what both found is reranked.
    pub fn stages(&self) -> Vec<Stage> {
        let (began, embedded) = (Duration::ZERO, self.embed.unwrap_or_default());
        let found = self.lexical.max(embedded.saturating_add(self.dense.unwrap_or_default()));
        let stages = [
            ("embed", began, self.embed),
            ("lexical", began, Some(self.lexical)),
            ("dense", embedded, self.dense),
            ("read", found, self.read),
            ("rerank", found.saturating_add(self.read.unwrap_or_default()), self.rerank),
        ];
        let stages = stages.into_iter();
        stages.filter_map(|(name, after, took)| Some(Stage { name, after, took: took? })).collect()
    }
}

/// The outcome of a search.
#[derive(Debug)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    pub by: By,
    /// Whether a reranker ordered them.
    pub reranked: bool,
    pub timings: Timings,
}

type Key = (usize, ChunkId);

/// One text's ranking, best first.
struct Ranked {
    ranking: Vec<(Key, Fused)>,
    by: By,
    timings: Timings,
}

/// Searches the scopes together: words and meaning are measured alike in all of them, and their hits are one ranking.
pub async fn search(catalog: &Catalog, scopes: &[Scope], query: Query<'_>) -> Result<Found, CollectionError> {
    if scopes.iter().all(Scope::is_empty) {
        return Ok(Found { hits: Vec::new(), by: By::BOTH, reranked: false, timings: Timings::default() });
    }
    let _in_use: Vec<_> = scopes.iter().map(|scope| scope.collection.indexes.uses.begin()).collect();
    let (found, complete) = search_once(catalog, scopes, query).await?;
    if complete {
        return Ok(found);
    }
    // What was ranked is gone by now, perhaps for a new version of it, which the indexes know.
    match search_once(catalog, scopes, query).await {
        Ok((found, _)) => Ok(found),
        Err(error) => {
            tracing::debug!(%error, "a second look failed");
            Ok(found)
        }
    }
}

/// What is found, and whether it is all that there is: false where too little is left of what was ranked.
async fn search_once(
    catalog: &Catalog,
    scopes: &[Scope],
    query: Query<'_>,
) -> Result<(Found, bool), CollectionError> {
    let ranked = query.texts.iter().map(|text| rank(catalog, scopes, query, text));
    let Ranked { mut ranking, by, mut timings } = best_of(try_join_all(ranked).await?);
    if let Some(threshold) = query.threshold {
        ranking.retain(|(_, fused)| fused.score >= threshold);
    }
    ranking.truncate(query.limit + query.limit / 2 + 8);
    let started = Instant::now();
    let (first, spare) = ranking.split_at(query.limit.min(ranking.len()));
    let mut hits = read_back(catalog, scopes, first, query.deadline).await?;
    // Some may be gone from the store.
    if hits.len() < first.len() {
        hits.extend(read_back(catalog, scopes, spare, query.deadline).await?);
    }
    timings.read = Some(started.elapsed());
    let complete = hits.len() >= query.limit.min(ranking.len());
    hits.truncate(query.limit);
    Ok((Found { hits, by, reranked: false, timings }, complete))
}

/// Best first. Scores end at 1, which several chunks may have: of these BM25 decides.
fn best_first(a: &(Key, Fused), b: &(Key, Fused)) -> std::cmp::Ordering {
    let bm25 = |fused: &Fused| fused.lexical.unwrap_or_default();
    let scores = b.1.score.total_cmp(&a.1.score).then(bm25(&b.1).total_cmp(&bm25(&a.1)));
    scores.then(a.0.cmp(&b.0))
}

/// Several rankings as one: of a chunk that is in several, where it scores best.
fn best_of(mut all: Vec<Ranked>) -> Ranked {
    let nothing = || Ranked { ranking: Vec::new(), by: By::BOTH, timings: Timings::default() };
    let mut first = all.pop().unwrap_or_else(nothing);
    if all.is_empty() {
        return first;
    }
    let mut best: BTreeMap<Key, Fused> = first.ranking.drain(..).collect();
    for ranked in all {
        for (key, fused) in ranked.ranking {
            let entry = best.entry(key).or_insert(fused);
            if fused.score > entry.score {
                *entry = fused;
            }
        }
        first.by.words &= ranked.by.words;
        first.by.meaning &= ranked.by.meaning;
        // They ran side by side.
        first.timings.embed = first.timings.embed.max(ranked.timings.embed);
        first.timings.lexical = first.timings.lexical.max(ranked.timings.lexical);
        first.timings.dense = first.timings.dense.max(ranked.timings.dense);
    }
    first.ranking = best.into_iter().collect();
    first.ranking.sort_by(best_first);
    first
}

async fn rank(
    catalog: &Catalog,
    scopes: &[Scope],
    query: Query<'_>,
    text: &str,
) -> Result<Ranked, CollectionError> {
    let answer = legs::ask(catalog, scopes, text, query.deadline).await;
    let legs::Answer { embed, lexical, dense, .. } = answer;
    let timings = Timings { embed, lexical, dense, ..Timings::default() };
    // Where there are vectors anywhere, a collection without them is measured by the same rule.
    let compared = answer.scopes.iter().flatten().any(|answered| answered.by.meaning);
    let model = answer.model.as_deref().filter(|_| compared);
    let (mut ranking, mut all_by) = (Vec::new(), By { words: true, meaning: false });
    for (number, (scope, answered)) in scopes.iter().zip(answer.scopes).enumerate() {
        let answered = answered?;
        let by = answered.by;
        all_by = By { words: all_by.words && by.words, meaning: all_by.meaning || by.meaning };
        let (settings, language) = (scope.collection.settings(), scope.collection.language());
        let language = language.as_deref();
        let speaking = model.filter(|_| by.meaning);
        let judges = match query.floor {
            Floor::None => false,
            Floor::Full => true,
            Floor::ByMeaning => speaking.is_some(),
        };
        let judge = judges.then(|| {
            let legs::Answered { known, weight, chunks, .. } = answered;
            let floor = settings.floor;
            Judge::of(&Asked { question: text, model: speaking, floor, language, known, weight, chunks })
        });
        let weight = match model {
            None => 0.0,
            Some(_) if !by.words => 1.0,
            Some(model) => query
                .dense_weight
                .or(settings.dense_weight)
                .unwrap_or_else(|| fusion::dense_weight(model, language, answered.known)),
        };
        let fused = answered.candidates.iter().map(|(chunk, candidate)| {
            let margin = judge.as_ref().map_or(0.0, |judge| judge.margin(candidate));
            (((number, *chunk), fusion::fuse(candidate, answer.background, weight)), margin)
        });
        // What has no weight is left out, unless nothing else could find there.
        let only_one_can = speaking.is_none() || !by.words;
        ranking.extend(fused.filter(|((_, fused), _)| only_one_can || weighs(query.dense_weight, fused)));
    }
    keep_relevant(&mut ranking, |(_, margin)| *margin);
    let mut ranking: Vec<(Key, Fused)> = ranking.into_iter().map(|(ranked, _)| ranked).collect();
    ranking.sort_by(best_first);
    Ok(Ranked { ranking, by: all_by, timings })
}

/// Whether a ranking that has any weight found it.
fn weighs(dense_weight: Option<f32>, fused: &Fused) -> bool {
    match dense_weight {
        Some(weight) if weight <= 0.0 => fused.lexical.is_some(),
        Some(weight) if weight >= 1.0 => fused.dense.is_some(),
        _ => true,
    }
}

async fn read_back(
    catalog: &Catalog,
    scopes: &[Scope],
    ranking: &[(Key, Fused)],
    deadline: Instant,
) -> Result<Vec<Hit>, CollectionError> {
    let mut chunks: BTreeMap<Key, ChunkRecord> = BTreeMap::new();
    for (number, scope) in scopes.iter().enumerate() {
        let ids: Vec<ChunkId> =
            ranking.iter().filter(|((scope, _), _)| *scope == number).map(|((_, id), _)| *id).collect();
        if ids.is_empty() {
            continue;
        }
        for chunk in catalog.store().read_chunks(&scope.collection.id, &ids, deadline).await? {
            // An index does not know of a narrower scope in the store; this holds the wall once more.
            if scope.documents.as_ref().is_none_or(|documents| documents.contains(&chunk.document)) {
                chunks.insert((number, chunk.id), chunk);
            }
        }
    }
    let hits = ranking.iter().filter_map(|(key, fused)| {
        let chunk = chunks.remove(key)?;
        let Fused { score, lexical, coverage, dense, lift, .. } = *fused;
        Some(Hit { scope: key.0, chunk, score, lexical, coverage, dense, lift })
    });
    Ok(hits.collect())
}
