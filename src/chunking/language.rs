//! The language of a document, as its text shows it.

use super::units::floor;
use crate::reading::Extracted;

/// Text from which a language is detected.
const LANGUAGE_SAMPLE: usize = 20_000;

/// The document's language as an ISO 639-1 code, where it is clear.
pub(super) fn language(extracted: &Extracted) -> Option<String> {
    let sample = sample(extracted);
    let info = whatlang::detect(&sample)?;
    if !info.is_reliable() {
        return None;
    }
    use whatlang::Lang;
    let code = match info.lang() {
        Lang::Eng => "en",
        Lang::Por => "pt",
        Lang::Spa => "es",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ita => "it",
        Lang::Nld => "nl",
        Lang::Swe => "sv",
        Lang::Dan => "da",
        Lang::Nob => "no",
        Lang::Fin => "fi",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Tur => "tr",
        Lang::Ell => "el",
        Lang::Ara => "ar",
        Lang::Tam => "ta",
        Lang::Pol => "pl",
        Lang::Ces => "cs",
        Lang::Ukr => "uk",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Hin => "hi",
        Lang::Heb => "he",
        Lang::Cat => "ca",
        _ => return None,
    };
    Some(code.to_owned())
}

/// The beginning of the document's text, however long its blocks are.
fn sample(extracted: &Extracted) -> String {
    let mut sample = String::new();
    for block in &extracted.blocks {
        if sample.len() >= LANGUAGE_SAMPLE {
            break;
        }
        sample.push_str(&block.text[..floor(&block.text, LANGUAGE_SAMPLE - sample.len())]);
        sample.push('\n');
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Block, BlockKind, Format};

    #[test]
    fn a_long_document_is_not_read_whole() {
        let text =
            "A válvula da bomba é fechada ao meio-dia, e quem cuida da torre escreve a hora no livro. "
                .repeat(4_000);
        for blocks in [1, 3] {
            let blocks = vec![Block::new(BlockKind::Paragraph, &text); blocks];
            let document = Extracted { format: Format::Text, title: None, blocks, pages: None };
            assert!(sample(&document).len() <= LANGUAGE_SAMPLE + 1);
            assert_eq!(language(&document).as_deref(), Some("pt"));
        }
    }
}
