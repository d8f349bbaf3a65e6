//! A request as it goes upstream.

use bytes::Bytes;

use super::choice::Considered;
use super::status::{RagStatus, Spent};
use crate::openai::{ChatRequest, Edits};
use crate::prompt::{Passage, Passages, estimate_text};
use crate::selection::Selected;
use crate::system::now;
use crate::trace::Trace;

/// A request ready for upstream, and what was done to it.
#[derive(Debug)]
pub struct Grounded {
    /// The original bytes with spans replaced.
    pub body: Bytes,
    pub status: RagStatus,
    /// Why there are no passages, where the status alone does not say it.
    pub reason: Option<&'static str>,
    /// What the model sees, in order.
    pub passages: Passages,
    /// What was searched for: the question, with what it leans on. None where there was no search.
    pub query: Option<String>,
    /// What the passages were chosen from. None where there was no choice, as where all goes in whole.
    pub considered: Option<Considered>,
    pub collections: Vec<String>,
    pub(super) collection_ids: Vec<String>,
    /// Tokens of what was put before the question, by estimate.
    pub added_tokens: u64,
    pub spent: Spent,
    /// Nothing was found, and then the collection wants no answer.
    pub refuse: bool,
}

impl Grounded {
    /// A request whose body cannot be read: it goes as it came.
    pub fn unread(body: Bytes, selected: &Selected) -> Self {
        let status = if selected.off { RagStatus::Off } else { RagStatus::Error };
        Self {
            body,
            status,
            reason: None,
            passages: Passages::default(),
            query: None,
            considered: None,
            collections: selected.labels(),
            collection_ids: selected.scopes.iter().map(|s| s.collection.id.0.clone()).collect(),
            added_tokens: 0,
            spent: Spent::default(),
            refuse: false,
        }
    }

    /// A request without passages: what is for us alone is taken out, and a model's name of ours is put right.
    pub(super) fn without_passages(request: &ChatRequest, selected: &Selected, status: RagStatus) -> Self {
        let body = request.edited(&Edits { model: selected.model.as_deref(), before_question: None });
        Self { status, ..Self::unread(body, selected) }
    }

    pub(super) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Puts a text with these passages before the question.
    pub(super) fn write(
        &mut self,
        request: &ChatRequest,
        selected: &Selected,
        text: &str,
        passages: Vec<Passage>,
    ) {
        let edits = Edits { model: selected.model.as_deref(), before_question: Some(text) };
        self.body = request.edited(&edits);
        self.passages = passages.into();
        self.added_tokens = estimate_text(text);
    }

    /// What is remembered of it under an id, for the key that asked.
    pub fn trace(&self, id: String, question: &str, owner: Option<&str>) -> Trace {
        Trace {
            id,
            object: "rag.trace",
            created_at: now(),
            status: self.status.name(),
            reason: self.reason,
            collections: self.collections.clone(),
            question: question.to_owned(),
            query: self.query.clone(),
            passages: self.passages.clone(),
            considered: serde_json::json!(self.considered),
            timings: self.spent.to_json(),
            collection_ids: self.collection_ids.clone(),
            owner: owner.map(str::to_owned),
        }
    }
}
