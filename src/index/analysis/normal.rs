//! One spelling for what Unicode spells in several ways.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// A text with letters and accents composed, and compatibility forms (ligatures, full width, `№`) as plain ones. The
/// mark of an ordinal behind digits goes (`5º`), and what is raised or lowered stands apart (`m²`, `lei¹`).
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            'º' | 'ª' | '°' if before.is_ascii_digit() => plain.push(' '),
            '\u{00ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => continue,
            '‐' | '‑' | '−' => plain.push('-'),
            '²' | '³' | '¹' | '⁰'..='⁹' | '₀'..='₉' if !is_raised(before) => {
                plain.extend([RAISED, c])
            }
            _ => plain.push(c),
        }
        before = c;
    }
    Cow::Owned(plain.nfkc().collect())
}

/// Stands before digits that were raised or lowered. No text holds it: it is not a character.
pub(super) const RAISED: char = '\u{fdd0}';

fn is_raised(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '⁰'..='⁹' | '₀'..='₉')
}

/// A word in lower case without the accents of Latin letters. Letters of their own are spelled out.
pub(super) fn folded(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for c in word.chars().flat_map(char::to_lowercase) {
        match c {
            _ if c.is_ascii() => folded.push(c),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'þ' => folded.push_str("th"),
            '\u{0300}'..='\u{036f}' => {}
            '\u{00c0}'..='\u{024f}' | '\u{1e00}'..='\u{1eff}' => folded.extend(c.nfd().take(1)),
            _ => folded.push(c),
        }
    }
    folded
}
