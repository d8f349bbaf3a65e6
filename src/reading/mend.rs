//! Repairs to characters that extraction leaves behind, the same for every format.

mod accents;

use unicode_normalization::UnicodeNormalization;

use self::accents::Sides;
use super::document::{BlockKind, Extracted};
use super::lines::has_leaders;

/// Mends every text of a document; what becomes empty stays, as an empty text.
pub fn mend_document(document: &mut Extracted) {
    let mut sides = Sides::default();
    for block in &document.blocks {
        sides.observe(&block.text);
    }
    for block in &mut document.blocks {
        let text = mend_with(&block.text, sides);
        block.text = match block.kind {
            BlockKind::Code => text.trim_matches('\n').trim_end().to_owned(),
            BlockKind::Heading(_) => tidy_spaces(&text).replace('\n', " "),
            _ => tidy_spaces(&without_leaders(&text)),
        };
    }
    if let Some(title) = &mut document.title {
        *title = tidy_spaces(&mend_with(title, sides)).replace('\n', " ");
    }
}

/// Mends one text by itself.
#[cfg(test)]
fn mend(text: &str) -> String {
    let mut sides = Sides::default();
    sides.observe(text);
    mend_with(text, sides)
}

fn mend_with(text: &str, sides: Sides) -> String {
    let text = accents::join(text, sides);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.nfc().peekable();
    while let Some(c) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let in_word = before.is_alphabetic() || after.is_alphabetic();
        match c {
            'ﬀ' => out.push_str("ff"),
            'ﬁ' => out.push_str("fi"),
            'ﬂ' => out.push_str("fl"),
            'ﬃ' => out.push_str("ffi"),
            'ﬄ' => out.push_str("ffl"),
            'ﬅ' | 'ﬆ' => out.push_str("st"),
            // The ligatures of TeX's T1 fonts, where a PDF maps their codes to themselves.
            '\u{1b}' if in_word => out.push_str("ff"),
            '\u{1c}' if in_word => out.push_str("fi"),
            '\u{1d}' if in_word => out.push_str("fl"),
            '\u{1e}' if in_word => out.push_str("ffi"),
            '\u{1f}' if in_word => out.push_str("ffl"),
            '\n' | '\t' => out.push(c),
            '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{a0}' | '\u{202f}' | '\u{2007}' | '\u{b}' | '\u{c}' => out.push(' '),
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{200e}' | '\u{200f}' => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}' => {}
            // Bullets of symbol fonts; what else is in private use means nothing outside its font.
            '\u{f0b7}' | '\u{f0a7}' | '\u{f0d8}' => out.push('•'),
            '\u{e000}'..='\u{f8ff}' => {}
            '\u{fffe}' | '\u{ffff}' | '\u{fff9}'..='\u{fffb}' => {}
            _ if c.is_control() => {}
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// The dots that lead to a page number say nothing.
fn without_leaders(text: &str) -> String {
    if !has_leaders(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('.') {
        let run = rest[at..].find(|c: char| c != '.' && c != ' ').unwrap_or(rest.len() - at);
        let dots = rest[at..at + run].bytes().filter(|byte| *byte == b'.').count();
        if dots >= 4 {
            out.push_str(rest[..at].trim_end());
            out.push_str(" … ");
        } else {
            out.push_str(&rest[..at + run]);
        }
        rest = &rest[at + run..];
    }
    out.push_str(rest);
    out.trim_end().to_owned()
}

/// One space where there were several, none at the ends of lines.
fn tidy_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let start = out.len();
        for word in line.split_whitespace() {
            if out.len() > start {
                out.push(' ');
            }
            out.push_str(word);
        }
        if out.len() > start {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ligatures_controls_and_spaces() {
        let cases = [
            ("eﬀect ﬁnd ﬂow oﬃce baﬄe ﬅ ﬆ", "effect find flow office baffle st st"),
            ("\u{1c}nalizar, re\u{1d}exo", "finalizar, reflexo"),
            ("in\u{ad}visible\u{200b} \u{feff}marks", "invisible marks"),
            ("nul\0 bell\u{7} c1\u{85}x", "nul bell c1x"),
            ("a\u{a0}b", "a b"),
            ("cafe\u{301} c\u{327}a", "café ça"),
            ("line\nline\tx", "line\nline\tx"),
        ];
        for (broken, whole) in cases {
            assert_eq!(mend(broken), whole);
        }
    }

    #[test]
    fn leaders_are_folded() {
        let cases = [
            ("1 Introdução . . . . . . . . . 1", "1 Introdução … 1"),
            ("2 Instalação........9", "2 Instalação … 9"),
            ("Espere... já vou. E. B. White", "Espere... já vou. E. B. White"),
        ];
        for (text, folded) in cases {
            assert_eq!(without_leaders(text), folded);
        }
    }

    #[test]
    fn space_is_tidied_except_in_code() {
        use crate::reading::document::{Block, BlockKind};
        let mut document = Extracted {
            format: crate::reading::Format::Text,
            title: Some("  a \n b ".into()),
            blocks: vec![
                Block::new(BlockKind::Paragraph, " a   b \n\n  c "),
                Block::new(BlockKind::Code, "\n  if x:\n      y  \n"),
            ],
            pages: None,
        };
        mend_document(&mut document);
        assert_eq!(document.title.as_deref(), Some("a b"));
        assert_eq!(document.blocks[0].text, "a b\nc");
        assert_eq!(document.blocks[1].text, "  if x:\n      y");
    }
}
