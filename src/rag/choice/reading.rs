//! The words of a text, as they are compared with those of a question and of other texts.

use std::collections::HashMap;

use crate::rag::followup::words;
use crate::words::{folded, is_without_spaces};

/// Words that share so many letters at their beginning are taken for forms of one word.
const STEM: usize = 5;
/// Shorter words are articles and the like in the languages written with spaces.
const SHORTEST_WORD: usize = 3;
/// Words of a question that are looked for.
const MOST_ASKED: usize = 64;
/// Words in a shingle.
const SHINGLE: usize = 3;

/// The words of a question that say what it asks about.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The number of each stem.
    stems: HashMap<String, usize>,
    /// The letters and digits that they begin with, as far as those are ASCII: a bit each.
    initials: u128,
}

/// Some of a question's words, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(u64);

/// What a text has of a question's words.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub all: Words,
    /// In each of its sentences.
    pub sentences: Vec<Words>,
}

/// A text as its shingles: each run of [`SHINGLE`] words.
pub(super) struct Shingles(pub Vec<Shingle>);

/// A few words in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shingle {
    /// Of their letters in lower case.
    pub hash: u64,
    /// Whether a number, a name or a word of the question is among them.
    pub tells: bool,
}

impl Words {
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..MOST_ASKED).filter(move |number| self.0 >> number & 1 == 1)
    }
}

impl Asked {
    pub fn of(question: &str) -> Self {
        let mut stems = HashMap::new();
        let mut initials = 0;
        for word in words(question).iter().filter(|word| word.says_something()) {
            // The folded word may hold several of scripts without spaces.
            for (word, _) in runs(&word.folded) {
                let number = stems.len();
                if number < MOST_ASKED
                    && let Some(stem) = stem(word, &mut String::new())
                {
                    initials |= stem.bytes().next().map_or(0, bit);
                    stems.entry(stem.to_owned()).or_insert(number);
                }
            }
        }
        Self { stems, initials }
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.stems.len()
    }

    /// The number of the word of the question that a word is a form of. `room` is written over.
    fn number(&self, word: &str, room: &mut String) -> Option<usize> {
        // Most words begin with another letter, and need not be folded. Folding leaves ASCII as it is.
        let first = word.bytes().next()?.to_ascii_lowercase();
        if first.is_ascii() && self.initials & bit(first) == 0 {
            return None;
        }
        self.stems.get(stem(word, room)?).copied()
    }

    /// Looks for the question's words in a text.
    pub fn said_by(&self, text: &str) -> Said {
        let mut said = Said::default();
        let mut room = String::new();
        for (word, begins) in runs(text) {
            if begins || said.sentences.is_empty() {
                said.sentences.push(Words::default());
            }
            let Some(number) = self.number(word, &mut room) else { continue };
            let found = Words(1 << number);
            said.all = said.all.and(found);
            if let Some(sentence) = said.sentences.last_mut() {
                *sentence = sentence.and(found);
            }
        }
        said
    }

    /// Reads a text to compare it with others.
    pub fn shingles(&self, text: &str) -> Shingles {
        let mut room = String::new();
        let words: Vec<Shingle> = runs(text)
            .map(|(word, _)| {
                let hash =
                    word.chars().flat_map(char::to_lowercase).fold(START, |hash, c| mixed(hash, c.into()));
                let tells = word.chars().any(|c| c.is_numeric() || c.is_uppercase())
                    || self.number(word, &mut room).is_some();
                Shingle { hash, tells }
            })
            .collect();
        let size = SHINGLE.min(words.len()).max(1);
        Shingles(words.windows(size).map(Shingle::of).collect())
    }
}

impl Shingle {
    fn of(words: &[Self]) -> Self {
        let hash = words.iter().fold(START, |hash, word| mixed(hash, word.hash));
        Self { hash, tells: words.iter().any(|word| word.tells) }
    }
}

/// The bit of an ASCII character; none of another byte.
fn bit(byte: u8) -> u128 {
    1u128.checked_shl(byte.into()).unwrap_or(0)
}

/// Where a hash begins: FNV's numbers.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// A hash with one more value in it. It is quick, and collisions can be made on purpose: whoever can have a text left out by
/// one can do so by repeating that text.
fn mixed(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x0100_0000_01b3);
    mixed ^ (mixed >> 29)
}

/// The beginning of a word, without accents; a number or a code whole. None of words that say nothing. `room` is written
/// over.
fn stem<'a>(word: &str, room: &'a mut String) -> Option<&'a str> {
    room.clear();
    match word.is_ascii() {
        true => room.extend(word.chars().map(|c| c.to_ascii_lowercase())),
        false => room.extend(folded(word)),
    }
    if room.contains(char::is_numeric) {
        return Some(room);
    }
    if room.chars().nth(SHORTEST_WORD - 1).is_none() && !room.chars().any(is_without_spaces) {
        return None;
    }
    let end = room.char_indices().nth(STEM).map_or(room.len(), |(at, _)| at);
    Some(&room[..end])
}

/// Runs of letters and digits, and of scripts written without spaces each character; and whether a sentence or a line
/// begins with it.
fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find(char::is_alphanumeric)?;
        let (gap, word) = rest.split_at(at);
        let first = word.chars().next()?;
        let end = if is_without_spaces(first) {
            first.len_utf8()
        } else {
            word.find(|c: char| !c.is_alphanumeric() || is_without_spaces(c)).unwrap_or(word.len())
        };
        let (word, after) = word.split_at(end);
        rest = after;
        Some((word, ends_sentence(gap)))
    })
}

/// Whether a sentence, a part of one or a line ends in what stands between two words.
fn ends_sentence(gap: &str) -> bool {
    let mut marked = false;
    for c in gap.chars() {
        match c {
            '\n' | '。' | '！' | '？' => return true,
            '.' | '!' | '?' | ';' | ':' => marked = true,
            c if c.is_whitespace() && marked => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_single_characters_of_scripts_without_spaces() {
        let found: Vec<&str> = runs(" Art. 5º-A, 東京は x2!").map(|(word, _)| word).collect();
        assert_eq!(found, ["Art", "5º", "A", "東", "京", "は", "x2"]);
        assert_eq!(runs("... --").count(), 0);
        let begin: Vec<bool> = runs("Um 3.5 e dois. Três; quatro\ncinco").map(|(_, begins)| begins).collect();
        assert_eq!(begin, [false, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_question_is_what_it_asks_about() {
        let asked = Asked::of("Qual é o prazo de matrícula, e quanto custa o RDC50?");
        let said = asked.said_by("As matrículas. O prazo do rdc50 é de 5 dias.");
        assert_eq!((asked.len(), said.sentences.len(), said.all.numbers().count()), (4, 2, 3));
        assert_eq!(said.sentences[1].without(said.sentences[0]), said.sentences[1]);
        assert_eq!(Asked::of("o que é?").len(), 0);
        assert_eq!(Asked::of("東京").len(), 2);
        let long: String = (0..200).map(|n| format!("w{n} ")).collect();
        let asked = Asked::of(&long);
        assert_eq!((asked.len(), asked.said_by(&long).all.numbers().count()), (MOST_ASKED, MOST_ASKED));
    }

    #[test]
    fn numbers_names_and_words_of_the_question_tell() {
        let tells = |text: &str| Asked::of("o prazo?").shingles(text).0[0].tells;
        assert!(tells("com Ana hoje") && tells("por 30 dias") && tells("seus prazos vencem"));
        assert!(!tells("assim é tudo"));
        assert_eq!(Asked::default().shingles("").0, []);
        assert_eq!(Asked::default().shingles("Um dois").0.len(), 1);
    }
}
