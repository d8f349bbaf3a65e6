use unicode_normalization::UnicodeNormalization;

use super::*;

/// The folded terms of a text, and those in one piece behind a bar.
fn folded_terms(text: &str) -> String {
    let analysed = analyse(text, None);
    let of = |words: bool| {
        let kept = analysed.folded.iter().filter(move |folded| (folded.kind == Kind::Word) == words);
        kept.map(|folded| folded.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    format!("{} | {}", of(true), of(false))
}

fn stems(text: &str, language: &str) -> Vec<String> {
    analyse(text, Some(language)).stems
}

fn languages(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|language| (*language).to_owned()).collect()
}

#[test]
fn inflections_meet_in_the_stems_and_bare_spelling_in_the_folded_words() {
    for (one, other) in [
        ("declaração", "DECLARAÇÕES"),
        ("decisao", "decisões"),
        ("possível", "possiveis"),
        ("viagem", "viagens"),
        ("ações", "acao"),
    ] {
        assert_eq!(stems(one, "pt"), stems(other, "pt"), "{one}");
    }
    for (one, other) in [("luz", "luces"), ("examen", "exámenes"), ("acción", "acciones")] {
        assert_eq!(stems(one, "es"), stems(other, "es"), "{one}");
    }
    assert_eq!(folded_terms("Informação de um Coração"), "informacao de um coracao | ");
    assert_eq!(stems("é de um Coração", "pt").len(), 1, "stop words have no stem");
    assert_ne!(stems("longo", "pt"), stems("longo", "es"), "stems are marked");
    // A language without a stemmer, and none.
    assert_eq!(analyse("Żółw 2024", Some("pl")).stems, analyse("żółw", None).stems);
}

/// Questions are read with accents folded by [`crate::words`].
#[test]
fn accents_are_folded_as_everywhere() {
    // In lower case `İ` is an `i` with a dot of its own.
    let letters = ('a'..='\u{17f}').filter(|c| c.is_alphabetic() && *c != 'İ');
    // Letters of their own, such as `ß`, are spelled out; the others are those with accents.
    for letter in letters.filter(|c| c.to_string().nfd().count() > 1) {
        let ours: String = crate::words::folded(&letter.to_string()).collect();
        assert_eq!(normal::folded(&letter.to_string()), ours, "{letter}");
    }
    assert_eq!(folded_terms("ﬁrma Straße ＡＢＣ"), "firma strasse abc | ");
    let composed = "Instrução à praça, férias";
    assert_eq!(folded_terms(composed), folded_terms(&composed.nfd().collect::<String>()));
}

#[test]
fn scripts_without_spaces_have_a_term_a_character() {
    assert_eq!(folded_terms("東京 2024"), "東 京 2024 | ");
    assert_eq!(folded_terms("हिन्दी में"), "हिन्दी में | ");
}

#[test]
fn what_is_written_in_one_piece_is_a_term_beside_its_parts() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("a RDC-50/2002,", "a rdc 50 2002 | rdc50/2002 rdc50"),
        ("(C++)", " | c++"),
        ("C# e .NET.", "e net | c# .net"),
        ("joao.silva@ufx.br", "joao silva ufx br | joao.silva@ufx.br joao.silva ufx.br"),
        ("v. 2.4.1", "v 2 4 1 | 2.4.1 v241"),
        ("1.234,56", "1 234 56 | 123456 1.234,56 1234 1.234"),
        ("123.456.789-09", "123 456 789 09 | 12345678909 123.456.789-09"),
        ("192.168.0.1", "192 168 0 1 | 19216801 192.168.0.1"),
        ("max_tokens e maxTokens", "max tokens e max tokens | maxtokens maxtokens"),
        ("iPhone, PhD", "iphone phd | "),
        ("e-mail", "e mail | email"),
        ("área de 30 m²", "area de 30 m 2 | de30 m2"),
        ("Lei nº 11.788/2008", "lei no 11 788 2008 | 117882008 11.788/2008 11788 11.788 lei11788"),
        ("Art. 5º, § 2º", "art 5 2 | art5 §2"),
        ("artigo 5o", "artigo 5 | 5o art5"),
        ("inciso IV", "inciso iv | inciso4"),
        ("fim.Outra frase", "fim outra frase | "),
        ("e... pois--não", "e pois nao | "),
    ] {
        let terms = folded_terms(text);
        if terms != expected {
            wrong.push(format!("{text}: {terms}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn questions_are_read_in_the_languages_that_they_may_be_of() {
    let stems = |text: &str, all: &[&str]| {
        let asked = ask(text, &languages(all)).into_iter().filter(|asked| !asked.stop);
        asked.flat_map(|asked| asked.stems).collect::<Vec<_>>()
    };
    assert_eq!(stems("how long is the course?", &["pt"]), Vec::<String>::new());
    assert_eq!(stems("how long is the course?", &["en", "pt"]), ["en:long", "en:cours"]);
    assert_eq!(stems("valve", &["en", "pt"]).len(), 2);
    assert_eq!(stems("o que é a TI?", &["pt"]).len(), 1);
    // "I" is no number that the question would be about.
    assert!(
        ask("the section I need", &languages(&["en"])).iter().all(|asked| asked.folded.kind != Kind::Code)
    );
    // A single stop word of another language.
    assert_eq!(stems("sea level", &["en"]), ["en:sea", "en:level"]);
    assert_eq!(stems("síndrome de Down", &["pt"]).len(), 2);
    assert!(stems("who won the war?", &["de", "en"]).contains(&"en:war".to_owned()));
    // Marks that no language has are of documents whose language is not known.
    assert_eq!(stems("long valve", &[""]), [":long", ":valve"]);
    assert!(ask("o que é isso?", &languages(&["pt"])).iter().all(|asked| asked.stop));
}

#[test]
fn any_text_is_cut_in_time_that_is_linear() {
    for part in [
        "a", "a-", "a-b/", "@", "º", "¹", "+", "a.", "1.", "§", "aA", "İ", "\u{301}", "東", "\u{fdd0}",
        "art. ",
    ] {
        let text = part.repeat(100_000);
        let analysed = analyse(&text, Some("pt"));
        assert!(analysed.folded.len() <= 500_000, "{part}");
        assert!(analysed.folded.iter().all(|folded| folded.text.len() <= 400), "{part}");
    }
}
