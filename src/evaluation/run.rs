//! All questions of a dataset, asked and summed up.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use super::asking::{Asker, FixedWindow};
use super::candidates;
use super::dataset::Dataset;
use super::error::EvaluationError;
use super::progress::Progress;
use super::ranking::Ranking;
use super::report::{About, Asked, FORMAT, Model, Report, Settings};
use super::subject::Subject;
use super::summary::summary;
use crate::app::App;
use crate::embed::Embeddings;
use crate::prompt::{UNKNOWN_WINDOW, Window};
use crate::system::now;

/// The LLM server is asked for its window once, and this is how long its answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to measure.
pub struct Evaluation<'a> {
    pub app: &'a App,
    pub subject: &'a Subject,
    pub dataset: Dataset,
    /// None picks all that there are.
    pub rankings: Option<Vec<Ranking>>,
    /// Where the candidates of each question are written, and what that is called.
    pub candidates: Option<(&'a std::path::Path, &'a mut dyn Write)>,
    pub progress: Progress<'a>,
}

/// Asks all questions, one after the other.
pub async fn evaluate(evaluation: Evaluation<'_>) -> Result<Report, EvaluationError> {
    let Evaluation { app, subject, mut dataset, rankings, mut candidates, progress } = evaluation;
    let model = app.embeddings.as_ref().map(Embeddings::info).and_then(Result::ok);
    let reranks = app.config.rerank.is_some();
    let is_there = |ranking: &Ranking| {
        (model.is_some() || !ranking.needs_meaning()) && (reranks || !ranking.needs_reranker())
    };
    let all = || Ranking::ALL.into_iter().filter(is_there);
    let rankings = rankings.unwrap_or_else(|| all().collect());
    let prompted = prompted(&rankings);
    let window = app.models(None).tokens(None, Instant::now() + PATIENCE).await.unwrap_or(UNKNOWN_WINDOW);
    let asker = Asker { app, subject, window: FixedWindow(window) };
    if let (Some(first), Some(ranking)) = (dataset.questions.first(), rankings.last()) {
        // What is loaded at the first question is nobody's time.
        asker.prompt(first, *ranking).await?;
    }
    let mut questions = Vec::with_capacity(dataset.questions.len());
    for (done, question) in dataset.questions.iter().enumerate() {
        progress("asking", done, dataset.questions.len());
        let mut outcomes = BTreeMap::new();
        for ranking in &rankings {
            let (hits, as_asked) = asker.hits(&question.text, *ranking).await?;
            if !as_asked {
                let kind = format!("questions that could not be ranked by {ranking}");
                dataset.oddities.add(&kind, &question.id);
            }
            let mut outcome = asker.outcome(question, &hits);
            if prompted.contains(ranking) {
                outcome.prompt = Some(asker.prompt(question, *ranking).await?);
            }
            outcomes.insert(*ranking, outcome);
            let is_last = rankings.last() == Some(ranking);
            if let Some((path, out)) = candidates.as_mut().filter(|_| is_last) {
                candidates::write(out, &asker, question, &hits).map_err(EvaluationError::io(path))?;
            }
        }
        let relevant = question.grades.iter().filter(|(_, grade)| **grade > 0.0);
        questions.push(Asked {
            id: question.id.clone(),
            text: question.text.clone(),
            relevant: relevant.map(|(document, _)| document.clone()).collect(),
            rankings: outcomes,
        });
    }
    let of = |ranking: Ranking| {
        (ranking, summary(questions.iter().filter_map(move |asked| asked.rankings.get(&ranking))))
    };
    let counts = app.catalog.store().document_counts(&subject.collection.id).await?;
    Ok(Report {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: now(),
        dataset: About {
            collection: subject.collection.label(),
            documents: subject.names.len(),
            chunks: counts.chunks as usize,
            questions: dataset.questions.len(),
            judged: dataset.questions.iter().filter(|question| question.is_judged()).count(),
            answered: dataset.questions.iter().filter(|question| !question.answers.is_empty()).count(),
            name: dataset.name,
        },
        settings: Settings {
            embedding_model: model.map(|model| Model {
                name: model.name.clone(),
                fingerprint: model.fingerprint.clone(),
                device: model.device.clone(),
            }),
            reranker: app.config.rerank.as_ref().map(|rerank| {
                let model = rerank.model.as_deref().unwrap_or("its own model");
                format!("{model} at {}", rerank.base)
            }),
            passages: app.config.rag.passages,
            window,
            retrieval_timeout_ms: app.config.rag.deadline.as_millis() as u64,
        },
        oddities: dataset.oddities,
        rankings: rankings.iter().copied().map(of).collect(),
        questions,
    })
}

/// The rankings of which prompts are made: those of chats, or else all.
fn prompted(rankings: &[Ranking]) -> Vec<Ranking> {
    let of_chats: Vec<_> = rankings.iter().copied().filter(|ranking| ranking.weights().is_none()).collect();
    if of_chats.is_empty() { rankings.to_vec() } else { of_chats }
}
