//! The Responses API's shape of a grounded answer: a `file_search_call` before what the model says, and
//! `file_citation` annotations in it.

use serde_json::{Value, json};

use super::marks::Marks;
use crate::json::{Object, ascii, quoted_ascii};
use crate::openai::SentTools;
use crate::prompt::{Passage, Passages, Source};

/// A longer answer that is not streamed passes as it is, and so does a longer event.
pub(super) const LONGEST: usize = 16 << 20;

/// A search that was made for one answer.
#[derive(Clone, Debug)]
pub struct SearchCall {
    /// `fs_...`
    pub(super) id: String,
    query: String,
    /// JSON of the results, where the client asked for them.
    results: Option<String>,
    /// What the model was given.
    passages: Passages,
    tools: Option<SentTools>,
}

impl SearchCall {
    /// The search for a query. `wants_results`: whether they are shown; `tools`: what the client sent of them.
    pub fn new(
        id: String,
        query: &str,
        passages: &Passages,
        wants_results: bool,
        tools: Option<SentTools>,
    ) -> Self {
        let results = wants_results.then(|| results(passages));
        let results = results.map(|list| ascii(&list.to_string()));
        Self { id, query: query.to_owned(), results, passages: passages.clone(), tools }
    }

    /// The call as an element of the output.
    pub(super) fn item(&self, completed: bool) -> String {
        let status = if completed { "completed" } else { "in_progress" };
        let query = if completed { quoted_ascii(&self.query) } else { String::new() };
        let results = self.results.as_deref().filter(|_| completed).unwrap_or("null");
        let id = quoted_ascii(&self.id);
        format!(
            "{{\"id\":{id},\"type\":\"file_search_call\",\"status\":\"{status}\",\"queries\":[{query}],\"results\":{results}}}"
        )
    }

    /// A response that has ended. `None` where it is none that we know, or has not.
    pub(super) fn in_response(&self, mut response: Object<'_>) -> Option<String> {
        let output = response.list("output")?;
        if matches!(response.read::<&str>("status"), Some("queued" | "in_progress")) {
            return self.echoed(response);
        }
        let items = output.iter().map(|item| self.in_item(item));
        let output: Vec<String> = std::iter::once(self.item(true)).chain(items).collect();
        response.set("output", format!("[{}]", output.join(",")));
        self.echoed(response)
    }

    /// A response with its tools as the client sent them.
    pub(super) fn echoed(&self, mut response: Object<'_>) -> Option<String> {
        if let Some(sent) = &self.tools {
            response.set("tools", sent.tools.clone());
            response.set("tool_choice", sent.tool_choice.clone().unwrap_or_else(|| quoted_ascii("auto")));
        }
        Some(response.to_json())
    }

    /// An element of the output.
    pub(super) fn in_item(&self, json: &str) -> String {
        let cited = || {
            let mut item = Object::parse(json).filter(|item| item.read("type") == Some("message"))?;
            let parts: Vec<String> = item.list("content")?.iter().map(|part| self.in_part(part)).collect();
            item.set("content", format!("[{}]", parts.join(",")));
            Some(item.to_json())
        };
        cited().unwrap_or_else(|| json.to_owned())
    }

    /// A part of a message. Upstream's own annotations stay, and ours come after them.
    pub(super) fn in_part(&self, json: &str) -> String {
        let cited = || {
            let mut part = Object::parse(json).filter(|part| part.read("type") == Some("output_text"))?;
            let ours = self.annotations(&part.read::<String>("text")?);
            let theirs = part.list("annotations").unwrap_or_default();
            let all: Vec<&str> = theirs.into_iter().chain(ours.iter().map(String::as_str)).collect();
            let all = format!("[{}]", all.join(","));
            part.set("annotations", all);
            Some(part.to_json())
        };
        cited().unwrap_or_else(|| json.to_owned())
    }

    /// What is cited of a text: the files that its marks name, each where the mark stands, counted in code points.
    /// A text without marks rests on all files, at its end.
    pub(super) fn annotations(&self, text: &str) -> Vec<String> {
        let mut marks = Marks::of(self.passages.len());
        marks.push(text);
        if marks.length() == 0 {
            return Vec::new();
        }
        let named = marks.found().iter().flat_map(|mark| {
            let sources = mark.numbers.iter().filter_map(|n| self.passages.source(*n));
            sources.map(|source| (mark.start, source))
        });
        let mut cited: Vec<(usize, Source<'_>)> = named.collect();
        if cited.is_empty() {
            cited = self.passages.sources().map(|source| (marks.length(), source)).collect();
        }
        let mut distinct: Vec<(usize, Source<'_>)> = Vec::new();
        for (index, source) in cited {
            // Several passages of one file are one citation of it.
            let same_place = distinct.iter().rev().take_while(|(at, _)| *at == index);
            if !same_place.into_iter().any(|(_, other)| other.file_id == source.file_id) {
                distinct.push((index, source));
            }
        }
        distinct.into_iter().map(|(index, source)| cited_at(index, &source)).collect()
    }
}

fn cited_at(index: usize, source: &Source<'_>) -> String {
    let (id, name) = (quoted_ascii(source.file_id), quoted_ascii(source.document));
    format!("{{\"type\":\"file_citation\",\"index\":{index},\"file_id\":{id},\"filename\":{name}}}")
}

/// What was found, best first, whatever order it has in the prompt. A document's outline is as good as the best that was
/// found of the document.
fn results(passages: &[Passage]) -> Value {
    let of_document = |document: &str| {
        let alike = passages.iter().filter(|other| other.document_id == document);
        alike.filter_map(|other| other.score).max_by(f32::total_cmp)
    };
    let score = |passage: &Passage| passage.score.or_else(|| of_document(&passage.document_id));
    let mut ranked: Vec<(&Passage, Option<f32>)> = passages.iter().map(|p| (p, score(p))).collect();
    ranked.sort_by(|(_, a), (_, b)| b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0)));
    ranked.into_iter().map(|(passage, score)| found(passage, score)).collect()
}

/// A passage as an element of the call's results. It has no score where the search for one failed.
fn found(passage: &Passage, score: Option<f32>) -> Value {
    let Passage { document_id, document, text, attributes, .. } = passage;
    let attributes: Option<Value> = serde_json::from_str(attributes).ok();
    let attributes = attributes.filter(Value::is_object).unwrap_or_else(|| json!({}));
    let mut found =
        json!({"file_id": document_id, "filename": document, "attributes": attributes, "text": text});
    if let Some(score) = score {
        found["score"] = score.clamp(0.0, 1.0).into();
    }
    found
}
