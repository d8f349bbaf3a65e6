//! A text into its words, and into what is written in one piece: codes, addresses, numbers, names of programs.

use super::normal::{RAISED, folded};
use crate::words::is_without_spaces;

/// Longer runs of letters are encoded data, not words.
const LONGEST: usize = 80;
/// Of longer pieces, only the words are terms.
const LONGEST_JOINED: usize = 400;
/// Marks that may join words to one piece.
const JOINS: &[char] = &['.', '-', '/', '\\', '_', '@', '+', '#', ':', '&', ',', '=', '~', '%'];
/// Marks between pieces that are each a piece of their own: of a path, an address, an assignment.
const PARTS: &[char] = &['/', '\\', '@', ':', '&', ',', '='];
/// A number stands behind its label also with one of these between: `Lei nº 11.788`.
const NUMBER_MARKS: &[&str] = &["n", "no", "nr", "num", "número", "numero", "number"];
/// Labels of numbers, by the one that stands for them all.
const LABELS: &[(&str, &[&str])] = &[
    ("art", &["artigo", "artigos", "arts", "artículo", "articulo", "artículos", "article", "articles"]),
    ("§", &["parágrafo", "paragrafo", "parágrafos", "paragraph", "párrafo"]),
    ("inciso", &["incisos", "inc"]),
    ("cap", &["capítulo", "capitulo", "chapter"]),
    ("sec", &["seção", "secção", "secao", "sección", "seccion", "section"]),
    ("tit", &["título", "titulo", "title"]),
    ("anexo", &["annex", "appendix", "apêndice", "apéndice"]),
    ("fig", &["figura", "figure"]),
    ("tab", &["tabela", "tabla", "table"]),
    ("v", &["versão", "versao", "versión", "version"]),
];
/// Labels that are counted in Roman numerals.
const ROMAN: &[&str] =
    &["art", "inciso", "cap", "sec", "tit", "anexo", "livro", "libro", "book", "parte", "part"];

/// English labels: behind one of them "I" may be who asks.
const BEFORE_I: &[&str] = &["article", "chapter", "section", "title", "annex", "appendix"];

/// A word or piece, and at which word of the text it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// A word: in lower case, with its accents. Written in one piece: folded.
    pub text: String,
    pub at: usize,
    pub kind: Kind,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::index) enum Kind {
    Word,
    /// Words with a hyphen between them, which are words of the text too.
    Joined,
    /// A word with the number behind it, which are there by themselves too.
    Numbered,
    /// What is written in one piece, or a label such as `art.` with its number. Its parts are words of the text too.
    Code,
}

/// The words and pieces of a text in [`super::normal`] spelling, in their order.
pub(super) fn cut(text: &str) -> Vec<Piece> {
    let mut cut = Cut::default();
    for run in text.split(|c: char| !(is_of_word(c) || JOINS.contains(&c) || matches!(c, '§' | RAISED))) {
        if !run.is_empty() {
            cut.run(run);
        }
    }
    cut.pieces
}

/// Letters and digits, and marks that continue a word: combining accents, vowel signs of Indic scripts and of Arabic.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(u32::from(c), 0x0300..=0x036F | 0x0610..=0x061A | 0x064B..=0x065F | 0x0900..=0x0DFF)
}

#[derive(Default)]
struct Cut {
    pieces: Vec<Piece>,
    /// Words until here.
    at: usize,
    /// What a number behind it would belong to, and whether nothing else came since.
    label: Option<String>,
}

impl Cut {
    fn run(&mut self, run: &str) {
        // Where marks follow on one another, or a sentence begins without a space, it is not one piece.
        let mut from = 0;
        let mut before = (' ', ' ');
        for (at, c) in run.char_indices() {
            let two = JOINS.contains(&before.1)
                && JOINS.contains(&c)
                && !matches!((before.1, c), ('+', '+') | (':', ':') | ('/', '/') | (':', '/'));
            let sentence = before.1 == '.' && c.is_uppercase() && before.0.is_lowercase();
            if two || sentence || c == '§' || before.1 == '§' {
                self.piece(&run[from..at]);
                from = at;
            }
            before = (before.1, c);
        }
        self.piece(&run[from..]);
    }

