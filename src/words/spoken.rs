//! In which languages a few words may be written.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::folded;
use super::stop_words::{LANGUAGES, stop_words};

/// Fewer stop words than this of the likeliest language say nothing against another one.
const TELLING: usize = 2;

/// Stop words by language, with those that are typed without accents.
static SETS: LazyLock<Vec<(&'static str, HashSet<String>)>> = LazyLock::new(|| {
    let all = |language| stop_words(language).unwrap_or_default();
    let both = |word: &&str| [(*word).to_owned(), folded(word).collect()];
    LANGUAGES.iter().map(|language| (*language, all(language).iter().flat_map(both).collect())).collect()
});

/// Whether the stop words of a language are known well.
pub fn has_stop_words(language: &str) -> bool {
    LANGUAGES.contains(&language)
}

/// Whether a word in lower case is a stop word of a language that is known well.
pub fn is_stop_word(language: &str, word: &str) -> bool {
    SETS.iter().any(|(known, set)| *known == language && set.contains(word))
}

/// What a few words say of the language that they are in.
#[derive(Debug)]
pub struct Spoken {
    /// Stop words among them, in the order of [`LANGUAGES`].
    counts: Vec<usize>,
}

/// Counts the stop words of each language that is known well among words in lower case.
pub fn spoken(words: &[&str]) -> Spoken {
    let count = |set: &HashSet<String>| words.iter().filter(|word| set.contains(**word)).count();
    Spoken { counts: SETS.iter().map(|(_, set)| count(set)).collect() }
}

impl Spoken {
    /// The stop words of the likeliest language.
    fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or_default()
    }

    fn count(&self, language: &str) -> Option<usize> {
        let at = LANGUAGES.iter().position(|known| *known == language)?;
        self.counts.get(at).copied()
    }

    /// Whether the words may be of a language: not where another one has more than twice its stop words among them.
    pub fn may_be(&self, language: &str) -> bool {
        let (most, own) = (self.most(), self.count(language));
        most < TELLING || own.is_none_or(|own| 2 * own >= most)
    }

    /// Whether there are stop words enough to show a language.
    pub fn tells(&self) -> bool {
        self.most() >= TELLING
    }

    /// Whether a word says nothing of its own in one of the languages that these words are likeliest of.
    pub fn is_stop(&self, word: &str) -> bool {
        let most = self.most();
        let likeliest = |(n, _): &(usize, &(&str, HashSet<String>))| self.counts.get(*n) == Some(&most);
        most > 0 && SETS.iter().enumerate().filter(likeliest).any(|(_, (_, set))| set.contains(word))
    }

    /// Whether no language has more of its stop words among them than this one.
    pub fn is_likeliest(&self, language: &str) -> bool {
        self.most() >= TELLING && self.count(language) == Some(self.most())
    }

    /// The likeliest of the languages that are known well, where it stands alone.
    pub fn language(&self) -> Option<&'static str> {
        let most = self.most();
        let mut likeliest = LANGUAGES.iter().zip(&self.counts).filter(|(_, count)| **count == most);
        match (likeliest.next(), likeliest.next()) {
            (Some((language, _)), None) if most >= TELLING => Some(language),
            _ => None,
        }
    }
}
