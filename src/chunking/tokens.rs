//! How text is counted: in the tokens of a model, or by a rule of thumb.

use std::ops::Range;

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
