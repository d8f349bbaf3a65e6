//! What was measured, as it is written and read again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::Read;
use super::measures::Measures;
use super::oddities::Oddities;
use super::ranking::Ranking;

/// The version of this format.
pub const FORMAT: u32 = 1;
/// Tokens within which answers are counted.
pub const WITHIN: [u64; 4] = [200, 400, 800, 1_600];

/// An evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    /// Of lastro.
    pub version: String,
    /// Seconds since 1970.
    pub created_at: i64,
    pub dataset: About,
    pub settings: Settings,
    pub oddities: Oddities,
    pub rankings: BTreeMap<Ranking, Summary>,
    pub questions: Vec<Asked>,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    pub collection: String,
    pub documents: usize,
    pub chunks: usize,
    pub questions: usize,
    /// Questions with a relevant document: rankings are measured over these.
    pub judged: usize,
    /// Questions with an answer.
    pub answered: usize,
}

/// How it was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub embedding_model: Option<Model>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reranker: Option<String>,
    /// Passages wanted, unless the collection says otherwise.
    pub passages: usize,
    /// Tokens of the model that would answer.
    pub window: u64,
    pub retrieval_timeout_ms: u64,
}

/// The embedding model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub name: String,
    pub fingerprint: String,
    pub device: String,
}

/// One ranking, over all questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Means over the judged questions; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measures: Option<Measures>,
    /// None where no prompts were made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Prompts>,
}

/// What chats would get.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompts {
    /// How many questions ended how, as in `X-RAG-Status`.
    pub statuses: BTreeMap<String, usize>,
    /// Means over the questions that got passages.
    pub passages: f64,
    pub tokens: f64,
    /// None where there are no answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswersRead>,
    pub ms: Milliseconds,
    /// Medians of each stage, in milliseconds.
    pub stages_ms: BTreeMap<String, f64>,
}

/// Where answers stand in prompts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswersRead {
    /// Share of the answered questions whose prompt holds an answer.
    pub share: f64,
    /// Mean tokens up to it, where it is there.
    pub tokens_until: f64,
    /// Share of them with an answer within so many tokens.
    pub within: BTreeMap<u64, f64>,
}

/// Of one question, from its arrival to the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Milliseconds {
    pub p50: f64,
    pub p99: f64,
}

/// One question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    pub id: String,
    pub text: String,
    /// Relevant documents.
    pub relevant: Vec<String>,
    pub rankings: BTreeMap<Ranking, Outcome>,
}

/// What one ranking made of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The first documents.
    pub documents: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measures: Option<Measures>,
    /// The rank of the first relevant document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
}

/// What a chat would get.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Prompt {
    pub status: String,
    pub ms: f64,
    pub stages_ms: BTreeMap<String, f64>,
    /// Whether answers are known.
    pub has_answers: bool,
    #[serde(flatten)]
    pub read: Read,
}
