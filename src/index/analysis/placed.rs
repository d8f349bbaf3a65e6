//! Terms with their places as one text, which tantivy cuts again: it has no other way for terms that costs little.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Terms in the order of their places, as a text for [`Placed`]. No term has white space.
pub(in crate::index) fn text<'a>(terms: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut text = String::new();
    let mut before = 0;
    for (number, (term, at)) in terms.enumerate() {
        if number > 0 && at == before {
            text.push('\n');
        }
        text.extend(std::iter::repeat_n(' ', at.saturating_sub(before)));
        text.push_str(term);
        before = at;
    }
    text
}

/// Cuts what [`text`] put together: a space is a step to the next place, and behind a line's end the place is the same.
#[derive(Clone, Default)]
pub(in crate::index) struct Placed;

pub(in crate::index) struct PlacedStream<'a> {
    rest: &'a str,
    at: usize,
    token: Token,
}

impl Tokenizer for Placed {
    type TokenStream<'a> = PlacedStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> PlacedStream<'a> {
        PlacedStream { rest: text, at: 0, token: Token::default() }
    }
}

impl TokenStream for PlacedStream<'_> {
    fn advance(&mut self) -> bool {
        let term = self.rest.trim_start_matches([' ', '\n']);
        let between = &self.rest[..self.rest.len() - term.len()];
        self.at += between.bytes().filter(|b| *b == b' ').count();
        let (term, rest) = term.split_at(term.find([' ', '\n']).unwrap_or(term.len()));
        self.rest = rest;
        self.token.text.clear();
        self.token.text.push_str(term);
        self.token.position = self.at;
        !term.is_empty()
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_back_with_their_places() {
        for terms in
            [vec![], vec![("a", 0)], vec![("a", 2), ("b", 2), ("c", 3), ("d", 9)], vec![("é", 1), ("ç", 1)]]
        {
            let text = text(terms.iter().copied());
            let mut tokenizer = Placed;
            let mut stream = tokenizer.token_stream(&text);
            let mut found = Vec::new();
            while stream.advance() {
                found.push((stream.token().text.clone(), stream.token().position));
            }
            let expected: Vec<(String, usize)> =
                terms.iter().map(|(term, at)| ((*term).to_owned(), *at)).collect();
            assert_eq!(found, expected);
        }
    }
}
