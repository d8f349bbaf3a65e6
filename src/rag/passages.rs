//! What was found, as passages.

use std::collections::HashMap;

use super::choice::LONGEST_JOINED;
use crate::collection::{Hit, Scope};
use crate::prompt::{Passage, estimate_passage};
use crate::store::{ChunkId, ChunkRecord, NewChunk, OutlineRecord};

/// Headings listed of one document.
const MOST_HEADINGS: usize = 40;

/// Hits that follow one another in a document as one passage, with the scores of the best.
pub(super) fn from_hits(scopes: &[Scope], hits: &[&Hit]) -> Option<Passage> {
    let (first, rest) = hits.split_first()?;
    let mut passage = from_chunk(&scopes[first.scope], &first.chunk);
    let (mut best, mut end) = (*first, first.chunk.chunk.end);
    for hit in rest {
        let chunk = &hit.chunk.chunk;
        passage.text.push_str(between(end, chunk));
        passage.text.push_str(chunk.text_after(end));
        passage.chunks.push(hit.chunk.id);
        end = end.max(chunk.end);
        let shared =
            passage.headings.iter().zip(&chunk.headings).take_while(|(one, next)| one == next).count();
        passage.headings.truncate(shared);
        passage.last_page = chunk.last_page.or(passage.last_page).filter(|last| Some(*last) != passage.page);
        if hit.score > best.score {
            best = hit;
        }
    }
    (passage.score, passage.lexical, passage.dense) = (Some(best.score), best.lexical, best.dense);
    Some(passage)
}

/// What stands between a text that ends there and the chunk after it: nothing where that repeats or goes on with it.
fn between(end: u64, chunk: &NewChunk) -> &'static str {
    match chunk.start.checked_sub(end) {
        None | Some(0) => "",
        Some(1) => "\n",
        Some(_) => "\n\n",
    }
}

fn from_chunk(scope: &Scope, record: &ChunkRecord) -> Passage {
    Passage {
        collection: scope.collection.label(),
        document_id: record.document_id.0.clone(),
        chunks: vec![record.id],
        attributes: record.attributes.clone(),
        ..placed(&record.filename, &record.chunk)
    }
}

fn placed(filename: &str, chunk: &NewChunk) -> Passage {
    Passage {
        document: filename.to_owned(),
        page: chunk.page,
        last_page: chunk.last_page.filter(|last| Some(*last) != chunk.page),
        headings: chunk.headings.clone(),
        text: chunk.text.clone(),
        ..Passage::default()
    }
}

/// Whole documents in reading order, without what neighbouring chunks repeat of each other.
pub(super) fn stitch(scope: &Scope, chunks: &[ChunkRecord]) -> Vec<Passage> {
    let documents = chunks.chunk_by(|one, next| one.document == next.document);
    let passages = documents.flat_map(|records| {
        stitched(
            records,
            |record| Some(record.id),
            |record| &record.chunk,
            |record| from_chunk(scope, record),
        )
    });
    passages.collect()
}

/// What a document takes of a prompt where it goes in whole, by an upper estimate: its passages with what says where they
/// are from, under numbers of four digits.
pub fn whole_tokens(filename: &str, chunks: &[NewChunk]) -> u64 {
    let passages = stitched(chunks, |_| None, |chunk| chunk, |chunk| placed(filename, chunk));
    (1_000..).zip(&passages).map(|(number, passage)| estimate_passage(number, passage)).sum()
}

/// The passages of one document.
fn stitched<C>(
    chunks: &[C],
    id_of: impl Fn(&C) -> Option<ChunkId>,
    chunk_of: impl Fn(&C) -> &NewChunk,
    passage_of: impl Fn(&C) -> Passage,
) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut before: Option<&NewChunk> = None;
    for one in chunks {
        let chunk = chunk_of(one);
        let text = chunk.text_after(before.map_or(0, |before| before.end));
        let continues =
            before.is_some_and(|before| before.last_page == chunk.page && before.headings == chunk.headings);
        match passages.last_mut() {
            Some(passage) if continues && passage.text.len() + text.len() <= LONGEST_JOINED => {
                passage.text.push_str(between(before.map_or(0, |before| before.end), chunk));
                passage.text.push_str(text);
                passage.chunks.extend(id_of(one));
                passage.last_page = chunk.last_page.filter(|last| Some(*last) != passage.page);
            }
            _ if text.trim().is_empty() => {}
            _ => {
                let mut passage = passage_of(one);
                passage.text = text.trim_start().to_owned();
                passages.push(passage);
            }
        }
        before = Some(chunk);
    }
    passages
}

/// Gives each passage the score of its best chunk; 0 where the search found none of them.
pub(super) fn score(passages: &mut [Passage], hits: &[Hit]) {
    let scores: HashMap<ChunkId, f32> = hits.iter().map(|hit| (hit.chunk.id, hit.score)).collect();
    for passage in passages {
        let found = passage.chunks.iter().filter_map(|chunk| scores.get(chunk));
        passage.score = Some(found.copied().fold(0.0, f32::max));
    }
}

/// A document's outline as a passage.
pub(super) fn from_outline(scope: &Scope, record: &OutlineRecord) -> Option<Passage> {
    let outline = &record.outline;
    let mut text = String::new();
    if let Some(title) = &outline.title {
        text.push_str(title);
        text.push_str("\n\n");
    }
    text.push_str(&outline.opening);
    for heading in outline.headings.iter().take(MOST_HEADINGS) {
        let indent = "  ".repeat(usize::from(heading.level.saturating_sub(1)).min(3));
        text.push_str(&format!("\n{indent}- {}", heading.text));
    }
    let text = text.trim().to_owned();
    (!text.is_empty()).then(|| Passage {
        collection: scope.collection.label(),
        document: record.filename.clone(),
        document_id: record.document_id.0.clone(),
        headings: vec!["Outline".to_owned()],
        text,
        attributes: record.attributes.clone(),
        ..Passage::default()
    })
}
