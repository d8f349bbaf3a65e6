//! The parts that chunks are put together from: headings, sentences, rows, lines.

use std::ops::Range;

use super::tokens::Tokens;
use crate::reading::{Block, BlockKind, Extracted};
use crate::words::{beginning, sentences as sentences_of};

/// Ends of sentences that no space follows.
const ENDS: [char; 4] = ['。', '！', '？', '｡'];
/// Bytes that are tokenised at once, where a chunk is not longer.
const STRETCH: usize = 16 << 10;

/// A part of a block that is kept whole if it can be.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Bytes of the linear text; no space at its ends.
    pub range: Range<usize>,
    pub tokens: usize,
    pub block: usize,
    /// The tokens of its whole block.
    pub block_tokens: usize,
    /// Whether it is the first of its block.
    pub opens_block: bool,
    pub heading: bool,
}

/// What no chunk exceeds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub tokens: usize,
    /// A word of any length may be one token, unknown to the model.
    pub bytes: usize,
}

/// The units of a document in order, each of at most `limit`. Tokens take many times the memory of their text, so a
/// long block is cut into stretches before it is tokenised, and no more is cut than is asked for.
pub(super) struct Units<'a> {
    document: &'a Extracted,
    tokens: &'a dyn Tokens,
    limit: Limit,
    /// The block that is being cut, where it begins in the linear text, and how much of it is done.
    block: usize,
    start: usize,
    done: usize,
    /// Cut and not yet asked for, the last first.
    ready: Vec<Unit>,
}

impl<'a> Units<'a> {
    pub fn new(document: &'a Extracted, tokens: &'a dyn Tokens, limit: Limit) -> Self {
        Self { document, tokens, limit, block: 0, start: 0, done: 0, ready: Vec::new() }
    }
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        while self.ready.is_empty() {
            let block = self.document.blocks.get(self.block)?;
            let rest = &block.text[self.done..];
            let end = self.done + stretch(rest, block.kind, self.limit.bytes.max(STRETCH));
            self.cut(end);
            self.ready.reverse();
            self.done = end;
            if end == block.text.len() {
                let next = self.document.blocks.get(self.block + 1);
                self.start += block.text.len();
                self.start += next.map_or(0, |next| Block::between(block.kind, next.kind).len());
                (self.block, self.done) = (self.block + 1, 0);
            }
        }
        self.ready.pop()
    }
}

impl Units<'_> {
    /// Cuts the open block from what is done to here.
    fn cut(&mut self, end: usize) {
        let block = &self.document.blocks[self.block];
        let text = &block.text[self.done..end];
        let limit = self.limit;
        let starts: Vec<usize> = self.tokens.spans(text).iter().map(|span| span.start).collect();
        // Tokens are in order, so those of a range lie between two binary searches.
        let count = |range: &Range<usize>| {
            starts.partition_point(|at| *at < range.end) - starts.partition_point(|at| *at < range.start)
        };
        let fits = |range: &Range<usize>| range.len() <= limit.bytes && count(range) <= limit.tokens;
        let whole = text.len() == block.text.len();
        let offset = self.start + self.done;
        let mut opens_block = self.done == 0;
        let ready = &mut self.ready;
        let mut push = |range: Range<usize>| {
            ready.push(Unit {
                tokens: count(&range),
                range: offset + range.start..offset + range.end,
                block: self.block,
                block_tokens: if whole { starts.len() } else { usize::MAX },
                opens_block,
                heading: matches!(block.kind, BlockKind::Heading(_)),
            });
            opens_block = false;
        };
        for part in parts(text, block.kind) {
            if fits(&part) {
                push(part);
                continue;
            }
            let mut run: Option<Range<usize>> = None;
            for word in pieces(text, part, |text| text.split_inclusive(char::is_whitespace).collect()) {
                let longer = run.as_ref().map(|run| run.start..word.end);
                match longer {
                    Some(longer) if fits(&longer) => run = Some(longer),
                    _ => {
                        run.take().into_iter().for_each(&mut push);
                        if fits(&word) {
                            run = Some(word);
                        } else {
                            cut_word(text, word, &starts, limit).into_iter().for_each(&mut push);
                        }
                    }
                }
            }
            run.into_iter().for_each(&mut push);
        }
    }
}

