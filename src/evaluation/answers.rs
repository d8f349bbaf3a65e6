//! Whether a text holds an answer, and how much has to be read until one does.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::words::{is_without_spaces, one_line};

/// Answers as they are looked for: in compatible forms, small letters and single spaces.
pub struct Answers(Vec<String>);

impl Answers {
    pub fn new(answers: &[String]) -> Self {
        Self(answers.iter().map(|answer| comparable(answer)).filter(|answer| !answer.is_empty()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a comparable text holds one of them, in whole words.
    pub fn are_in(&self, comparable: &str) -> bool {
        self.0.iter().any(|answer| holds(comparable, answer))
    }
}

/// Whether a comparable text holds another one in whole words: `4` is not in `1945`.
pub fn holds(comparable: &str, part: &str) -> bool {
    let within = |one: Option<char>, other: Option<char>| {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !is_without_spaces(c));
        letter(one) && letter(other)
    };
    comparable.match_indices(part).any(|(at, _)| {
        let (before, behind) = (&comparable[..at], &comparable[at + part.len()..]);
        !within(before.chars().next_back(), part.chars().next())
            && !within(part.chars().next_back(), behind.chars().next())
    })
}

/// A text as it is compared.
pub fn comparable(text: &str) -> String {
    let lower: String = text.nfkc().flat_map(char::to_lowercase).collect();
    one_line(&lower)
}

/// What a prompt's passages hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Read {
    pub passages: usize,
    /// Of all passages, by the estimate that the prompt's budget goes by.
    pub tokens: u64,
    /// Of the passages up to the first with an answer, that one included. None where none has one.
    pub until_answer: Option<u64>,
}

impl Read {
    /// Reads passages in the order of the prompt, each given by its text and its tokens.
    pub fn new<'a>(passages: impl Iterator<Item = (&'a str, u64)>, answers: &Answers) -> Self {
        let mut read = Self::default();
        for (text, tokens) in passages {
            read.passages += 1;
            read.tokens += tokens;
            if read.until_answer.is_none() && answers.are_in(&comparable(text)) {
                read.until_answer = Some(read.tokens);
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answers: &[&str]) -> Read {
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let passages = [("Nothing of it.", 10), ("Em  2\nde MAIO, às 9h.", 20), ("Em 2 de maio.", 40)];
        Read::new(passages.into_iter(), &Answers::new(&answers))
    }

    #[test]
    fn tokens_are_counted_up_to_the_first_passage_with_an_answer() {
        assert_eq!(read(&["it.", "2 de Maio"]).until_answer, Some(10));
        assert_eq!(read(&["2 de Maio"]), Read { passages: 3, tokens: 70, until_answer: Some(30) });
        assert_eq!(read(&["3 de maio"]).until_answer, None);
        assert_eq!(read(&[" ", ""]).until_answer, None);
    }

    #[test]
    fn an_answer_is_of_whole_words() {
        for (text, part, expected) in [
            ("in 1945 and 4", "4", true),
            ("in 1945", "4", false),
            ("norte", "no", false),
            ("($5.00)", "$5.00", true),
            ("the end", "end", true),
            ("\u{6771}\u{4eac}\u{306b}\u{884c}\u{304f}", "\u{4eac}", true),
        ] {
            assert_eq!(holds(text, part), expected, "{text} {part}");
        }
    }
}
