//! Strangers' text made harmless: it holds neither our own delimiters nor control tokens of a chat template.
//!
//! Whatever could be read as an opening or closing `passage` tag loses its `<`, and a space breaks what a tokenizer
//! could take for one token (`< |im_end|>`, `[ INST]`). A person and a model still read what stood there.

use std::borrow::Cow;

use super::control_tokens::break_in;
use super::letters::{is_less, is_unseen, plain, spelled};

const DELIMITER: &str = "passage";
/// Characters within which a tag's name has to be spelled.
const LONGEST_SPELLING: usize = 64;

/// The text as it may stand in a prompt; itself, without a copy, where there is nothing to break.
pub(super) fn disarmed(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    // Of a run of characters without a letter: where it ends, and whether a tag's name follows it.
    let (mut run_end, mut is_delimiter) = (0, false);
    for at in openers(text) {
        let c = text[at..].chars().next().unwrap_or_default();
        if is_unseen(c) {
            continue;
        }
        let mut delimits = false;
        if is_less(c) {
            if at >= run_end {
                run_end = next_letter(text, at + c.len_utf8());
                is_delimiter = spells_delimiter(&text[run_end..]);
            }
            delimits = is_delimiter;
        }
        if delimits {
            out.push_str(&text[copied..at]);
            out.push_str("&lt;");
            copied = at + c.len_utf8();
        } else if let Some(place) =
            break_in(&text[at..]).map(|place| at + place).filter(|place| *place > copied)
        {
            out.push_str(&text[copied..place]);
            out.push(' ');
            copied = place;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Where characters stand that may open a delimiter or a token. Most text has none, so its bytes are looked through.
fn openers(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter_map(move |(at, byte)| {
        let next = bytes.get(at + 1).copied().unwrap_or_default();
        let opens = match byte {
            b'<' | b'[' => true,
            // In tables, links and paths these are common, and what follows tells quickly.
            b']' => matches!(next, b'~' | b'!' | b'<') || !next.is_ascii_graphic(),
            b'>' | b'|' => next == *byte || !next.is_ascii_graphic(),
            b'/' => matches!(next, b'n' | b'N') || !next.is_ascii_graphic(),
            // First bytes of the characters that look like one of these.
            0xc7 | 0xcb | 0xd7 | 0xe1 | 0xe2 | 0xe3 | 0xef | 0xf0 => true,
            _ => false,
        };
        opens.then_some(at)
    })
}

/// Where the next letter or digit begins; marks over others are none.
fn next_letter(text: &str, from: usize) -> usize {
    let mut characters = text[from..].char_indices();
    let letter = characters.find(|(_, c)| !is_unseen(*c) && plain(*c).is_alphanumeric());
    letter.map_or(text.len(), |(at, _)| from + at)
}

/// Whether the letters here, whatever stands between them, begin like the name of our delimiter.
fn spells_delimiter(text: &str) -> bool {
    let seen = text.chars().filter(|c| !is_unseen(*c)).take(LONGEST_SPELLING).flat_map(spelled);
    let letters = seen.filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase());
    letters.take(DELIMITER.len()).eq(DELIMITER.chars())
}

#[cfg(test)]
#[path = "disarm_tests.rs"]
mod tests;
