//! What a search knew of each chunk, a JSON line for each question: for fitting constants.

use std::io::Write;

use serde::Serialize;

use super::asking::Asker;
use super::dataset::{Grades, Question};
use crate::collection::Hit;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    text: &'a str,
    relevant: &'a Grades,
    /// Best first.
    candidates: Vec<Candidate<'a>>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    document: Option<&'a str>,
    chunk: u64,
    /// As the search fused it.
    score: f32,
    /// BM25.
    lexical: Option<f32>,
    /// The share of the question's words that it has, each weighed by its rarity.
    coverage: Option<f32>,
    /// Cosine.
    dense: Option<f32>,
    /// How much more alike it is to the question than to questions about anything.
    lift: Option<f32>,
    /// The document's grade; 0 for one that nobody judged.
    grade: f64,
}

/// Writes a question's candidates.
pub fn write(
    out: &mut dyn Write,
    asker: &Asker<'_>,
    question: &Question,
    hits: &[Hit],
) -> std::io::Result<()> {
    let candidates = hits.iter().map(|hit| {
        let document = asker.name(hit);
        let grade = document.and_then(|document| question.grades.get(document));
        Candidate {
            document,
            chunk: hit.chunk.id,
            score: hit.score,
            lexical: hit.lexical,
            coverage: hit.coverage,
            dense: hit.dense,
            lift: hit.lift,
            grade: grade.copied().unwrap_or(0.0),
        }
    });
    let line = Line {
        id: &question.id,
        text: &question.text,
        relevant: &question.grades,
        candidates: candidates.collect(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
