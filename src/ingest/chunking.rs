//! From a document to chunks: by its structure first, then by the tokens of the embedding model.

use std::ops::Range;

use super::chunk_units::{Unit, sections, starts_word, units};
use super::extract::{BlockKind, Extracted};

/// Splits text into the tokens of a model.
pub trait Tokens: Send + Sync {
    /// The byte range of each token in order, special tokens left out.
    fn spans(&self, text: &str) -> Vec<Range<usize>>;
}

/// Stands in for the tokens of a model where there is none: about four letters each, marks single.
pub struct ApproximateTokens;

impl Tokens for ApproximateTokens {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        const LETTERS: usize = 4;
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut letters = 0;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            // A letter of a script without spaces weighs as much as a word.
            let small = c.is_alphanumeric() && c < '\u{2e80}';
            match spans.last_mut() {
                Some(span) if small && letters > 0 && letters < LETTERS && span.end == at => {
                    span.end = end;
                    letters += 1;
                }
                _ if c.is_whitespace() => letters = 0,
                _ => {
                    spans.push(at..end);
                    letters = usize::from(small);
                }
            }
        }
        spans
    }
}

/// How large chunks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSettings {
    /// Tokens that no chunk exceeds. The caller holds it below what the model takes.
    pub max_tokens: usize,
    /// Tokens that a chunk repeats of the one before it, where a section had to be split.
    pub overlap_tokens: usize,
}

impl Default for ChunkSettings {
    fn default() -> Self {
        Self { max_tokens: 256, overlap_tokens: 32 }
    }
}

/// A chunk before it is stored: a stretch of [`linear_text`] and its place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its number in the document, from 0.
    pub ordinal: u32,
    /// `linear_text(document)[start..end]`, exactly.
    pub text: String,
    /// The page of its first line, counted from 1.
    pub page: Option<u32>,
    /// The page of its last block.
    pub last_page: Option<u32>,
    /// The title and the headings that all of it stands under, the highest first.
    pub headings: Vec<String>,
    /// Byte offset in the linear text. Less than the end of the piece before, where they overlap.
    pub start: usize,
    /// Byte offset of its end.
    pub end: usize,
    /// Its length in tokens.
    pub tokens: u32,
}

/// The text of a document in one string: blocks apart by an empty line, list items and the parts of a
/// table by a line end. Chunks are stretches of it, so that neighbours can be put together again.
pub fn linear_text(document: &Extracted) -> String {
    let mut text = String::new();
    let mut before = None;
    for block in &document.blocks {
        match (before, block.kind) {
            (None, _) => {}
            (Some(BlockKind::ListItem), BlockKind::ListItem) | (Some(BlockKind::Table), BlockKind::Table) => {
                text.push('\n')
            }
            _ => text.push_str("\n\n"),
        }
        text.push_str(&block.text);
        before = Some(block.kind);
    }
    text
}

/// Splits a document into chunks of at most `max_tokens`.
///
/// A heading begins a new chunk once the one before is a third full; smaller sections share a chunk
/// with the next. Longer ones are split between paragraphs, else sentences, else words; a word is
/// cut only if it is longer than a chunk. Time is linear in the length of the document.
pub fn chunk(document: &Extracted, tokens: &dyn Tokens, settings: &ChunkSettings) -> Vec<Piece> {
    let text = linear_text(document);
    let max = settings.max_tokens.max(1);
    let (sections, section_of_block) = sections(document);
    let mut pending = units(document, tokens, max);
    pending.reverse();
    let mut builder =
        Builder { text: &text, tokens, max, settings, sections: &sections, document, pieces: Vec::new() };
    let mut current: Vec<Unit> = Vec::new();
    let mut size = 0;
    let mut overlap: Option<Overlap> = None;
    while let Some(unit) = pending.pop() {
        let section = section_of_block[unit.block];
        let carried = overlap.as_ref().map_or(0, |it| it.tokens);
        if let Some(last) = current.last() {
            let starts_section = section != section_of_block[last.block] && size * 3 >= max;
            let full = carried + size + unit.tokens > max;
            // Rather a shorter chunk than a paragraph cut in two.
            let keep_whole = unit.opens_block
                && unit.block_tokens <= max
                && carried + size + unit.block_tokens > max
                && size * 2 >= max;
            if starts_section || full || keep_whole {
                pending.push(unit);
                // A heading goes with what follows it.
                if !starts_section {
                    let headings = current.iter().rev().take_while(|unit| unit.heading).count();
                    if headings < current.len() {
                        pending.extend(current.drain(current.len() - headings..).rev());
                    }
                }
                overlap = builder.emit(&mut current, overlap.take(), &mut pending, &section_of_block);
                size = current.iter().map(|unit| unit.tokens).sum();
                continue;
            }
        } else if let Some(it) = &overlap
            && (it.section != section || it.tokens + unit.tokens > max || unit.heading)
        {
            overlap = None;
        }
        size += unit.tokens;
        current.push(unit);
    }
    while !current.is_empty() || !pending.is_empty() {
        if current.is_empty() {
            current.extend(pending.pop());
        }
        overlap = builder.emit(&mut current, overlap.take(), &mut pending, &section_of_block);
    }
    builder.pieces
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
    max: usize,
    settings: &'a ChunkSettings,
    sections: &'a [Vec<String>],
    document: &'a Extracted,
    pieces: Vec<Piece>,
}

