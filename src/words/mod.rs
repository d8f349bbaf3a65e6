//! The words and sentences of any text.

mod asked;
mod sentences;
mod spoken;
mod stop_words;
mod tongue;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub use asked::asked;
pub use sentences::sentences;
pub use spoken::{Spoken, has_stop_words, is_stop_word, spoken};
pub use tongue::is_in;

/// A text in lower case without accents. Letters of their own, as `ø` and `ß`, stay.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase)
}

/// A text on one line, with one space in place of each run of them.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text: as many whole characters as these bytes hold.
pub fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rfind(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

/// The end of a text: as many whole characters as these bytes hold.
pub fn end(text: &str, bytes: usize) -> &str {
    let from = (text.len().saturating_sub(bytes)..text.len()).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(text.len())..]
}

/// Tells whether a character is of a script that is written without spaces: Thai, Lao, Burmese, Khmer, Chinese,
/// Japanese. What looks like one word may be a whole sentence.
pub fn is_without_spaces(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF
        | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_whole_characters() {
        for (bytes, expected) in [(0, ""), (1, ""), (2, "é"), (3, "éa"), (9, "éa")] {
            assert_eq!(beginning("éa", bytes), expected);
        }
        assert_eq!(one_line(" a\t b\r\n\nc "), "a b c");
    }

    #[test]
    fn accents_are_folded_and_letters_of_their_own_stay() {
        for (text, expected) in
            [("Declarações, ÀS 9h", "declaracoes, as 9h"), ("Ünïcode ø ß", "unicode ø ß"), ("Ёлка", "елка")]
        {
            assert_eq!(folded(text).collect::<String>(), expected);
        }
    }
}
