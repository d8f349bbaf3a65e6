//! Plurals that the stemmers of Portuguese and Spanish leave apart from their singulars, and endings whose accents
//! people leave out.
//!
//! A step before the stemmer, on lower case. It is applied to documents and questions alike, so that a word that is
//! taken for a plural by mistake still meets itself; the exceptions are those that would meet another word.

use super::normal::folded;

/// A word with its plural ending, and the accent of a common ending, put right for a language.
pub(super) fn singular(word: &str, language: &str) -> Option<String> {
    match language {
        "pt" => portuguese(word),
        "es" => spanish(word),
        _ => None,
    }
}

/// Endings of which the longest that fits is replaced.
type Endings = &'static [(&'static str, &'static str)];

fn replaced(word: &str, endings: Endings) -> Option<String> {
    let fits = |(from, _): &&(&str, &str)| word.ends_with(from) && word.len() > from.len();
    let (from, to) = endings.iter().find(fits)?;
    Some(format!("{}{to}", &word[..word.len() - from.len()]))
}

/// Singulars that end as plurals do, and plurals of words in `-ei` and `-ói`.
const PORTUGUESE_AS_THEY_ARE: &[&str] = &[
    "ais", "anais", "bis", "cais", "demais", "dois", "gris", "ibis", "jamais", "jóias", "leis", "lis",
    "mais", "mis", "pais", "paris", "quis", "reis", "réis", "seis", "tris", "ãos", "ão", "ao", "aos",
];
/// Plurals that follow no rule.
const PORTUGUESE_IRREGULAR: &[(&str, &str)] = &[
    ("azuis", "azul"),
    ("cônsules", "cônsul"),
    ("heróis", "herói"),
    ("hífens", "hífen"),
    ("mães", "mãe"),
    ("males", "mal"),
    ("cães", "cão"),
    ("pães", "pão"),
    ("mãos", "mão"),
    ("júris", "júri"),
    ("táxis", "táxi"),
];
const PORTUGUESE: Endings = &[
    ("ções", "ção"),
    ("coes", "ção"),
    ("cao", "ção"),
    ("ões", "ão"),
    ("oes", "ão"),
    ("ães", "ão"),
    ("aes", "ão"),
    ("ãos", "ão"),
    ("aos", "ão"),
    ("ao", "ão"),
    ("áveis", "ável"),
    ("aveis", "ável"),
    ("avel", "ável"),
    ("íveis", "ível"),
    ("iveis", "ível"),
    ("ivel", "ível"),
    ("ências", "ência"),
    ("encias", "ência"),
    ("encia", "ência"),
    ("âncias", "ância"),
    ("ancias", "ância"),
    ("ancia", "ância"),
    ("veis", "vel"),
    ("neis", "nel"),
    ("éis", "el"),
    ("óis", "ol"),
    ("ais", "al"),
    ("ns", "m"),
];

fn portuguese(word: &str) -> Option<String> {
    if PORTUGUESE_AS_THEY_ARE.contains(&word) || !word.ends_with(['s', 'o', 'l', 'a']) {
        return None;
    }
    if let Some((_, singular)) = PORTUGUESE_IRREGULAR.iter().find(|(plural, _)| *plural == word) {
        return Some((*singular).to_owned());
    }
    replaced(word, PORTUGUESE).or_else(|| {
        let stem = word.strip_suffix("is")?;
        let accented = stem.chars().any(|c| "áâéêíóôú".contains(c));
        match stem.strip_suffix('e') {
            // Fáceis, têxteis, répteis: of words in `-il` that are not stressed there.
            Some(stem) => accented.then(|| format!("{stem}il")),
            // Civis, hostis, perfis: of words in a stressed `-il`. Lápis, tênis and táxis have an accent.
            None if accented || stem.chars().count() < 2 => None,
            None => stem
                .ends_with(|c: char| c.is_alphabetic() && !"aeiou".contains(c))
                .then(|| format!("{stem}il")),
        }
    })
}

const SPANISH: Endings = &[
    ("ciones", "ción"),
    ("siones", "sión"),
    ("cion", "ción"),
    ("sion", "sión"),
    ("ones", "ón"),
    ("ces", "z"),
];

fn spanish(word: &str) -> Option<String> {
    if !word.ends_with(['s', 'n']) {
        return None;
    }
    // Exámenes, jóvenes, órdenes: the stemmer takes the `-en` that is left for an ending of verbs, and not that of `examen`.
    if let Some(stem) = word.strip_suffix("enes") {
        return stem.chars().any(|c| "áéíóú".contains(c)).then(|| format!("{}en", folded(stem)));
    }
    replaced(word, SPANISH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_meet_their_singulars() {
        for (plural, singular_of) in [
            ("decisões", "decisão"),
            ("questoes", "questão"),
            ("declaracao", "declaração"),
            ("alemães", "alemão"),
            ("mães", "mãe"),
            ("cidadãos", "cidadão"),
            ("sociais", "social"),
            ("papéis", "papel"),
            ("possíveis", "possível"),
            ("níveis", "nível"),
            ("túneis", "túnel"),
            ("fáceis", "fácil"),
            ("civis", "civil"),
            ("perfis", "perfil"),
            ("lençóis", "lençol"),
            ("viagens", "viagem"),
            ("azuis", "azul"),
            ("heróis", "herói"),
        ] {
            assert_eq!(portuguese(plural).as_deref(), Some(singular_of), "{plural}");
        }
        for word in ["mais", "leis", "lápis", "seis", "pais", "quis", "tênis", "casas", "ao"] {
            assert_eq!(portuguese(word), None, "{word}");
        }
        for (plural, singular) in
            [("luces", "luz"), ("camiones", "camión"), ("declaracion", "declaración"), ("jóvenes", "joven")]
        {
            assert_eq!(spanish(plural).as_deref(), Some(singular));
        }
    }
}
