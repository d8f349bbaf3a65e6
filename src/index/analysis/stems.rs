//! The stems of a language's words.

use tantivy::tokenizer::{Language, Stemmer, StopWordFilter, TextAnalyzer, TokenStream};

use super::placed::Placed;
use super::{normal, plurals};
use crate::words::{has_stop_words, is_stop_word};

/// The stemmer for an ISO 639-1 code.
fn stemmer(code: &str) -> Option<Language> {
    Some(match code {
        "ar" => Language::Arabic,
        "da" => Language::Danish,
        "de" => Language::German,
        "el" => Language::Greek,
        "en" => Language::English,
        "es" => Language::Spanish,
        "fi" => Language::Finnish,
        "fr" => Language::French,
        "hu" => Language::Hungarian,
        "it" => Language::Italian,
        "nl" => Language::Dutch,
        "no" => Language::Norwegian,
        "pt" => Language::Portuguese,
        "ro" => Language::Romanian,
        "ru" => Language::Russian,
        "sv" => Language::Swedish,
        "ta" => Language::Tamil,
        "tr" => Language::Turkish,
        _ => return None,
    })
}

/// The code, where its words have stems.
pub(super) fn known(code: &str) -> Option<&str> {
    stemmer(code).map(|_| code)
}

/// What makes stems of the words of one language, or leaves them as they are where it is none that is known.
pub(super) struct Stems {
    mark: String,
    language: Option<(String, TextAnalyzer)>,
}

impl Stems {
    pub fn of(code: Option<&str>) -> Self {
        let code = code.and_then(known);
        let language = code.and_then(|code| {
            let language = stemmer(code)?;
            let words = TextAnalyzer::builder(Placed);
            let analyzer = match StopWordFilter::new(language).filter(|_| !has_stop_words(code)) {
                Some(others) => words.filter(others).filter(Stemmer::new(language)).build(),
                None => words.filter(Stemmer::new(language)).build(),
            };
            Some((code.to_owned(), analyzer))
        });
        Self { mark: format!("{}:", code.unwrap_or_default()), language }
    }

    /// Whether a word in lower case says nothing of its own.
    pub fn is_stop(&self, word: &str) -> bool {
        self.language.is_some() && self.of_words(&[word]).is_empty()
    }

    /// The stems of words in lower case that are no stop words, each marked with the language.
    pub fn of_words(&self, words: &[&str]) -> Vec<String> {
        let marked = |stem: &str| format!("{}{}", self.mark, normal::folded(stem));
        let Some((code, analyzer)) = &self.language else {
            return words.iter().map(|word| marked(word)).collect();
        };
        let mut text = String::new();
        for word in words.iter().filter(|word| !is_stop_word(code, word)) {
            text.push_str(&plurals::singular(word, code).unwrap_or_else(|| (*word).to_owned()));
            text.push(' ');
        }
        let mut stems = Vec::new();
        analyzer.clone().token_stream(&text).process(&mut |token| stems.push(marked(&token.text)));
        stems
    }
}
