//! The parts that chunks are put together from: headings, sentences, rows, lines.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::chunking::Tokens;
use super::extract::{BlockKind, Extracted};

/// Ends of sentences that no space follows.
const ENDS: [char; 4] = ['。', '！', '？', '｡'];

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

/// For each section the path of its headings, and for each block its section.
pub(super) fn sections(document: &Extracted) -> (Vec<Vec<String>>, Vec<usize>) {
    let mut paths: Vec<Vec<String>> = vec![Vec::new()];
    let mut of_block = Vec::with_capacity(document.blocks.len());
    let mut open: Vec<(u8, &str)> = Vec::new();
    for block in &document.blocks {
        if let BlockKind::Heading(level) = block.kind {
            open.retain(|(above, _)| *above < level);
            open.push((level, &block.text));
            paths.push(open.iter().map(|(_, text)| (*text).to_owned()).collect());
        }
        of_block.push(paths.len() - 1);
    }
    (paths, of_block)
}

/// Cuts a document into units of at most `max` tokens; each block is tokenised once.
pub(super) fn units(document: &Extracted, tokens: &dyn Tokens, max: usize) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (index, block) in document.blocks.iter().enumerate() {
        start += match (before, block.kind) {
            (None, _) => 0,
            (Some(BlockKind::ListItem), BlockKind::ListItem) | (Some(BlockKind::Table), BlockKind::Table) => {
                1
            }
            _ => 2,
        };
        before = Some(block.kind);
        let text = block.text.as_str();
        let starts: Vec<usize> = tokens.spans(text).iter().map(|span| span.start).collect();
        // Tokens are in order, so those of a range lie between two binary searches.
        let count = |range: &Range<usize>| {
            starts.partition_point(|at| *at < range.end) - starts.partition_point(|at| *at < range.start)
        };
        let mut opens_block = true;
        let mut push = |range: Range<usize>| {
            let unit = Unit {
                tokens: count(&range),
                range: start + range.start..start + range.end,
                block: index,
                block_tokens: starts.len(),
                opens_block,
                heading: matches!(block.kind, BlockKind::Heading(_)),
            };
            opens_block = false;
            units.push(unit);
        };
        for part in parts(text, block.kind) {
            if count(&part) <= max {
                push(part);
                continue;
            }
            let mut run: Option<Range<usize>> = None;
            for word in pieces(text, part, |text| text.split_inclusive(char::is_whitespace).collect()) {
                let longer = run.as_ref().map(|run| run.start..word.end);
                match longer {
                    Some(longer) if count(&longer) <= max => run = Some(longer),
                    _ => {
                        run.take().into_iter().for_each(&mut push);
                        if count(&word) <= max {
                            run = Some(word);
                        } else {
                            cut_word(text, word, &starts, max).into_iter().for_each(&mut push);
                        }
                    }
                }
            }
            run.into_iter().for_each(&mut push);
        }
        start += text.len();
    }
    units
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
    let mut start = 0;
    for (at, sentence) in text.split_sentence_bound_indices() {
        let end = at + sentence.len();
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
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Cuts a word that is longer than a chunk, between characters.
fn cut_word(text: &str, word: Range<usize>, starts: &[usize], max: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = word.start;
    let mut next = starts.partition_point(|at| *at < word.start) + max;
    while let Some(cut) = starts.get(next).copied().filter(|cut| *cut < word.end) {
        // Several tokens may share a character; then the cut goes before it.
        let cut = floor(text, cut);
        if cut > from {
            parts.push(from..cut);
            from = cut;
        }
        next += max;
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

    /// Where the last words of the unit begin that have at most so many tokens, and how many they have;
    /// never all of it.
    pub fn last_words(&self, text: &str, tokens: &dyn Tokens, room: usize) -> Option<(usize, usize)> {
        let own = &text[self.range.clone()];
        let spans = tokens.spans(own);
        let earliest = spans.get(spans.len().checked_sub(room)?).map_or(0, |span| span.start);
        let earliest = floor(own, earliest);
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
        (count <= room).then_some((self.range.start + start, count))
    }
}
