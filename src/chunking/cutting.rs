//! Chunks: cut by the document's structure first, then by the tokens of the embedding model.

use super::heading_path::Sections;
use super::tokens::Tokens;
use super::units::{Limit, Unit, Units, starts_word};
use super::{CHUNK_SIZES, HEADING_TOKENS};
use crate::reading::{Extracted, linear_text};
use crate::store::NewChunk;

/// How large chunks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSettings {
    /// Tokens that no chunk exceeds. The caller holds it below what the model takes.
    pub max_tokens: usize,
    /// Tokens that a chunk repeats of the one before it, where a section had to be split.
    pub overlap_tokens: usize,
    /// Tokens of the title and the headings that are kept with a chunk, beside its own.
    pub heading_tokens: usize,
    /// Chunks of one document.
    pub most_chunks: usize,
}

impl Default for ChunkSettings {
    fn default() -> Self {
        Self {
            max_tokens: CHUNK_SIZES.max_tokens as usize,
            overlap_tokens: CHUNK_SIZES.overlap_tokens as usize,
            heading_tokens: HEADING_TOKENS,
            most_chunks: 100_000,
        }
    }
}

/// Bytes of a chunk for each token that it may have. No language comes near it; a word of a million letters that the
/// model does not know is one token.
const BYTES_PER_TOKEN: usize = 24;

/// The document makes more chunks than are kept of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The document makes more than {0} passages. Split it and upload the parts.")]
pub struct TooManyChunks(pub usize);

/// Splits a document into chunks of at most `max_tokens`.
///
/// A heading begins a new chunk once the one before is a third full; smaller sections share a chunk
/// with the next. Longer ones are split between paragraphs, else sentences, else words; a word is
/// cut only if it is longer than a chunk. Time is linear in the length of the document, and what is kept of it at once
/// is its text, the chunks, and the tokens of a few of them.
pub fn chunk(
    document: &Extracted,
    tokens: &dyn Tokens,
    settings: &ChunkSettings,
) -> Result<Vec<NewChunk>, TooManyChunks> {
    let text = linear_text(document);
    let max = settings.max_tokens.max(1);
    let limit = Limit { tokens: max, bytes: max.saturating_mul(BYTES_PER_TOKEN) };
    let sections = Sections::of(document);
    let mut pending = Pending { given_back: Vec::new(), rest: Units::new(document, tokens, limit) };
    let mut builder = Builder {
        text: &text,
        tokens,
        limit,
        settings,
        sections: &sections,
        document,
        path: None,
        pieces: Vec::new(),
    };
    let mut current: Vec<Unit> = Vec::new();
    let mut size = 0;
    let mut overlap: Option<Overlap> = None;
    while let Some(unit) = pending.pop() {
        let section = sections.of_block(unit.block);
        let carried = overlap.as_ref().map_or(0, |it| it.tokens);
        if let (Some(first), Some(last)) = (current.first(), current.last()) {
            let start = overlap.as_ref().map_or(first.range.start, |it| it.start);
            let starts_section = section != sections.of_block(last.block) && size * 3 >= max;
            let full = carried + size + unit.tokens > max || unit.range.end - start > limit.bytes;
            // Rather a shorter chunk than a paragraph cut in two.
            let keep_whole = unit.opens_block
                && unit.block_tokens <= max
                && carried + size + unit.block_tokens > max
                && size * 2 >= max;
            if starts_section || full || keep_whole {
                pending.given_back.push(unit);
                // A heading goes with what follows it.
                if !starts_section {
                    let headings = current.iter().rev().take_while(|unit| unit.heading).count();
                    if headings < current.len() {
                        pending.given_back.extend(current.drain(current.len() - headings..).rev());
                    }
                }
                overlap = builder.emit(&mut current, overlap.take(), &mut pending)?;
                size = current.iter().map(|unit| unit.tokens).sum();
                continue;
            }
        } else if let Some(it) = &overlap
            && (it.section != section
                || it.tokens + unit.tokens > max
                || unit.range.end - it.start > limit.bytes
                || unit.heading)
        {
            overlap = None;
        }
        size += unit.tokens;
        current.push(unit);
    }
    loop {
        if current.is_empty() {
            match pending.pop() {
                Some(unit) => current.push(unit),
                None => return Ok(builder.pieces),
            }
        }
        overlap = builder.emit(&mut current, overlap.take(), &mut pending)?;
    }
}