impl Builder<'_> {
    /// Makes a chunk of the units, and says what the next one repeats of it. The sum of the tokens of
    /// parts is not quite that of the whole, so the chunk is counted, and gives units back if it has to.
    fn emit(
        &mut self,
        units: &mut Vec<Unit>,
        mut overlap: Option<Overlap>,
        pending: &mut Vec<Unit>,
        section_of_block: &[usize],
    ) -> Option<Overlap> {
        loop {
            let (first, last) = (units.first()?.clone(), units.last()?.clone());
            let start = overlap.as_ref().map_or(first.range.start, |it| it.start);
            let text = &self.text[start..last.range.end];
            let count = self.tokens.spans(text).len();
            if count > self.max {
                if overlap.take().is_some() {
                    continue;
                }
                if units.len() > 1 {
                    pending.extend(units.pop());
                    continue;
                }
                if let Some((left, right)) = last.halves(self.text) {
                    units.clear();
                    units.push(left);
                    pending.push(right);
                    continue;
                }
                // One character that is more tokens than a chunk may have: there is nothing left to cut.
            }
            let first_block = overlap.as_ref().map_or(first.block, |it| it.block);
            let section = section_of_block[last.block];
            let path = self.common_path(section_of_block[first_block], section);
            let page = |block: usize| self.document.blocks[block].page;
            self.pieces.push(Piece {
                ordinal: u32::try_from(self.pieces.len()).unwrap_or(u32::MAX),
                text: text.to_owned(),
                page: page(first_block),
                last_page: page(last.block),
                headings: path,
                start,
                end: last.range.end,
                tokens: u32::try_from(count).unwrap_or(u32::MAX),
            });
            // Never all of a chunk is repeated, or chunks would not get on.
            let own = usize::from(overlap.is_none());
            let tail = self.tail(units, own, section, section_of_block);
            units.clear();
            return tail;
        }
    }

    /// Whole sentences at the end of these units, or else words, up to the overlap asked for.
    fn tail(
        &self,
        units: &[Unit],
        skip: usize,
        section: usize,
        section_of_block: &[usize],
    ) -> Option<Overlap> {
        let room = self.settings.overlap_tokens.min(self.max / 2);
        let mut tail: Option<Overlap> = None;
        let mut so_far = 0;
        for unit in units.iter().skip(skip).rev() {
            if unit.heading || section_of_block[unit.block] != section || so_far + unit.tokens > room {
                break;
            }
            so_far += unit.tokens;
            if starts_word(self.text, unit.range.start) {
                tail = Some(Overlap { start: unit.range.start, tokens: so_far, section, block: unit.block });
            }
        }
        let last = units.last()?;
        if tail.is_some() || last.heading || room == 0 {
            return tail;
        }
        let (start, tokens) = last.last_words(self.text, self.tokens, room)?;
        Some(Overlap { start, tokens, section, block: last.block })
    }

    fn common_path(&self, first: usize, last: usize) -> Vec<String> {
        let title = self.document.title.iter().filter(|title| !title.is_empty()).cloned();
        let (a, b) = (&self.sections[first], &self.sections[last]);
        let common: Vec<String> = if first == last {
            a.clone()
        } else {
            // A range of sections stands under what the first and the last have in common, since a
            // heading that closes one of them would have changed the last.
            a.iter().zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.clone()).collect()
        };
        let mut path: Vec<String> = title.collect();
        if path.first().is_some_and(|title| common.first() == Some(title)) {
            path.clear();
        }
        path.extend(common);
        path
    }
}

#[cfg(test)]
#[path = "chunking_tests.rs"]
mod tests;
