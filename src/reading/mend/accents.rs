//! Accents of TeX back on their letters.
//!
//! TeX sets an accented letter of a seven-bit font as two glyphs, a spacing accent and a letter, so
//! PDFs of TeX documents hold `Produ¸c˜oes` for `Produções`.

use std::borrow::Cow;

/// Spacing accents: the mark, the combining mark it stands for, and the letters that carry it in
/// languages written with the Latin alphabet. ASCII's own (`^`, `~`, backtick) mean other things too often.
const ACCENTS: &[(char, char, &str)] = &[
    ('´', '\u{301}', "aeiouyAEIOUYı"),
    ('\u{2cb}', '\u{300}', "aeiouAEIOUı"),
    ('ˆ', '\u{302}', "aeiouAEIOUı"),
    ('˜', '\u{303}', "aonAON"),
    ('¨', '\u{308}', "aeiouyAEIOUYı"),
    ('¸', '\u{327}', "csCS"),
    ('ˇ', '\u{30c}', "cdenrszCDENRSZ"),
    ('˚', '\u{30a}', "auAU"),
    ('˘', '\u{306}', "agAG"),
    ('˝', '\u{30b}', "ouOU"),
    ('˛', '\u{328}', "aeAE"),
    ('˙', '\u{307}', "zIZ"),
];

/// Which side of a letter the accents of a document stand on, by its unambiguous cases.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Sides {
    before: usize,
    after: usize,
}

fn is_accent(c: char) -> bool {
    ACCENTS.iter().any(|(mark, _, _)| *mark == c)
}

fn compose(letter: char, combining: char) -> Option<char> {
    let letter = if letter == 'ı' { 'i' } else { letter };
    unicode_normalization::char::compose(letter, combining)
}

/// What an accent would make of its neighbours: `(letter before it, letter after it)`.
fn candidates(mark: char, before: Option<char>, after: Option<char>) -> (Option<char>, Option<char>) {
    let Some((_, combining, letters)) = ACCENTS.iter().find(|(accent, _, _)| *accent == mark) else {
        return (None, None);
    };
    let carry =
        |letter: Option<char>| letter.filter(|c| letters.contains(*c)).and_then(|c| compose(c, *combining));
    (carry(before), carry(after))
}

impl Sides {
    /// Counts the accents of a text that have a letter on one side only.
    pub fn observe(&mut self, text: &str) {
        if !text.contains(is_accent) {
            return;
        }
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            if is_accent(c) {
                match candidates(c, before, characters.peek().copied()) {
                    (Some(_), None) => self.after += 1,
                    (None, Some(_)) => self.before += 1,
                    _ => {}
                }
            }
            before = Some(c);
        }
    }
}

/// Joins each accent to the letter that it belongs to.
pub(super) fn join(text: &str, sides: Sides) -> Cow<'_, str> {
    if !text.contains(is_accent) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(mark) = characters.next() {
        if !is_accent(mark) {
            out.push(mark);
            continue;
        }
        // `a¸ c˜ao`: a space that the gap between two glyphs was taken for.
        let mut ahead = characters.clone();
        let spaced = ahead.next() == Some(' ') && out.ends_with(char::is_alphabetic);
        let after = if spaced { ahead.peek().copied() } else { characters.peek().copied() };
        let before = out.chars().next_back();
        match candidates(mark, before, after) {
            (Some(_), Some(composed)) if stands_before(mark, before, after, sides) && !spaced => {
                out.push(composed);
                characters.next();
            }
            (Some(composed), _) => {
                out.pop();
                out.push(composed);
            }
            (None, Some(composed)) => {
                out.push(composed);
                characters.next();
                if spaced {
                    characters.next();
                }
            }
            // An accent alone is kept: it may be what the text is about.
            (None, None) => out.push(mark),
        }
    }
    Cow::Owned(out)
}

/// Between two letters that could both carry it, an accent goes with the custom of the document; a
/// tilde in `a˜o` and `o˜e` is that of the endings -ão and -ões, and in `o˜a` that of João.
fn stands_before(mark: char, before: Option<char>, after: Option<char>, sides: Sides) -> bool {
    if mark == '˜' {
        let lower = |c: Option<char>| c.map(|c| c.to_ascii_lowercase());
        match (lower(before), lower(after)) {
            (Some('a'), Some('o')) => return false,
            (Some('o'), Some('a')) => return true,
            _ => {}
        }
    }
    sides.before >= sides.after
}

#[cfg(test)]
mod tests {
    use crate::reading::mend::mend;

    #[test]
    fn accents_return_to_their_letters() {
        let cases = [
            ("Produ¸c˜oes", "Produções"),
            ("a¸c˜ao", "ação"),
            ("informa¸co˜es", "informações"),
            ("informac¸a˜o", "informação"),
            ("informa¸c˜ao n˜ao", "informação não"),
            ("na˜o sa˜o m˜aes", "não são mães"),
            ("Jo˜ao, p˜ao e cora¸c˜oes", "João, pão e corações"),
            ("´e isso, voc^e", "é isso, voc^e"),
            ("voc\u{2c6}e", "você"),
            ("voce\u{2c6}", "você"),
            ("´ındice e ru´ıdo", "índice e ruído"),
            ("h´ıbrido, sa´ıda", "híbrido, saída"),
            ("Espa˜na", "España"),
            ("a\u{2cb}s vezes", "às vezes"),
            ("ling¨u´ıstica", "lingüística"),
            ("u´ltima pa´gina", "última página"),
            ("poe´tica e la´", "poética e lá"),
            ("´ultima p´agina po´etica", "última página poética"),
            ("Ho¨lder", "Hölder"),
            ("a¸ c˜ao", "ação"),
        ];
        for (broken, whole) in cases {
            assert_eq!(mend(broken), whole);
        }
    }

    #[test]
    fn what_is_not_an_accent_stays() {
        for text in ["a ~ b ^ c", "`code`", "don´t", "it´s", "5 ˜ 6", "~/dir", "x^2 + ñ"] {
            assert_eq!(mend(text), text);
        }
    }
}
