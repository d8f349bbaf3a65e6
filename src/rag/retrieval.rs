//! What one request may find: where it looks, what it looks for, and until when.

use std::time::Instant;

use futures_util::future::try_join_all;

use super::choice::{self, Candidate, Choice, Considered, Wanted};
use super::{followup, intent, passages};
use crate::collection::{By, Catalog, CollectionError, Floor, Found, Hit, Query, Scope, Timings, search};
use crate::openai::{ChatRequest, Ranking};
use crate::prompt::Passage;
use crate::selection::{Selected, matching};
use crate::tasks;

/// Documents whose outlines go into one prompt.
const MOST_OUTLINES: usize = 8;
/// Hits that are looked at where many are copies of one another.
const MOST_CANDIDATES: usize = 100;
/// Bytes of hits that are read at once: more would hold up other requests.
const MOST_AT_ONCE: usize = 64 << 10;

/// The retrieval of one request.
pub(super) struct Retrieval<'a> {
    pub catalog: &'a Catalog,
    request: &'a ChatRequest,
    ranking: &'a Ranking,
    /// Where it looks: the selected scopes, narrowed to the documents that a filter means.
    pub scopes: Vec<Scope>,
    pub deadline: Instant,
}

/// What was found for a question, best first.
pub(super) struct BestPassages {
    pub passages: Vec<Passage>,
    /// What was searched for.
    pub query: String,
    pub by: By,
    pub timings: Timings,
    /// Hits and outlines.
    pub considered: Considered,
}

impl<'a> Retrieval<'a> {
    pub async fn of(
        catalog: &'a Catalog,
        request: &'a ChatRequest,
        selected: &'a Selected,
        deadline: Instant,
    ) -> Result<Self, CollectionError> {
        let scopes = match &selected.filter {
            None => selected.scopes.clone(),
            Some(filter) => {
                let narrowed = selected.scopes.iter().map(|scope| matching(catalog, scope, filter, deadline));
                try_join_all(narrowed).await?
            }
        };
        Ok(Self { catalog, request, ranking: &selected.ranking, scopes, deadline })
    }

    /// Finds the passages that add something, after the outlines where the question is about a document as a whole.
    pub async fn best(&self, wanted: Wanted) -> Result<BestPassages, CollectionError> {
        let (text, question) = (self.search_text(), self.request.question());
        let of_the_whole = intent::is_about_the_whole(question);
        // Of a whole document no passage is the answer, and none is enough.
        let wanted = if of_the_whole { wanted.exactly() } else { wanted };
        let floor = match of_the_whole {
            true => Floor::None,
            false if text == question => Floor::Full,
            false => Floor::ByMeaning,
        };
        let (searched, Choice { passages: chosen, mut considered, .. }) =
            self.choose(&text, wanted, floor).await?;
        let mut found = Vec::new();
        if of_the_whole {
            // "Summarize it": the document that was spoken of.
            let meant = searched.hits.first().filter(|_| text != question);
            found = self.outlines(meant).await?;
        }
        considered.found += found.len();
        found.extend(chosen.iter().filter_map(|hits| {
            let hits: Vec<&Hit> = hits.iter().filter_map(|hit| searched.hits.get(*hit)).collect();
            passages::from_hits(&self.scopes, &hits)
        }));
        let (by, timings) = (searched.by, searched.timings);
        Ok(BestPassages { passages: found, query: text, by, timings, considered })
    }

    /// Searches, and chooses from what is found; again from more of it where too much of that is copies.
    async fn choose(
        &self,
        text: &str,
        wanted: Wanted,
        floor: Floor,
    ) -> Result<(Found, Choice), CollectionError> {
        let texts = [text];
        let threshold = self.ranking.score_threshold;
        let mut limit = wanted.candidates();
        let mut spent = Timings::default();
        loop {
            let query = Query { limit, floor, threshold, ..self.query(&texts) };
            let mut searched = search(self.catalog, &self.scopes, query).await?;
            spent = spent.and(searched.timings);
            searched.timings = spent;
            let choice;
            (searched.hits, choice) = choose_of(text, searched.hits, wanted).await?;
            if !choice.is_short || searched.hits.len() < limit || limit >= MOST_CANDIDATES {
                return Ok((searched, choice));
            }
            limit = MOST_CANDIDATES;
        }
    }

    /// Searches for what goes in whole all the same, so that who is shown what was found learns what of it is best.
    /// Gives what was searched for; none where that failed: without the scores the passages are as good.
    pub async fn score(&self, passages: &mut [Passage]) -> Option<(String, Timings)> {
        let text = self.search_text();
        let texts = [text.as_str()];
        let limit = passages.iter().map(|passage| passage.chunks.len()).sum();
        let query = Query { limit, rerank: false, ..self.query(&texts) };
        match search(self.catalog, &self.scopes, query).await {
            Ok(found) => {
                passages::score(passages, &found.hits);
                Some((text, found.timings))
            }
            Err(error) => {
                tracing::warn!(%error, "what went in whole is shown without scores");
                None
            }
        }
    }

    /// The question, with what it leans on.
    fn search_text(&self) -> String {
        followup::search_text(self.request.question(), || self.request.earlier_turns()).into_owned()
    }

    /// A query for no hits, under no floor.
    fn query<'t>(&self, texts: &'t [&'t str]) -> Query<'t> {
        Query {
            texts,
            limit: 0,
            deadline: self.deadline,
            floor: Floor::None,
            threshold: None,
            dense_weight: self.ranking.dense_weight(),
            rerank: self.ranking.wants_reranker(),
        }
    }

    /// Outlines of the documents, or of a hit's document alone.
    async fn outlines(&self, of: Option<&Hit>) -> Result<Vec<Passage>, CollectionError> {
        let mut found = Vec::new();
        for (number, scope) in self.scopes.iter().enumerate() {
            let keys: Option<Vec<_>> = match of {
                Some(hit) if hit.scope == number => Some(vec![hit.chunk.document]),
                Some(_) => continue,
                None => scope.documents.as_ref().map(|d| d.iter().copied().collect()),
            };
            let (store, id) = (self.catalog.store(), &scope.collection.id);
            let outlines = store.outlines(id, keys.as_deref(), MOST_OUTLINES, self.deadline).await?;
            found.extend(outlines.iter().filter_map(|outline| passages::from_outline(scope, outline)));
        }
        found.truncate(MOST_OUTLINES);
        Ok(found)
    }
}

/// Chooses from hits, beside other requests where they are long.
async fn choose_of(
    text: &str,
    hits: Vec<Hit>,
    wanted: Wanted,
) -> Result<(Vec<Hit>, Choice), CollectionError> {
    let bytes: usize = hits.iter().map(|hit| hit.chunk.chunk.text.len()).sum();
    let text = text.to_owned();
    let choose = move || {
        let candidates: Vec<Candidate<'_>> = hits.iter().map(Candidate::from).collect();
        let choice = choice::choose(&text, &candidates, wanted);
        Ok((hits, choice))
    };
    if bytes <= MOST_AT_ONCE { choose() } else { tasks::blocking(choose).await }
}
