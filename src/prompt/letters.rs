//! Characters as a tokenizer or a reader may take them: what is not seen, what is folded to ASCII, what looks like it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

/// Whether a character is not seen, or is written over the one before it, so that a normaliser may drop it.
pub(super) fn is_unseen(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        _ if c.is_ascii() => c.is_control(),
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' => true,
        '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        _ => is_combining_mark(c),
    }
}

/// The characters that a normaliser makes of this one; ASCII for what looks like it.
pub(super) fn spelled(c: char) -> impl Iterator<Item = char> {
    std::iter::once(c).nfkd().filter(|c| !is_unseen(*c)).map(looks_like)
}

/// The first of them.
pub(super) fn plain(c: char) -> char {
    if c.is_ascii() { c } else { spelled(c).next().unwrap_or(c) }
}

fn looks_like(c: char) -> char {
    match c {
        _ if c.is_ascii() => return c,
        // Between the words of tokens, in place of `_` (DeepSeek, Seed-Coder).
        '\u{2581}' => return '_',
        _ => {}
    }
    let mut one = [0; 4];
    let looks = skeleton(c.encode_utf8(&mut one)).find(|c| !is_unseen(*c));
    looks.filter(char::is_ascii).unwrap_or(c)
}

/// `<`, and characters that are folded to it or look like it.
pub(super) fn is_less(c: char) -> bool {
    matches!(
        c,
        '<' | '\u{ff1c}' | '\u{fe64}' | '\u{226e}' // folded
            | '\u{2039}' | '\u{27e8}' | '\u{3008}' | '\u{2329}' | '\u{276e}' | '\u{2c2}' | '\u{1438}' | '\u{16b2}'
            | '\u{1d236}'
    )
}

/// `>`, and characters that are folded to it or look like it.
pub(super) fn is_greater(c: char) -> bool {
    matches!(
        c,
        '>' | '\u{ff1e}' | '\u{fe65}' | '\u{226f}' // folded
            | '\u{203a}' | '\u{27e9}' | '\u{3009}' | '\u{232a}' | '\u{276f}' | '\u{2c3}' | '\u{1433}' | '\u{16f3f}'
            | '\u{1d237}'
    )
}

/// `|`, and characters that are folded to it or look like it. DeepSeek's own tokens have the wide one.
pub(super) fn is_bar(c: char) -> bool {
    matches!(
        c,
        '|' | '\u{ff5c}'
            | '\u{ffe8}'
            | '\u{2502}'
            | '\u{2223}'
            | '\u{2758}'
            | '\u{23d0}'
            | '\u{1c0}'
            | '\u{5c0}'
    )
}

/// `/`, and characters that are folded to it or look like it.
pub(super) fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\u{ff0f}' | '\u{2044}' | '\u{2215}' | '\u{29f8}')
}

/// `[`, and characters that are folded to it.
pub(super) fn is_open(c: char) -> bool {
    matches!(c, '[' | '\u{ff3b}' | '\u{fe47}')
}

/// `]`, and characters that are folded to it.
pub(super) fn is_close(c: char) -> bool {
    matches!(c, ']' | '\u{ff3d}' | '\u{fe48}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_folded_or_looks_alike_is_plain() {
        for (text, ascii) in [
            ("раѕѕаɡе", "passage"),
            ("ｐａｓｓａｇｅ", "passage"),
            ("𝐈𝐍𝐒𝐓", "INST"),
            ("ſ＿／", "s_/"),
            ("ﬁ㎩é", "fiPae"),
        ] {
            assert_eq!(text.chars().flat_map(spelled).collect::<String>(), ascii);
        }
        assert_eq!("日本é".chars().map(plain).collect::<String>(), "日本e");
        assert!("\u{200b}\u{ad}\u{345}\u{301}\u{fe0f}\0\u{e0041}".chars().all(is_unseen));
        assert!(!"a \n\t<".chars().any(is_unseen));
    }
}
