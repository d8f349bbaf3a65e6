//! Whether a question has several parts, which are answered in different places.

use crate::rag::followup::words;

/// Beginnings of words that compare, in Portuguese, Spanish and English,
const COMPARING: &[&str] = &["compar", "diferenc", "differenc", "distingu", "versus", "contrast"];
/// and whole ones.
const COMPARE: &[&str] = &["vs", "difere", "diferem", "difiere", "difieren", "differ", "differs"];
/// What joins two questions.
const AND: &[&str] = &["e", "ou", "y", "and", "or"];
/// A question that is joined to another asks within so many words: "e por quantos dias", "and until when".
const ASKS_WITHIN: usize = 2;

/// Tells whether a question compares, is more than one, or is joined to another.
pub(super) fn has_parts(question: &str) -> bool {
    let questions = question.split_inclusive('?').filter(|part| part.ends_with('?'));
    if questions.filter(|part| part.contains(char::is_alphanumeric)).count() > 1 {
        return true;
    }
    let words = words(question);
    let compares = words.iter().any(|word| {
        let word = word.folded.as_str();
        COMPARE.contains(&word) || COMPARING.iter().any(|beginning| word.starts_with(beginning))
    });
    let joined = (1..words.len()).any(|at| {
        let next = words.iter().skip(at + 1).take(ASKS_WITHIN);
        AND.contains(&words[at].folded.as_str()) && next.into_iter().any(|word| word.is_interrogative())
    });
    compares || joined
}

#[cfg(test)]
mod tests {
    use super::has_parts;

    #[test]
    fn questions_of_several_parts_are_told_from_one() {
        for several in [
            "Qual é a diferença entre A e B?",
            "Compare o trancamento com a jubilação.",
            "Quando abre? E quanto custa?",
            "Qual é o prazo e por quantos dias vale?",
            "Who leads, and until when?",
            "¿Cuál es el plazo y cuánto cuesta?",
            "basic vs premium",
        ] {
            assert!(has_parts(several), "{several}");
        }
        for one in [
            "Qual é o prazo de entrada e saída?",
            "What is the fee for pens and paper?",
            "E quanto custa?",
            "Quando abre??",
            "Peyton Manning took how many different teams to the Super Bowl?",
            "",
        ] {
            assert!(!has_parts(one), "{one}");
        }
    }
}
