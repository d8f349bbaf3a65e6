//! The product's story: a chat request and a choice of documents become a grounded request.

mod followup;
mod intent;
mod passages;
mod report;
mod sources;
mod whole;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;

use crate::collection::{
    By, Catalog, CollectionError, Hit, OnEmpty, Query, Scope, Settings, Timings, search,
};
use crate::openai::{ChatRequest, Edits, Ranking};
use crate::prompt::{Budget, Passage, Template, Window, default_template, estimate_text, nothing_found};
use crate::selection::{Selection, matching};
use crate::system::now;
use crate::trace::{Trace, TracedPassage};

pub use passages::whole_tokens;
pub use report::{RagStatus, Spent, status_header};
use whole::weave_documents;

/// Documents whose outlines go into one prompt.
const MOST_OUTLINES: usize = 8;

/// How the server grounds, where a collection does not say otherwise.
#[derive(Clone, Copy, Debug)]
pub struct RagSettings {
    /// Passages given to the model.
    pub passages: usize,
    /// Retrieval ends by then.
    pub deadline: Duration,
}

impl RagSettings {
    /// What upstream tells of its models is waited for until then, for a request that came now: not for so long that
    /// nothing would be left for the search.
    pub fn window_known_by(&self) -> Instant {
        Instant::now() + self.deadline / 2
    }
}

/// A request ready for upstream, and what was done to it.
#[derive(Debug)]
pub struct Grounded {
    /// The original bytes with spans replaced.
    pub body: Bytes,
    pub status: RagStatus,
    /// What the model sees, in order.
    pub passages: Vec<Passage>,
    /// What was searched for: the question, with what it leans on. None where there was no search.
    pub query: Option<String>,
    pub collections: Vec<String>,
    collection_ids: Vec<String>,
    /// Tokens of what was put before the question, by estimate.
    pub added_tokens: u64,
    pub spent: Spent,
    /// Nothing was found, and then the collection wants no answer.
    pub refuse: bool,
}

/// Grounds a request. `model` is the name to write where the client's named a collection; `k` the number of passages that the client wants.
pub async fn ground(
    catalog: &Catalog,
    window: &dyn Window,
    defaults: RagSettings,
    request: &ChatRequest,
    selection: &Selection,
    model: Option<&str>,
    k: Option<usize>,
) -> Result<Grounded, CollectionError> {
    let deadline = Instant::now() + defaults.deadline;
    let k = k.or(selection.max_num_results);
    let mut grounded = ungrounded(request, selection, model, RagStatus::Empty);
    if !request.can_be_grounded() {
        return Ok(grounded);
    }
    let scopes = &documents_meant(catalog, selection, deadline).await?;
    let settings: Vec<Arc<Settings>> = scopes.iter().map(|s| s.collection.settings()).collect();
    let language = scopes.iter().find_map(|s| s.collection.language());
    let own_template = settings.iter().find_map(|s| s.template.as_deref());
    let template = own_template.map_or_else(|| default_template(language.as_deref()), Template::new);
    let mut budget =
        Budget::new(request, model.or(request.model()), window, defaults.window_known_by()).await;

    // Whole documents have no scores to hold against a threshold.
    if k.is_none()
        && selection.ranking.score_threshold.is_none()
        && let Some(room) = budget.room_for_whole()
    {
        let started = Instant::now();
        if let Some(mut woven) = weave_documents(catalog, scopes, &template, room, deadline).await?
            && budget.holds(&woven).await
        {
            grounded.spent.weave = started.elapsed();
            grounded.status = RagStatus::Hit;
            if request.response().is_some_and(|parts| parts.wants_results) {
                grounded
                    .rank(catalog, scopes, request, &selection.ranking, &mut woven.passages, deadline)
                    .await;
            }
            grounded.write(request, model, &woven.text, woven.passages);
            return Ok(grounded);
        }
    }

    let limit = k.or_else(|| settings.iter().filter_map(|s| s.passages).max()).unwrap_or(defaults.passages);
    let query = followup::search_text(request.question(), || request.earlier_turns()).into_owned();
    let (found, by, timings) =
        best_passages(catalog, scopes, request.question(), &query, limit, &selection.ranking, deadline)
            .await?;
    grounded.query = Some(query);
    grounded.spent.search = Some(timings);
    let started = Instant::now();
    if found.is_empty() {
        match settings.iter().find_map(|s| s.on_empty).unwrap_or_default() {
            OnEmpty::Answer => {}
            OnEmpty::Refuse => grounded.refuse = true,
            OnEmpty::Note => {
                let note = nothing_found(language.as_deref());
                if budget.has_room_for(note).await {
                    grounded.write(request, model, note, Vec::new());
                }
            }
        }
        return Ok(grounded);
    }
    match budget.fit(&found, &template).await {
        None => grounded.status = RagStatus::NoRoom,
        Some(woven) => {
            grounded.status = RagStatus::of(by);
            grounded.write(request, model, &woven.text, woven.passages);
        }
    }
    grounded.spent.weave = started.elapsed();
    Ok(grounded)
}