    fn piece(&mut self, piece: &str) {
        if piece == "§" {
            self.label = Some(piece.to_owned());
            return;
        }
        let piece = trimmed(piece);
        if piece.is_empty() {
            return;
        }
        let first = self.at;
        let symbol = piece.trim_end_matches(['+', '#']);
        let one_letter = symbol.len() < piece.len() && symbol.chars().count() == 1;
        if one_letter {
            // The language C is not C++.
            self.at += 1;
        } else {
            self.words(piece);
        }
        let is_joined = piece.len() <= LONGEST_JOINED && piece.contains(|c: char| !is_of_word(c));
        if is_joined {
            self.whole(piece, first);
            let parts: Vec<&str> = piece.split(PARTS).filter(|part| !part.is_empty()).collect();
            if parts.len() > 1 {
                for part in parts.into_iter().filter(|part| part.contains(JOINS)) {
                    self.whole(trimmed(part), first);
                }
            }
        }
        self.number(piece, first);
    }

    /// The words of a piece, each with the parts of a name such as `maxTokens`.
    fn words(&mut self, piece: &str) {
        let mut rest = piece;
        while let Some(from) = rest.find(is_of_word) {
            rest = &rest[from..];
            let first = rest.chars().next().unwrap_or(' ');
            let length = if is_without_spaces(first) {
                first.len_utf8()
            } else {
                rest.find(|c| !is_of_word(c) || is_without_spaces(c)).unwrap_or(rest.len())
            };
            let (word, after) = rest.split_at(length);
            self.word(word);
            rest = after;
        }
    }

    fn word(&mut self, word: &str) {
        let at = self.at;
        self.at += 1;
        if word.len() > LONGEST {
            return;
        }
        let lower = word.to_lowercase();
        let parts = parts_of_name(word);
        let mut push = |text, kind| self.pieces.push(Piece { text, at, kind });
        match ordinal(&lower) {
            Some(number) => {
                push(number.to_owned(), Kind::Word);
                push(lower, Kind::Code);
            }
            None if parts.is_empty() => push(lower, Kind::Word),
            None => push(folded(&lower), Kind::Code),
        }
        for part in parts {
            push(part.to_lowercase(), Kind::Word);
        }
    }

    fn whole(&mut self, piece: &str, at: usize) {
        if piece.len() > LONGEST || !piece.contains(is_of_word) {
            return;
        }
        let folded = folded(piece);
        let text = without_hyphens(&folded);
        let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
        let is_number = folded.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '/'));
        // `11.788` is asked for as `11788`, `123.456.789-09` without its marks.
        if is_number && digits.len() > 3 {
            self.push_whole(digits, at, Kind::Code);
        }
        self.push_whole(text, at, Kind::Code);
    }

    fn push_whole(&mut self, text: String, at: usize, kind: Kind) {
        let said = |piece: &Piece| piece.text == text;
        if !self.pieces.iter().rev().take_while(|piece| piece.at >= at).any(said) {
            let joined = kind == Kind::Code && text.chars().all(char::is_alphabetic);
            self.pieces.push(Piece { text, at, kind: if joined { Kind::Joined } else { kind } });
        }
    }

    /// A number with the word before it, as one: `art. 5`, `RDC nº 50`, `Windows 10`, `inciso IV`.
    fn number(&mut self, piece: &str, at: usize) {
        if let Some(before) = &self.label {
            let is_abbreviation = piece.len() > 1 && piece.bytes().all(|b| b.is_ascii_uppercase());
            let label = label(before);
            let roman = || roman(piece).filter(|_| ROMAN.contains(&label)).map(|n| n.to_string());
            if let Some(number) = arabic(piece).or_else(roman) {
                let known = LABELS.iter().any(|(known, _)| *known == label)
                    && !(piece == "I" && BEFORE_I.contains(&before.as_str()));
                let text = folded(label) + &number;
                self.push_whole(text, at, if known { Kind::Code } else { Kind::Numbered });
                self.label = None;
                return;
            }
            if !is_abbreviation && NUMBER_MARKS.contains(&piece.to_lowercase().as_str()) {
                return;
            }
        }
        let is_name = piece.chars().all(|c| c.is_alphabetic() && !is_without_spaces(c));
        self.label = is_name.then(|| piece.to_lowercase());
    }
}

