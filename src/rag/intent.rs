//! Whether a question is about a document as a whole, which no single passage answers.

use crate::words::{folded, one_line};

/// Phrases in lower case without accents. A word's beginning matches, so that "summar" is summary and summarize.
const PHRASES: &[&str] = &[
    // English
    "summar",
    "tl;dr",
    "tldr",
    "what is this about",
    "what is it about",
    "what s this about",
    "what are these documents about",
    "what is this document",
    "what is that document",
    "what is that about",
    "what s that about",
    "what is the document about",
    "what does this document",
    "what does that document",
    "what does the document",
    "what does this file",
    "what is in this document",
    "what is in these documents",
    "give me an overview",
    "overview of th",
    "main points",
    "main topics",
    "main ideas",
    "key points",
    "key takeaways",
    "table of contents",
    "which topics",
    "what topics",
    // Portuguese
    "resum",
    "sobre o que",
    "sobre que e",
    "do que se trata",
    "do que trata",
    "de que trata",
    "de que se trata",
    "o que diz est",
    "o que diz ess",
    "o que diz o documento",
    "o que ha neste",
    "o que ha nesse",
    "o que contem",
    "visao geral",
    "principais pontos",
    "principais temas",
    "principais topicos",
    "pontos principais",
    "ideia central",
    "qual o assunto",
    "qual e o assunto",
    "quais assuntos",
    "sumario do",
    "sumario dest",
    "sintese d",
    // Spanish
    "de que va",
    "sobre que trata",
    "de que habla",
    "puntos principales",
    "vision general",
];

/// What asks which documents there are, and not which ones somebody needs for something: one of these,
const LISTS: &[&str] = &[
    "which documents",
    "what documents",
    "list the documents",
    "list all documents",
    "list of documents",
    "quais documentos",
    "que documentos",
    "quais sao os documentos",
    "liste os documentos",
    "lista de documentos",
    "cuales documentos",
    "cuales son los documentos",
    "lista de los documentos",
];
/// and behind it nothing but one of these.
const HELD: &[&str] = &[
    "",
    "please",
    "here",
    "available",
    "are there",
    "are here",
    "are available",
    "are these",
    "you have",
    "do you have",
    "do you have access to",
    "do you know",
    "can you see",
    "por favor",
    "aqui",
    "ha",
    "ha aqui",
    "existem",
    "disponiveis",
    "estao disponiveis",
    "estao aqui",
    "sao esses",
    "sao estes",
    "tem",
    "tem aqui",
    "temos",
    "temos aqui",
    "voce tem",
    "voce tem aqui",
    "vc tem",
    "voce conhece",
    "que voce tem",
    "disponibles",
    "estan disponibles",
    "hay",
    "hay aqui",
    "existen",
    "tienes",
    "que tienes",
];

/// Longer questions say what they want to know.
const LONGEST: usize = 160;

/// Whether the question is about a document as a whole.
pub(super) fn is_about_the_whole(question: &str) -> bool {
    if question.chars().count() > LONGEST {
        return false;
    }
    let folded: String =
        folded(question).map(|c| if c.is_alphanumeric() || c == ';' { c } else { ' ' }).collect();
    let words = format!(" {}", one_line(&folded));
    PHRASES.iter().any(|phrase| words.contains(&format!(" {phrase}"))) || asks_what_is_held(&words)
}

/// Whether words ask which documents there are.
fn asks_what_is_held(words: &str) -> bool {
    let behind = |phrase: &&str| words.split_once(&format!(" {phrase}")).map(|(_, behind)| behind);
    let mut behind = LISTS.iter().filter_map(behind);
    behind.any(|rest| (rest.is_empty() || rest.starts_with(' ')) && HELD.contains(&rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::is_about_the_whole;

    #[test]
    fn questions_about_the_whole_are_told_from_questions_about_a_part() {
        for whole in [
            "Sobre o que é esse documento?",
            "resuma",
            "Resumo, por favor",
            "what is this about",
            "What's this about?",
            "And what is that document about?",
            "Summarize the document in three points.",
            "Do que se trata?",
            "QUAL É O ASSUNTO DO TEXTO?",
            "Quais documentos você tem?",
            "Oi! Quais são os documentos disponíveis?",
            "Which documents do you have?",
            "List the documents, please.",
        ] {
            assert!(is_about_the_whole(whole), "{whole}");
        }
        for part in [
            "Qual é o prazo de matrícula?",
            "What is the fee for late registration?",
            "Who presumably wrote chapter 3?",
            "Quais documentos são necessários para a matrícula?",
            "Que documentos preciso levar para o visto?",
            "What documents do I need for a visa?",
            "¿Cuáles son los documentos para la beca?",
            "Lista de documentos para o visto de estudante",
            "",
        ] {
            assert!(!is_about_the_whole(part), "{part}");
        }
    }
}
