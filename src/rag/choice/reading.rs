//! The words of a text, as they are compared.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::words::{folded, is_without_spaces};

/// Words that share so many letters at their beginning are taken for forms of one word.
const STEM: usize = 5;
/// Shorter words are articles and the like in the languages written with spaces.
const SHORTEST_WORD: usize = 3;
/// Words in a shingle.
const SHINGLE: usize = 3;

/// A text as its shingles: each run of [`SHINGLE`] words.
pub(super) struct Reading {
    pub shingles: Vec<Shingle>,
}

/// A few words in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shingle {
    /// Of their letters in lower case.
    pub hash: u64,
    /// Whether a number, a name or a word of the question is among them.
    pub tells: bool,
}

impl Reading {
    /// Reads a text; `asked` are the stems of the question.
    pub fn of(text: &str, asked: &HashSet<String>) -> Self {
        let words: Vec<Shingle> = words(text).map(|word| Shingle::of_word(word, asked)).collect();
        let size = SHINGLE.min(words.len()).max(1);
        Self { shingles: words.windows(size).map(Shingle::of).collect() }
    }
}

impl Shingle {
    fn of_word(word: &str, asked: &HashSet<String>) -> Self {
        let mut hasher = DefaultHasher::new();
        word.chars().flat_map(char::to_lowercase).for_each(|c| c.hash(&mut hasher));
        let tells = word.chars().any(|c| c.is_numeric() || c.is_uppercase())
            || stem(word).is_some_and(|stem| asked.contains(&stem));
        Self { hash: hasher.finish(), tells }
    }

    fn of(words: &[Self]) -> Self {
        let mut hasher = DefaultHasher::new();
        words.iter().for_each(|word| word.hash.hash(&mut hasher));
        Self { hash: hasher.finish(), tells: words.iter().any(|word| word.tells) }
    }
}

/// The stems of a text's words.
pub(super) fn stems(text: &str) -> HashSet<String> {
    words(text).filter_map(stem).collect()
}

/// The beginning of a word, without accents; a number or a code whole. None of words that say nothing.
fn stem(word: &str) -> Option<String> {
    let folded: String = folded(word).collect();
    if folded.contains(char::is_numeric) {
        return Some(folded);
    }
    let says_something =
        folded.chars().nth(SHORTEST_WORD - 1).is_some() || folded.chars().any(is_without_spaces);
    says_something.then(|| folded.chars().take(STEM).collect())
}

/// Runs of letters and digits; of scripts written without spaces, each character.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = rest.chars().next()?;
        let end = if is_without_spaces(first) {
            first.len_utf8()
        } else {
            rest.find(|c: char| !c.is_alphanumeric() || is_without_spaces(c)).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_single_characters_of_scripts_without_spaces() {
        let found: Vec<&str> = words(" Art. 5º-A, 東京は x2!").collect();
        assert_eq!(found, ["Art", "5º", "A", "東", "京", "は", "x2"]);
        assert_eq!(words("... --").count(), 0);
    }

    #[test]
    fn forms_of_a_word_have_one_stem_and_numbers_stay_whole() {
        assert_eq!(stems("Estágio"), stems("estagiários"));
        assert_eq!(stems("a de RDC50 123456"), stems("123456 rdc50 o"));
        assert!(stems("o a").is_empty());
    }

    #[test]
    fn numbers_names_and_words_of_the_question_tell() {
        let tells = |text: &str| Reading::of(text, &stems("o prazo?")).shingles[0].tells;
        assert!(tells("com Ana hoje") && tells("por 30 dias") && tells("seu prazo vence"));
        assert!(!tells("assim é tudo"));
        assert_eq!(Reading::of("", &HashSet::new()).shingles, []);
        assert_eq!(Reading::of("Um dois", &HashSet::new()).shingles.len(), 1);
    }
}
