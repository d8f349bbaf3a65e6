//! Questions about anything: what a passage says to them, it says to any question.

/// The same fifteen in three languages: what people ask of an assistant, and small talk. Their subjects are many, so that
/// a collection is about few of them at most.
pub(super) const QUESTIONS: &[&str] = &[
    // English
    "What is the best way to learn a language?",
    "Who won the match yesterday?",
    "What should I cook for dinner?",
    "How much does a new car cost?",
    "What is the largest country in the world?",
    "Tell me something interesting.",
    "Can you write a short story?",
    "How do I fix my computer?",
    "What are the symptoms of a cold?",
    "When does the train leave?",
    "Which film should I watch tonight?",
    "How are you today?",
    "Thank you very much!",
    "I do not understand, please explain.",
    "What does this word mean?",
    // Portuguese
    "Qual é a melhor forma de aprender um idioma?",
    "Quem ganhou o jogo de ontem?",
    "O que eu faço para o jantar?",
    "Quanto custa um carro novo?",
    "Qual é o maior país do mundo?",
    "Conte-me algo interessante.",
    "Você pode escrever uma história curta?",
    "Como conserto meu computador?",
    "Quais são os sintomas de um resfriado?",
    "A que horas sai o trem?",
    "Que filme devo ver hoje à noite?",
    "Olá, tudo bem com você?",
    "Muito obrigado pela ajuda!",
    "Não entendi, explique por favor.",
    "O que significa esta palavra?",
    // Spanish
    "¿Cuál es la mejor forma de aprender un idioma?",
    "¿Quién ganó el partido de ayer?",
    "¿Qué puedo cocinar para la cena?",
    "¿Cuánto cuesta un coche nuevo?",
    "¿Cuál es el país más grande del mundo?",
    "Cuéntame algo interesante.",
    "¿Puedes escribir un cuento corto?",
    "¿Cómo arreglo mi ordenador?",
    "¿Cuáles son los síntomas de un resfriado?",
    "¿A qué hora sale el tren?",
    "¿Qué película debería ver esta noche?",
    "Hola, ¿cómo estás?",
    "¡Muchas gracias por tu ayuda!",
    "No entiendo, explícamelo por favor.",
    "¿Qué significa esta palabra?",
];

/// The mean of vectors: its product with a passage's vector is the mean of their cosines. None of no vectors.
pub(super) fn mean(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let first = vectors.first()?;
    let count = vectors.len() as f32;
    let sum = |at: usize| vectors.iter().filter_map(|vector| vector.get(at)).sum::<f32>();
    Some((0..first.len()).map(|at| sum(at) / count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_says_what_all_say_on_the_average() {
        assert_eq!(mean(&[vec![1.0, 0.0], vec![0.0, 3.0]]), Some(vec![0.5, 1.5]));
        assert_eq!(mean(&[]), None);
    }
}