/// What stands for a label in all its spellings.
fn label(word: &str) -> &str {
    let of = |(_, names): &&(&str, &[&str])| names.contains(&word);
    LABELS.iter().find(of).map_or(word, |(label, _)| label)
}

/// The digits of a number without its marks: of `11.788/2008` those before the stroke, of `5o` those before the letter.
fn arabic(piece: &str) -> Option<String> {
    if !piece.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number = piece.split(['/', '-', ',']).next().unwrap_or_default().trim_end_matches(['o', 'a']);
    let digits: String = number.chars().filter(|c| *c != '.').collect();
    (digits.len() <= 12 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// A piece without the marks around it, save those that make its name: `.net`, `c++`, `c#`.
fn trimmed(piece: &str) -> &str {
    let is_mark = |c: char| !is_of_word(c);
    let inner = piece.trim_matches(is_mark);
    let Some(from) = piece.find(inner).filter(|_| !inner.is_empty()) else { return "" };
    let (before, after) = (&piece[..from], &piece[from + inner.len()..]);
    let dotted = before == "." && inner.starts_with(|c: char| c.is_alphabetic());
    let kept = after.trim_end_matches(|c| c != '+' && c != '#');
    let signed = inner.len() <= 12 && matches!(kept, "+" | "++" | "#");
    let end = if signed { from + inner.len() + kept.len() } else { from + inner.len() };
    &piece[from - usize::from(dotted)..end]
}

/// A folded piece without the hyphens and low lines that people leave out: `e-mail`, `NR-12`, `max_tokens`. Between
/// digits they stay.
fn without_hyphens(piece: &str) -> String {
    let bytes = piece.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let stays = |(at, c): &(usize, char)| match c {
        '-' | '_' => digit(at.checked_sub(1)) && digit(Some(at + 1)),
        c => *c != RAISED,
    };
    piece.char_indices().filter(stays).map(|(_, c)| c).collect()
}

/// The number of `5o`, `5as`, `1st`.
fn ordinal(lower: &str) -> Option<&str> {
    let number = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let ending = &lower[number.len()..];
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && ["o", "a", "os", "as", "st", "nd", "rd", "th"].contains(&ending)).then_some(number)
}

/// `max` and `Tokens` of `maxTokens`; nothing of `iPhone` and `PhD`, whose parts are too short to be words.
fn parts_of_name(word: &str) -> Vec<&str> {
    if word.is_ascii() && word.bytes().skip(1).all(|b| !b.is_ascii_uppercase()) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let (mut from, mut before) = (0, ' ');
    for (at, c) in word.char_indices() {
        if before.is_lowercase() && c.is_uppercase() {
            parts.push(&word[from..at]);
            from = at;
        }
        before = c;
    }
    parts.push(&word[from..]);
    if parts.len() < 2 || parts.iter().any(|part| part.chars().count() < 2) { Vec::new() } else { parts }
}

/// A Roman numeral in capitals, up to 399.
fn roman(text: &str) -> Option<u32> {
    let value = |c| {
        Some(match c {
            'I' => 1,
            'V' => 5,
            'X' => 10,
            'L' => 50,
            'C' => 100,
            _ => return None,
        })
    };
    let values: Vec<u32> = text.chars().map(value).collect::<Option<_>>()?;
    if values.is_empty() || values.len() > 9 {
        return None;
    }
    let signed = values.iter().enumerate().map(|(n, value)| match values.get(n + 1) {
        Some(next) if next > value => -i64::from(*value),
        _ => i64::from(*value),
    });
    u32::try_from(signed.sum::<i64>()).ok()
}
