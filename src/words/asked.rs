//! The question within a long text.

use super::{beginning, end};

/// A text of at most so many bytes is a question as a whole, and of a longer one at most so many are.
const LONGEST: usize = 400;
/// Of the beginning and the end of a long text, so many bytes are looked at.
const LOOKED_AT: usize = 16 << 10;

/// The question within a long text, such as a letter with a question behind it: its last sentence with a question mark,
/// or else its end.
pub fn asked(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let last = |text| marked(text).next_back();
    last(end(text, LOOKED_AT)).or_else(|| last(beginning(text, LOOKED_AT))).unwrap_or_else(|| {
        let end = end(text, LONGEST);
        end.split_once(' ').map_or(end, |(_, whole)| whole)
    })
}

/// The sentences of a text that end in a question mark.
fn marked(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let sentences = text.split_inclusive(['.', '?', '!', '\n']).map(str::trim);
    sentences.filter(|sentence| sentence.ends_with('?') && sentence.len() > 1 && sentence.len() <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn a_long_text_asks_with_its_last_question() {
        let mail = "Boa tarde. Tudo bem? Segue o relatório da bomba, com as medidas da semana. ".repeat(8);
        assert_eq!(asked(&format!("{mail}Quando ela para? Obrigado.")), "Quando ela para?");
        assert_eq!(asked("Quando ela para? Obrigado."), "Quando ela para? Obrigado.");
        let told = "a bomba da torre parou ".repeat(30);
        assert!(asked(&told).len() <= 400 && asked(&told).ends_with("a bomba da torre parou "));
        assert_eq!(asked(&"?".repeat(500)).len(), 400);
    }
}