/// How much of a text is cut at once: all of it, or else about `most` bytes, up to the end of a line, of a sentence, or
/// of a word.
fn stretch(text: &str, kind: BlockKind, most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    let window = &text[..floor(text, most)];
    let late = |at: &usize| *at * 2 >= window.len();
    let by_line = || window.rfind('\n').map(|at| at + 1).filter(late);
    let by_sentence = || {
        let ends = |(at, c): (usize, char)| {
            let end = at + c.len_utf8();
            let ends = ENDS.contains(&c)
                || (matches!(c, '.' | '!' | '?') && window[end..].starts_with(char::is_whitespace));
            ends.then_some(end)
        };
        window.char_indices().rev().find_map(ends).filter(late)
    };
    let by_word =
        || window.char_indices().rev().find(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
    let found = match kind {
        BlockKind::Table | BlockKind::Code => by_line(),
        _ => by_sentence().or_else(by_line),
    };
    found.or_else(by_word).unwrap_or(window.len())
}

/// Sentences of running text, lines of tables and code.
fn parts(text: &str, kind: BlockKind) -> Vec<Range<usize>> {
    match kind {
        BlockKind::Table | BlockKind::Code => {
            pieces(text, 0..text.len(), |text| text.split_inclusive('\n').collect())
        }
        BlockKind::Heading(_) => pieces(text, 0..text.len(), |text| vec![text]),
        _ => pieces(text, 0..text.len(), sentences),
    }
}

/// Sentences that end between words, or at a mark of a script without spaces.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut end) = (0, 0);
    for sentence in sentences_of(text) {
        end += sentence.len();
        if end == text.len() || starts_word(text, end) {
            found.push(&text[start..end]);
            start = end;
        }
    }
    found
}

/// The ranges of the pieces that a text falls into, without the space at their ends or those of space only.
fn pieces<'a>(
    text: &'a str,
    within: Range<usize>,
    split: impl Fn(&'a str) -> Vec<&'a str>,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = within.start;
    for piece in split(&text[within]) {
        let trimmed = piece.trim();
        if !trimmed.is_empty() {
            let start = at + (piece.len() - piece.trim_start().len());
            found.push(start..start + trimmed.len());
        }
        at += piece.len();
    }
    found
}

/// Whether a word, or a sentence of a script without spaces, begins here.
pub(super) fn starts_word(text: &str, at: usize) -> bool {
    at == 0 || text[..at].ends_with(|c: char| c.is_whitespace() || ENDS.contains(&c))
}

/// The last place between two characters that is not after this one.
pub(super) fn floor(text: &str, at: usize) -> usize {
    beginning(text, at).len()
}

/// Cuts a word that is longer than a chunk, between characters.
fn cut_word(text: &str, word: Range<usize>, starts: &[usize], limit: Limit) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = word.start;
    loop {
        let first = starts.partition_point(|at| *at < from);
        let by_tokens = starts.get(first + limit.tokens).copied();
        let cut = by_tokens.unwrap_or(word.end).min(from + limit.bytes);
        if cut >= word.end {
            break;
        }
        // Several tokens may share a character; then the cut goes before it, or after it where it is the first.
        let cut = Some(floor(text, cut)).filter(|cut| *cut > from);
        let after_one = || text[from..].chars().next().map_or(word.end, |c| from + c.len_utf8());
        let cut = cut.unwrap_or_else(after_one);
        if cut >= word.end {
            break;
        }
        parts.push(from..cut);
        from = cut;
    }
    parts.push(from..word.end);
    parts
}

impl Unit {
    /// Two shorter units: cut between words if there are several, else between characters.
    pub fn halves(&self, text: &str) -> Option<(Unit, Unit)> {
        let own = &text[self.range.clone()];
        let middle = floor(own, own.len() / 2);
        let space = |range: Range<usize>| {
            own[range].char_indices().find(|(_, c)| c.is_whitespace()).map(|(at, _)| at)
        };
        let cut = own[..middle]
            .rfind(char::is_whitespace)
            .or_else(|| space(middle..own.len()).map(|at| middle + at))
            .or_else(|| Some(middle).filter(|middle| *middle > 0))
            .or_else(|| own.chars().next().map(char::len_utf8).filter(|first| *first < own.len()))?;
        let part = |range: Range<usize>| {
            let slice = &own[range.clone()];
            let start = self.range.start + range.start + (slice.len() - slice.trim_start().len());
            Unit {
                range: start..start + slice.trim().len(),
                tokens: self.tokens / 2 + 1,
                opens_block: false,
                ..self.clone()
            }
        };
        let (mut left, right) = (part(0..cut), part(cut..own.len()));
        left.opens_block = self.opens_block;
        (!left.range.is_empty() && !right.range.is_empty()).then_some((left, right))
    }

    /// Where the last words of the unit begin that are within `room`, and how many tokens they have; never all of it.
    pub fn last_words(&self, text: &str, tokens: &dyn Tokens, room: Limit) -> Option<(usize, usize)> {
        let own = &text[self.range.clone()];
        let spans = tokens.spans(own);
        let earliest = spans.get(spans.len().checked_sub(room.tokens)?).map_or(0, |span| span.start);
        let earliest = floor(own, earliest.max(own.len().saturating_sub(room.bytes)));
        // The first word that begins at or after the earliest place.
        let gap = if earliest > 0 && own[..earliest].ends_with(char::is_whitespace) {
            earliest
        } else {
            let found = own[earliest..].find(char::is_whitespace)?;
            earliest + found
        };
        let start = gap + (own[gap..].len() - own[gap..].trim_start().len());
        if start == 0 || start >= own.len() {
            return None;
        }
        let count = spans.iter().filter(|span| span.start >= start).count();
        // Tokens that share a character may be more than were asked for.
        (count <= room.tokens).then_some((self.range.start + start, count))
    }
}