/// Units that are in no chunk yet: those that a chunk gave back, the last first, then those that are not cut yet.
struct Pending<'a> {
    given_back: Vec<Unit>,
    rest: Units<'a>,
}

impl Pending<'_> {
    fn pop(&mut self) -> Option<Unit> {
        self.given_back.pop().or_else(|| self.rest.next())
    }
}

/// The end of a chunk that the next one begins with.
struct Overlap {
    start: usize,
    tokens: usize,
    section: usize,
    block: usize,
}

struct Builder<'a> {
    text: &'a str,
    tokens: &'a dyn Tokens,
    limit: Limit,
    settings: &'a ChunkSettings,
    sections: &'a Sections<'a>,
    document: &'a Extracted,
    /// The last path that was asked for, and its section.
    path: Option<(usize, Vec<String>)>,
    pieces: Vec<NewChunk>,
}

impl Builder<'_> {
    /// Makes a chunk of the units, and says what the next one repeats of it. The sum of the tokens of
    /// parts is not quite that of the whole, so the chunk is counted, and gives units back if it has to.
    fn emit(
        &mut self,
        units: &mut Vec<Unit>,
        mut overlap: Option<Overlap>,
        pending: &mut Pending<'_>,
    ) -> Result<Option<Overlap>, TooManyChunks> {
        loop {
            let (Some(first), Some(last)) = (units.first().cloned(), units.last().cloned()) else {
                return Ok(None);
            };
            let start = overlap.as_ref().map_or(first.range.start, |it| it.start);
            let text = &self.text[start..last.range.end];
            let too_long = text.len() > self.limit.bytes;
            let count = if too_long { usize::MAX } else { self.tokens.spans(text).len() };
            if count > self.limit.tokens {
                if overlap.take().is_some() {
                    continue;
                }
                if units.len() > 1 {
                    pending.given_back.extend(units.pop());
                    continue;
                }
                if let Some((left, right)) = last.halves(self.text) {
                    units.clear();
                    units.push(left);
                    pending.given_back.push(right);
                    continue;
                }
                // One character that is more tokens than a chunk may have: there is nothing left to cut.
            }
            let first_block = overlap.as_ref().map_or(first.block, |it| it.block);
            let section = self.sections.of_block(last.block);
            let headings = self.path(self.sections.common(self.sections.of_block(first_block), section));
            if self.pieces.len() >= self.settings.most_chunks {
                return Err(TooManyChunks(self.settings.most_chunks));
            }
            let page = |block: usize| self.document.blocks[block].page;
            self.pieces.push(NewChunk {
                text: text.to_owned(),
                page: page(first_block),
                last_page: page(last.block),
                headings,
                start: start as u64,
                end: last.range.end as u64,
                tokens: u32::try_from(count).unwrap_or(u32::MAX),
            });
            // Never all of a chunk is repeated, or chunks would not get on.
            let own = usize::from(overlap.is_none());
            let tail = self.tail(units, own, section);
            units.clear();
            return Ok(tail);
        }
    }

    /// Whole sentences at the end of these units, or else words, up to the overlap asked for.
    fn tail(&self, units: &[Unit], skip: usize, section: usize) -> Option<Overlap> {
        let last = units.last()?;
        let tokens = self.settings.overlap_tokens.min(self.limit.tokens / 2);
        let room = Limit { tokens, bytes: self.limit.bytes / 2 };
        let mut tail: Option<Overlap> = None;
        let mut so_far = 0;
        for unit in units.iter().skip(skip).rev() {
            let fits = so_far + unit.tokens <= room.tokens && last.range.end - unit.range.start <= room.bytes;
            if unit.heading || self.sections.of_block(unit.block) != section || !fits {
                break;
            }
            so_far += unit.tokens;
            if starts_word(self.text, unit.range.start) {
                tail = Some(Overlap { start: unit.range.start, tokens: so_far, section, block: unit.block });
            }
        }
        if tail.is_some() || last.heading || room.tokens == 0 {
            return tail;
        }
        let (start, tokens) = last.last_words(self.text, self.tokens, room)?;
        Some(Overlap { start, tokens, section, block: last.block })
    }

    fn path(&mut self, section: usize) -> Vec<String> {
        match &self.path {
            Some((of, path)) if *of == section => path.clone(),
            _ => {
                let tokens = self.settings.heading_tokens;
                let room = Limit { tokens, bytes: tokens.saturating_mul(BYTES_PER_TOKEN) };
                let path = self.sections.path(section, self.tokens, room);
                self.path = Some((section, path.clone()));
                path
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