/// The request without passages: only a model name of ours is put right.
pub fn ungrounded(
    request: &ChatRequest,
    selection: &Selection,
    model: Option<&str>,
    status: RagStatus,
) -> Grounded {
    let collections = &selection.scopes;
    Grounded {
        body: request.edited(&Edits { model, before_question: None }),
        status,
        passages: Vec::new(),
        query: None,
        collections: collections.iter().map(|s| s.collection.label()).collect(),
        collection_ids: collections.iter().map(|s| s.collection.id.0.clone()).collect(),
        added_tokens: 0,
        spent: Spent::default(),
        refuse: false,
    }
}

/// The scopes, narrowed to the documents that the filter means.
async fn documents_meant(
    catalog: &Catalog,
    selection: &Selection,
    deadline: Instant,
) -> Result<Vec<Scope>, CollectionError> {
    let Some(filter) = &selection.filter else { return Ok(selection.scopes.clone()) };
    try_join_all(selection.scopes.iter().map(|scope| matching(catalog, scope, filter, deadline))).await
}

/// The best passages, after the outlines where the question is about a document as a whole.
async fn best_passages(
    catalog: &Catalog,
    scopes: &[Scope],
    question: &str,
    query: &str,
    limit: usize,
    ranking: &Ranking,
    deadline: Instant,
) -> Result<(Vec<Passage>, By, Timings), CollectionError> {
    let searched = search(
        catalog,
        scopes,
        Query {
            texts: &[query],
            limit,
            deadline,
            floor: true,
            threshold: ranking.score_threshold,
            dense_weight: ranking.dense_weight(),
        },
    )
    .await?;
    let mut found = Vec::new();
    if intent::is_about_the_whole(question) {
        // "Summarize it": the document that was spoken of.
        let meant = searched.hits.first().filter(|_| query != question);
        found = outlines(catalog, scopes, meant, deadline).await?;
    }
    found.extend(searched.hits.iter().map(|hit| passages::from_hit(scopes, hit)));
    Ok((found, searched.by, searched.timings))
}

/// Outlines of the documents, or of a hit's document alone.
async fn outlines(
    catalog: &Catalog,
    scopes: &[Scope],
    of: Option<&Hit>,
    deadline: Instant,
) -> Result<Vec<Passage>, CollectionError> {
    let mut found = Vec::new();
    for (number, scope) in scopes.iter().enumerate() {
        let keys: Option<Vec<_>> = match of {
            Some(hit) if hit.scope == number => Some(vec![hit.chunk.document]),
            Some(_) => continue,
            None => scope.documents.as_ref().map(|d| d.iter().copied().collect()),
        };
        let id = &scope.collection.id;
        let outlines = catalog.store().outlines(id, keys.as_deref(), MOST_OUTLINES, deadline).await?;
        found.extend(outlines.iter().filter_map(|outline| passages::from_outline(scope, outline)));
    }
    found.truncate(MOST_OUTLINES);
    Ok(found)
}

impl Grounded {
    fn write(&mut self, request: &ChatRequest, model: Option<&str>, text: &str, passages: Vec<Passage>) {
        self.body = request.edited(&Edits { model, before_question: Some(text) });
        self.passages = passages;
        self.added_tokens = estimate_text(text);
    }

    /// Searches for what goes in whole all the same, so that who is shown what was found learns what of it is best.
    /// Without the scores the passages are as good.
    async fn rank(
        &mut self,
        catalog: &Catalog,
        scopes: &[Scope],
        request: &ChatRequest,
        ranking: &Ranking,
        passages: &mut [Passage],
        deadline: Instant,
    ) {
        let text = followup::search_text(request.question(), || request.earlier_turns()).into_owned();
        let query = Query {
            texts: &[&text],
            limit: passages.iter().map(|passage| passage.chunks.len()).sum(),
            deadline,
            floor: false,
            threshold: None,
            dense_weight: ranking.dense_weight(),
        };
        match search(catalog, scopes, query).await {
            Ok(found) => {
                passages::score(passages, &found.hits);
                self.spent.search = Some(found.timings);
                self.query = Some(text);
            }
            Err(error) => tracing::warn!(%error, "what went in whole is shown without scores"),
        }
    }

    /// What is remembered of it under an id, for the key that asked.
    pub fn trace(&self, id: String, question: &str, owner: Option<&str>) -> Trace {
        Trace {
            id,
            object: "rag.trace",
            created_at: now(),
            status: self.status.name(),
            collections: self.collections.clone(),
            question: question.to_owned(),
            query: self.query.clone(),
            passages: traced(&self.passages),
            timings: self.spent.to_json(),
            collection_ids: self.collection_ids.clone(),
            owner: owner.map(str::to_owned),
        }
    }
}

/// Passages with their numbers, as traces and previews show them.
pub fn traced(passages: &[Passage]) -> Vec<TracedPassage> {
    let numbered = (1..).zip(passages);
    numbered
        .map(|(n, p)| TracedPassage {
            n,
            document: p.document.clone(),
            document_id: p.document_id.clone(),
            collection: p.collection.clone(),
            page: p.page,
            last_page: p.last_page,
            headings: p.headings.clone(),
            score: p.score,
            lexical: p.lexical,
            dense: p.dense,
            text: p.text.clone(),
        })
        .collect()
}
