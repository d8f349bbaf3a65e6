//! The sentences of any text, in time that is linear in its length.

use unicode_segmentation::UnicodeSegmentation;

/// A longer run of marks and spaces, in characters, is cut. For each of them behind a full stop the rules of Unicode
/// look ahead for a letter, so that a page of brackets would take minutes.
const LONGEST_RUN: usize = 64;

/// The sentences of a text as Unicode's rules have them (UAX 29), without gaps.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(end_of_run(rest));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
    .flat_map(str::split_sentence_bounds)
}

/// Where the first run of marks and spaces is cut that is too long, or the end.
fn end_of_run(text: &str) -> usize {
    let mut run = 0;
    for (at, c) in text.char_indices() {
        run = if c.is_alphanumeric() { 0 } else { run + 1 };
        if run == LONGEST_RUN {
            return at + c.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_those_of_unicode() {
        let text = "Uma frase. Outra, com 3.5 e \"aspas.\" Fim?! Não… é o fim. 日本語。終わり。";
        let found: Vec<&str> = sentences(text).collect();
        assert_eq!(found, text.split_sentence_bounds().collect::<Vec<_>>());
        assert!(found.len() > 4);
        assert_eq!(sentences("").count(), 0);
    }

    #[test]
    fn marks_and_spaces_without_end_are_linear() {
        for mark in [")", " ", "\u{301}", "\"", ". ", ".)", "1)", "\n "] {
            let text = format!("a.{}b", mark.repeat(1 << 20));
            let found: Vec<&str> = sentences(&text).collect();
            assert_eq!(found.concat(), text, "{mark:?}");
        }
    }
}
