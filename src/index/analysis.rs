//! How text becomes terms.
//!
//! Two fields, both searched. Stemming before folding needs the accents ("declarações" -> "declaração"), which people
//! leave out when they type; folding alone matches what was typed without them but not inflections.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer, Token,
    TokenStream, Tokenizer,
};

use crate::words::is_without_spaces;

/// Longer runs of letters are encoded data, not words.
const LONGEST_TERM: usize = 80;

/// The stemmer for an ISO 639-1 code.
pub(super) fn language(code: Option<&str>) -> Option<Language> {
    Some(match code? {
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

/// Lower case, stop words out, stemmed, then folded. Without a known language: lower case and folded.
pub(super) fn stemmed(code: Option<&str>) -> TextAnalyzer {
    let plain = TextAnalyzer::builder(Words).filter(RemoveLongFilter::limit(LONGEST_TERM)).filter(LowerCaser);
    match language(code) {
        None => plain.filter(AsciiFoldingFilter).build(),
        Some(language) => match StopWordFilter::new(language) {
            Some(stop_words) => {
                plain.filter(stop_words).filter(Stemmer::new(language)).filter(AsciiFoldingFilter).build()
            }
            None => plain.filter(Stemmer::new(language)).filter(AsciiFoldingFilter).build(),
        },
    }
}

/// Lower case, stop words out, folded.
pub(super) fn folded(code: Option<&str>) -> TextAnalyzer {
    let plain = TextAnalyzer::builder(Words).filter(RemoveLongFilter::limit(LONGEST_TERM)).filter(LowerCaser);
    match language(code).and_then(StopWordFilter::new) {
        Some(stop_words) => plain.filter(stop_words).filter(AsciiFoldingFilter).build(),
        None => plain.filter(AsciiFoldingFilter).build(),
    }
}

/// Runs of letters and digits; scripts written without spaces give one term a character.
#[derive(Clone, Default)]
struct Words;

struct WordStream<'a> {
    text: &'a str,
    at: usize,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { text, at: 0, token: Token::default() }
    }
}

/// Marks that continue a word: combining accents, and vowel signs of Indic scripts and of Arabic.
fn continues(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(u32::from(c), 0x0300..=0x036F | 0x0610..=0x061A | 0x064B..=0x065F | 0x0900..=0x0DFF)
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some((skipped, first)) = rest.char_indices().find(|(_, c)| c.is_alphanumeric()) else {
            self.at = self.text.len();
            return false;
        };
        let from = self.at + skipped;
        let length = if is_without_spaces(first) {
            first.len_utf8()
        } else {
            let word = &self.text[from..];
            word.find(|c| !continues(c) || is_without_spaces(c)).unwrap_or(word.len())
        };
        self.at = from + length;
        self.token.text.clear();
        self.token.text.push_str(&self.text[from..self.at]);
        self.token.offset_from = from;
        self.token.offset_to = self.at;
        self.token.position = self.token.position.wrapping_add(1);
        true
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
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn terms(mut analyzer: TextAnalyzer, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        analyzer.token_stream(text).process(&mut |token| terms.push(token.text.clone()));
        terms
    }

    #[test]
    fn portuguese_inflections_meet_in_the_stemmed_field_and_bare_spelling_in_the_folded_one() {
        assert_eq!(terms(stemmed(Some("pt")), "declaração"), terms(stemmed(Some("pt")), "DECLARAÇÕES"));
        assert_eq!(terms(folded(Some("pt")), "Informação"), ["informacao"]);
        assert_eq!(terms(folded(Some("pt")), "de um Coração"), ["coracao"]);
    }

    /// Questions are read with accents folded by [`crate::words`], and searched with accents folded by tantivy.
    #[test]
    fn accents_are_folded_as_everywhere() {
        // In lower case `İ` is an `i` with a dot of its own.
        let letters = ('a'..='\u{17f}').filter(|c| c.is_alphabetic() && *c != 'İ');
        // Tantivy spells out letters of their own, such as `ß`; the others are those with accents.
        for letter in letters.filter(|c| c.to_string().nfd().count() > 1) {
            let ours: String = crate::words::folded(&letter.to_string()).collect();
            assert_eq!(terms(folded(None), &letter.to_string()), [ours], "{letter}");
        }
    }

    #[test]
    fn scripts_without_spaces_and_names_with_marks_are_searchable() {
        assert_eq!(terms(folded(None), "東京 2024 x-rag.toml"), ["東", "京", "2024", "x", "rag", "toml"]);
        assert_eq!(terms(stemmed(None), "Ünïcode CAFÉ"), ["unicode", "cafe"]);
    }
}
