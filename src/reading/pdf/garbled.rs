//! Text whose characters are not those that the page shows.
//!
//! A font without a map to Unicode gives its own codes: control characters, private use characters,
//! or letters shifted along the alphabet.

use crate::reading::document::Block;
use crate::reading::error::{ExtractError, ExtractErrorKind};

/// The share of characters without meaning above which a text is of no use.
const MAX_MEANINGLESS: f32 = 0.2;
/// In any language with Latin letters about two letters of five are vowels; codes and formulas have fewer.
const MIN_VOWELS: f32 = 0.17;
/// Fewer letters than this say nothing about their frequency.
const ENOUGH_LETTERS: usize = 150;

/// Refuses text that nobody could read.
pub(super) fn check(blocks: &[Block]) -> Result<(), ExtractError> {
    if is_garbled(blocks.iter().map(|block| block.text.as_str())) {
        return Err(ExtractError::new(
            ExtractErrorKind::GarbledText,
            "The fonts of the PDF do not say which characters they show, so its text comes out as nonsense. Export it \
             again from where it was made, or run it through OCR (for example `ocrmypdf --force-ocr in.pdf out.pdf`).",
        ));
    }
    Ok(())
}

fn is_garbled<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let (mut visible, mut meaningless, mut latin, mut vowels) = (0_usize, 0_usize, 0_usize, 0_usize);
    for c in texts.flat_map(str::chars).filter(|c| !c.is_whitespace()) {
        visible += 1;
        let none = c.is_control() || c == '\u{fffd}' || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
        meaningless += usize::from(none);
        if c.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&c) {
            latin += 1;
            // Beyond ASCII nearly every letter of Latin-1 is a vowel with an accent.
            vowels += usize::from("aeiouyAEIOUY".contains(c) || (!c.is_ascii() && !"çÇñÑß".contains(c)));
        }
    }
    // The ligatures of TeX are control characters too, but few.
    let nonsense = meaningless as f32 > visible as f32 * MAX_MEANINGLESS;
    let no_words =
        latin >= ENOUGH_LETTERS && latin * 2 > visible && (vowels as f32) < latin as f32 * MIN_VOWELS;
    nonsense || no_words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_from_language() {
        let portuguese =
            "A instalação de um sistema operativo é simples quando a máquina já foi preparada. ".repeat(5);
        let code = "for (i = 0; i < len; i++) { buf[i] = str[i]; printf(\"%d\\n\", cnt); } ".repeat(5);
        let japanese = "これは日本語の文章です。".repeat(20);
        for text in [portuguese.as_str(), &code, &japanese, "x = 1", "BCD"] {
            assert!(!is_garbled([text].into_iter()), "{text}");
        }
        // Glyph numbers of TrueType fonts are often those of the characters less 29.
        let shifted: String = portuguese
            .chars()
            .map(|c| {
                if c.is_ascii_lowercase() {
                    (c as u8 - 29) as char
                } else if c.is_ascii() {
                    c
                } else {
                    '¶'
                }
            })
            .collect();
        let private: String =
            portuguese.chars().map(|c| char::from_u32(0xf000 + c as u32 % 0x100).unwrap_or(c)).collect();
        let missing = "\u{fffd}\u{fffd} a \u{fffd}\u{fffd}".repeat(10);
        for text in [shifted.as_str(), &private, &missing] {
            assert!(is_garbled([text].into_iter()), "{text}");
        }
    }
}
