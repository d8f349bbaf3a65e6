//! Whether a question is in the language of what it is asked of, as far as a few words show it.

use super::end;
use super::spoken::{is_stop_word, spoken};

/// Languages by the codes that texts are noted with, and by those that they are detected with.
const CODES: &[(&str, &str)] = &[
    ("en", "eng"),
    ("pt", "por"),
    ("es", "spa"),
    ("fr", "fra"),
    ("de", "deu"),
    ("it", "ita"),
    ("nl", "nld"),
    ("ca", "cat"),
    ("pl", "pol"),
    ("ru", "rus"),
    ("uk", "ukr"),
    ("ja", "jpn"),
    ("zh", "cmn"),
    ("ko", "kor"),
    ("ar", "ara"),
    ("he", "heb"),
    ("hi", "hin"),
    ("el", "ell"),
    ("tr", "tur"),
];
/// Languages whose stop words tell them apart better than their letters do.
const TOLD_BY_STOP_WORDS: &[&str] = &["en", "pt", "es"];
/// Fewer stop words may be those of another language.
const TELLING: usize = 2;
/// At least one of so many words is a stop word in a question of its language.
const ONE_OF: usize = 4;
/// Fewer words say nothing of a language.
const FEWEST_WORDS: usize = 4;
/// In a question of the documents' language they know at least so much of what it asks.
///
/// Of 2,000 questions over their own documents (FaQuAD, SQuAD-pt, XQuAD en and es, Cranfield) 99 % have a known share
/// over 0.5; of XQuAD's German, Spanish and English questions over documents in another one, 95 % have less.
const KNOWN: f32 = 0.5;
/// Of a long text, so many bytes of its end are looked at, once for each collection that is asked.
const LOOKED_AT: usize = 4 << 10;

/// Whether a question is in a language, a two-letter code. `known` is the share of the question's words that documents in
/// that language have, each weighed by its rarity.
pub fn is_in(question: &str, language: &str, known: f32) -> bool {
    let question = end(question, LOOKED_AT);
    let lower = question.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let detected = reliably(question).filter(|detected| *detected != language);
    if detected.is_some_and(|detected| !TOLD_BY_STOP_WORDS.contains(&detected)) {
        return false;
    }
    let spoken = spoken(&words);
    if !spoken.may_be(language) {
        return false;
    }
    let own = words.iter().filter(|word| is_stop_word(language, word)).count();
    if own >= TELLING && own * ONE_OF >= words.len() && spoken.language().is_none_or(|l| l == language) {
        return true;
    }
    if detected.is_some() {
        return false;
    }
    words.len() < FEWEST_WORDS || known >= KNOWN
}

/// The language of a text where its letters leave no doubt.
fn reliably(text: &str) -> Option<&'static str> {
    let detected = whatlang::detect(text).filter(|detected| detected.is_reliable())?;
    CODES.iter().find(|(_, code)| *code == detected.lang().code()).map(|(language, _)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_in_another_language_are_told() {
        for (question, language, known, expected) in [
            ("Quando é que o prazo de matrícula termina para os alunos?", "pt", 0.9, true),
            ("Quando é que o prazo de matrícula termina para os alunos?", "en", 0.1, false),
            ("¿Cuál es la capital de la provincia más grande del país?", "en", 0.2, false),
            ("How long can an internship at the same company last?", "pt", 0.2, false),
            ("How long can an internship at the same company last?", "en", 0.9, true),
            ("Ungefähr wie viele Menschen unterzeichneten die Petition auf der Website?", "en", 0.1, false),
            // Too short to say: taken for one of the documents' language.
            ("trancamento de matrícula", "pt", 1.0, true),
            ("casting vote", "en", 1.0, true),
            // Without a stop word, what the documents know decides.
            ("Debian installation CD-ROM image download mirror", "en", 0.9, true),
            ("Debian installation CD-ROM image download mirror", "pt", 0.1, false),
        ] {
            assert_eq!(is_in(question, language, known), expected, "{question} in {language}");
        }
    }
}
