//! One question, asked as searches and chats ask it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;

use super::answers::{Answers, Read};
use super::dataset::Question;
use super::error::EvaluationError;
use super::measures::{Measures, first_relevant};
use super::ranking::Ranking;
use super::report::{Outcome, Prompt};
use super::subject::Subject;
use crate::access::Access;
use crate::app::App;
use crate::collection::{Hit, Query, Scope, search};
use crate::openai::{ChatRequest, ModelApi, WITHOUT_RERANKER};
use crate::prompt::{Passages, Window, estimate_passage};
use crate::rag::Grounding;
use crate::selection::{Asked, Body, Selected, Selection, Selector};

/// Hits of a ranking: what both legs find, and more than 100 documents of it.
const DEPTH: usize = 200;
/// Rankings are measured, not their haste: a busy machine changes no figure.
const PATIENCE: Duration = Duration::from_secs(120);
/// Documents of each ranking that are reported.
const SHOWN: usize = 10;

/// Asks questions of one collection.
pub struct Asker<'a> {
    pub app: &'a App,
    pub subject: &'a Subject,
    pub window: FixedWindow,
}

/// The window of the model that would answer. Nothing is counted by it.
#[derive(Clone, Copy, Debug)]
pub struct FixedWindow(pub u64);

#[async_trait]
impl Window for FixedWindow {
    async fn tokens(&self, _: Option<&str>, _: Instant) -> Option<u64> {
        Some(self.0)
    }

    async fn count(&self, _: Option<&str>, _: &[(&str, &str)]) -> Option<u64> {
        None
    }
}

impl Asker<'_> {
    /// The hits of one ranking, best first. False where another leg had to answer in its place.
    pub async fn hits(&self, question: &str, ranking: Ranking) -> Result<(Vec<Hit>, bool), EvaluationError> {
        let scope = Scope { collection: self.subject.collection.clone(), documents: None };
        let query = Query {
            texts: &[question],
            limit: DEPTH,
            deadline: Instant::now() + PATIENCE,
            floor: crate::collection::Floor::None,
            threshold: None,
            dense_weight: ranking.weights().map(|(meaning, _)| meaning),
            rerank: ranking.needs_reranker(),
        };
        let found = search(&self.app.catalog, &[scope], query).await?;
        let as_asked = found.by.words
            && (found.by.meaning || !ranking.needs_meaning())
            && (found.reranked || !ranking.needs_reranker());
        Ok((found.hits, as_asked))
    }

    /// The documents of hits, each where its best chunk is.
    pub fn documents<'h>(&'h self, hits: &'h [Hit]) -> Vec<&'h str> {
        let mut seen = HashSet::new();
        let names = hits.iter().filter_map(|hit| self.name(hit));
        names.filter(|name| seen.insert(*name)).collect()
    }

    /// What the dataset calls a hit's document.
    pub fn name(&self, hit: &Hit) -> Option<&str> {
        self.subject.names.get(&hit.chunk.document_id.0).map(String::as_str)
    }

    /// Measures a ranking against what is known of a question.
    pub fn outcome(&self, question: &Question, hits: &[Hit]) -> Outcome {
        let ranked = self.documents(hits);
        Outcome {
            measures: question.is_judged().then(|| Measures::of(&ranked, &question.grades)),
            first: first_relevant(&ranked, &question.grades),
            documents: ranked.iter().take(SHOWN).map(|name| (*name).to_owned()).collect(),
            prompt: None,
        }
    }

    /// The prompt that a chat would get, by a ranking.
    pub async fn prompt(&self, question: &Question, ranking: Ranking) -> Result<Prompt, EvaluationError> {
        let messages = json!({ "messages": [{ "role": "user", "content": question.text }] });
        let body = Bytes::from(serde_json::to_vec(&messages)?);
        let began = Instant::now();
        let (mut selected, request) = self.select(body).await?;
        selected.ranking.hybrid = ranking.weights();
        selected.ranking.ranker = (!ranking.needs_reranker()).then_some(WITHOUT_RERANKER);
        let settings = self.app.config.rag;
        let grounding = Grounding { catalog: &self.app.catalog, window: &self.window, settings };
        let grounded = grounding.ground(&request, &selected).await?;
        let took = began.elapsed();
        let answers = Answers::new(&question.answers);
        let stages = grounded.spent.stages().into_iter();
        Ok(Prompt {
            status: grounded.status.name().to_owned(),
            ms: milliseconds(took),
            stages_ms: stages.map(|stage| (stage.name.to_owned(), milliseconds(stage.took))).collect(),
            has_answers: !answers.is_empty(),
            read: read(&grounded.passages, &answers),
        })
    }

    async fn select(&self, body: Bytes) -> Result<(Box<Selected>, Box<ChatRequest>), EvaluationError> {
        let app = self.app;
        let selector = Selector {
            catalog: &app.catalog,
            access: &Access::everything(),
            models: &app.models(None),
            default: None,
            deadline: app.config.rag.deadline,
            models_known_by: Instant::now(),
        };
        let asked = Asked { header: Some(self.subject.collection.id.0.clone()), ..Asked::default() };
        match selector.select(&asked, &mut Body::new(ModelApi::Chat, body)).await? {
            Selection::Collections(selected, Some(request)) => Ok((selected, request)),
            _ => Err(EvaluationError::NoQuestion),
        }
    }
}

fn read(passages: &Passages, answers: &Answers) -> Read {
    let each = (1..).zip(passages.iter());
    Read::new(each.map(|(number, one)| (one.text.as_str(), estimate_passage(number, one))), answers)
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
