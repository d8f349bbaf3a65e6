//! The two sides of a search, and the tokens of a text on each.

use std::ops::Range;

use super::tokens::{Tokens, Whole};

/// The two sides of a search, which some models tell apart by a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Query,
    Passage,
}

/// A model's tokenizer, with the prefixes of both sides.
pub struct Sides {
    tokens: Tokens,
    query_prefix: String,
    passage_prefix: String,
}

impl Sides {
    pub fn new(tokens: Tokens, query_prefix: String, passage_prefix: String) -> Self {
        Self { tokens, query_prefix, passage_prefix }
    }

    /// The ids of a text with its side's prefix, cut at the window.
    pub fn encode(&self, side: Side, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        self.tokens.encode(self.prefix(side), text)
    }

    /// The ids of a text with its side's prefix, or by how much it is too long.
    pub fn encode_whole(&self, side: Side, text: &str) -> Result<Whole, tokenizers::Error> {
        self.tokens.encode_whole(self.prefix(side), text)
    }

    /// The ids of a text with its side's prefix, at most so many of them.
    pub fn encode_first(&self, side: Side, text: &str, most: usize) -> Result<Vec<u32>, tokenizers::Error> {
        self.tokens.encode_first(self.prefix(side), text, most)
    }

    /// The byte ranges of the tokens of a text: see [`Tokens::spans`].
    pub fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, tokenizers::Error> {
        self.tokens.spans(text)
    }

    fn prefix(&self, side: Side) -> &str {
        match side {
            Side::Query => &self.query_prefix,
            Side::Passage => &self.passage_prefix,
        }
    }
}
