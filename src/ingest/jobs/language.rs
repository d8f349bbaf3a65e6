//! The language of a document, as its text shows it.

use crate::ingest::chunk_units::floor;
use crate::ingest::extract::Extracted;

/// Text from which a language is detected.
const LANGUAGE_SAMPLE: usize = 20_000;

/// The document's language as an ISO 639-1 code, where it is clear.
pub(super) fn language(extracted: &Extracted) -> Option<String> {
    let mut sample = String::new();
    for block in &extracted.blocks {
        if sample.len() >= LANGUAGE_SAMPLE {
            break;
        }
        sample.push_str(&block.text[..floor(&block.text, LANGUAGE_SAMPLE - sample.len())]);
        sample.push('\n');
    }
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
