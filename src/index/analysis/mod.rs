//! How text becomes terms.
//!
//! A chunk has two kinds of terms, each in a field of its own:
//! - **folded**: each word in lower case without accents, with its position; and beside the words what is written in one
//!   piece (`rdc-50/2002`, `c++`, an address) and labels with their numbers (`art. 5`). They are of no language.
//! - **stems** of the document's language, marked with it, without stop words. Stemming before folding needs the accents
//!   ("declarações" -> "declaração"), which people leave out when they type; there the folded words answer.
//!
//! Words with digits are codes and numbers, and have no stem.

mod cutting;
mod normal;
pub(super) mod placed;
mod plurals;
mod stems;

use std::collections::BTreeSet;

use crate::words::has_stop_words;
pub(super) use cutting::Kind;
use cutting::Piece;
use stems::Stems;

/// A folded word or piece, and at which word of the text it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub text: String,
    pub at: usize,
    pub kind: Kind,
}

/// A text's terms.
#[derive(Debug, Default)]
pub(super) struct Analysed {
    /// In the order of their places.
    pub folded: Vec<Folded>,
    /// Marked with the language.
    pub stems: Vec<String>,
}

/// The terms of a text in a language.
pub(super) fn analyse(text: &str, language: Option<&str>) -> Analysed {
    let pieces = cutting::cut(&normal::normal(text));
    let words: Vec<&str> =
        pieces.iter().filter(|piece| has_stem(piece)).map(|piece| piece.text.as_str()).collect();
    let stems = Stems::of(language).of_words(&words);
    let mut folded: Vec<Folded> = pieces.iter().map(folded).collect();
    // What is written in one piece stands where its first word stands.
    folded.sort_by_key(|folded| folded.at);
    Analysed { folded, stems }
}

/// What marks the stems of a language: its code where its words have stems, else nothing.
pub(super) fn mark(language: Option<&str>) -> &str {
    language.and_then(stems::known).unwrap_or_default()
}

fn has_stem(piece: &Piece) -> bool {
    piece.kind == Kind::Word && !piece.text.contains(|c: char| c.is_ascii_digit())
}

fn folded(piece: &Piece) -> Folded {
    Folded { text: normal::folded(&piece.text), at: piece.at, kind: piece.kind }
}

/// A word or piece of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub folded: Folded,
    /// Its stem in each language in which it is no stop word.
    pub stems: Vec<String>,
    /// Whether it is a word with digits, which has no stem in any language.
    pub has_digits: bool,
    /// Whether it is a part of what the question has in one piece.
    pub part: bool,
    /// Whether it says nothing of its own in the languages in which the question may be.
    pub stop: bool,
}

/// The words of a question over documents whose stems have these marks.
pub(super) fn ask(text: &str, languages: &BTreeSet<String>) -> Vec<Asked> {
    let pieces = cutting::cut(&normal::normal(text));
    let words: Vec<&str> =
        pieces.iter().filter(|piece| piece.kind == Kind::Word).map(|piece| piece.text.as_str()).collect();
    let spoken = crate::words::spoken(&words);
    let possible = || languages.iter().filter(|language| spoken.may_be(language));
    let stems: Vec<Stems> = possible().map(|language| Stems::of(Some(language))).collect();
    // Where a question shows its language, "war" is no German.
    let is_shown = spoken.language().is_some();
    let with_stops: Vec<&Stems> = possible()
        .zip(&stems)
        .filter(|(language, _)| !is_shown || has_stop_words(language))
        .map(|(_, stems)| stems)
        .collect();
    // One stop word of another language than the documents' shows no other language: "sea level", "síndrome de Down".
    let other = spoken.tells() || !languages.iter().all(|language| has_stop_words(language));
    let asked = |piece: &Piece| {
        let stop = piece.kind == Kind::Word
            && ((other && spoken.is_stop(&piece.text)) || with_stops.iter().any(|s| s.is_stop(&piece.text)));
        let stems = match !stop && has_stem(piece) {
            true => stems.iter().flat_map(|stems| stems.of_words(&[&piece.text])).collect(),
            false => Vec::new(),
        };
        Asked { folded: folded(piece), stems, has_digits: !has_stem(piece), part: false, stop }
    };
    let mut all: Vec<Asked> = pieces.iter().map(asked).collect();
    // The parts of a piece stand before it.
    for whole in 0..pieces.len() {
        if matches!(pieces[whole].kind, Kind::Code | Kind::Joined) {
            let parts = all[..whole].iter_mut().rev().take_while(|word| word.folded.at >= pieces[whole].at);
            parts.filter(|word| word.folded.kind == Kind::Word).for_each(|word| word.part = true);
        }
    }
    all
}

#[cfg(test)]
mod tests;
