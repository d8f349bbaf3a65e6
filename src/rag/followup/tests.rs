use std::borrow::Cow;

use super::*;

/// User and assistant by turns, the question last.
fn searched(turns: &[&str]) -> String {
    let (question, earlier) = turns.split_last().expect("a question");
    let roles = [Role::User, Role::Assistant].into_iter().cycle();
    let earlier: Vec<Turn> =
        earlier.iter().zip(roles).map(|(text, role)| Turn { role, text: (*text).to_owned() }).collect();
    search_text(question, || earlier).into_owned()
}

#[test]
fn a_question_that_says_what_it_is_about_is_searched_as_it_is() {
    let before = ["How long is the warranty of the D60?", "Three years."];
    for question in [
        "What happens to a car that is parked in front of an exit of the fire brigade?",
        "What does a tennis court cost?",
        "How much salt does the D40 take?",
        "churrasqueira em dia de chuva",
        "Quem paga se quebrar um ampliador?",
        "O que os alunos fazem na turma de esmaltes?",
        "É obrigatório usar gorro na piscina?",
        "No museu do mar, quem guia a visita em inglês?",
        "Quantas turmas há na segunda-feira?",
        "¿Es obligatorio llevar gorro en la piscina?",
        "Where is the sauna?",
        "退款政策是什么？",
        "Где находится читальный зал?",
        "  Does the library lend   ukuleles?\n",
    ] {
        assert_eq!(searched(&[before[0], before[1], question]), question);
    }
    // Nothing was said before, or only a greeting.
    assert!(matches!(search_text("why?", Vec::new), Cow::Borrowed("why?")));
    let greeting = Turn { role: Role::Assistant, text: "Hello!".to_owned() };
    assert_eq!(search_text("why?", || vec![greeting]), "why?");
    // A page that was pasted: what came before is not even read.
    let long = "and it ".repeat(100);
    assert_eq!(search_text(&long, || panic!("the turns before were read")), long);
    // One that was pasted before.
    let page = format!("Where is the sauna? {}", "It is said that all is well. ".repeat(100_000));
    assert_eq!(searched(&[&page, &page, "and the pool?"]), "and the pool? Where is the sauna?");
}

#[test]
fn a_question_that_leans_brings_the_last_one_that_stands() {
    for (turns, expected) in [
        (&["Who leads the choir?", "Ada.", "why?"][..], "why? Who leads the choir?"),
        (&["Quem dirige o coral?", "Ada.", "por quê?"], "por quê? Quem dirige o coral?"),
        (&["¿Quién dirige el coro?", "Ada.", "¿y ella canta?"], "¿y ella canta? ¿Quién dirige el coro?"),
        (&["Does the choir travel?", "Yes.", "e em inglês?"], "e em inglês? Does the choir travel?"),
        // Through questions that lean themselves, with what they add.
        (
            &["Does the choir travel?", "Yes.", "And to Lisbon?", "Yes.", "really?", "Yes.", "and how?"],
            "and how? Does the choir travel? And to Lisbon? really?",
        ),
        // Two messages before an answer.
        (&["Does the choir travel?", "", "and the band?"], "and the band? Does the choir travel?"),
    ] {
        assert_eq!(searched(turns), expected);
    }
}

#[test]
fn another_aspect_takes_the_place_of_the_one_before() {
    let turns = ["Quais documentos preciso para o visto de trabalho?", "Passaporte.", "Quanto custa?"];
    assert_eq!(searched(&turns), "Quanto custa? preciso para o visto de trabalho?");
    let turns = ["When does the German course begin?", "In May.", "What about the fee for it?"];
    assert_eq!(searched(&turns), "What about the fee for it? does the German course ?");
}

#[test]
fn another_thing_takes_the_place_of_the_one_before() {
    for (turns, gone, kept) in [
        (["Is the D40 loud?", "No.", "and the D60?"], "D40", "loud"),
        (["How do I enrol in the German course?", "By post.", "sorry, I meant English"], "German", "enrol"),
        (["Quanto custa o visto de estudante?", "90 euros.", "e o de trabalho?"], "estudante", "visto"),
        (["Quanto custa o curso analógico?", "620.", "não, o digital"], "analógico", "curso"),
    ] {
        let text = searched(&turns);
        assert!(!text.contains(gone) && text.contains(kept), "{text}");
    }
    // "In the" in Portuguese is no contradiction.
    assert!(searched(&["Quem abre o museu?", "Ada.", "No domingo também?"]).contains("museu"));
}

#[test]
fn an_ordinal_stands_for_an_item_of_the_last_list() {
    let lines = "We have:\n1. the red pump\n2. the blue pump\n3) the old pump";
    let bullets = "- a bomba azul\n* a bomba velha";
    let sentence = "There are two: the red pump and the blue pump.";
    for (answer, question, item) in [
        (lines, "What does the second one cost?", "the blue pump"),
        (lines, "and the last?", "the old pump"),
        (lines, "Is the first pump loud?", "the red pump"),
        (bullets, "e a segunda?", "a bomba velha"),
        (sentence, "and the second one?", "the blue pump"),
        (sentence, "e o primeiro?", "the red pump"),
    ] {
        assert_eq!(searched(&["Which pumps are there?", answer, question]), format!("{question} {item}"));
    }
    // There is no fourth; and what lasts is not the last.
    for question in ["and the fourth?", "How long does it last?"] {
        let text = searched(&["Which pumps are there?", lines, question]);
        assert!(text.contains("pumps") && !text.contains("old"), "{text}");
    }
}

#[test]
fn a_yes_brings_what_was_offered() {
    let offer = "It weighs 9 kg. Shall I tell you about the warranty?";
    let text = searched(&["How heavy is the red pump?", offer, "Yes, please"]);
    assert_eq!(text, "Yes, please How heavy is the red pump? Shall I tell you about the warranty?");
    // A choice is no yes: what was not chosen stays out.
    let text = searched(&["How heavy is the pump?", "The red or the blue one?", "the blue"]);
    assert_eq!(text, "the blue How heavy is the pump?");
}

#[test]
fn of_a_long_turn_its_question_is_taken() {
    let page = "The pump is red. ".repeat(60);
    let asked = format!("{page}Who repairs the pump? {page}");
    assert_eq!(searched(&[&asked, "Ada.", "why?"]), "why? Who repairs the pump?");
    let text = searched(&[&page, "I see.", "why?"]);
    assert!(text.len() <= "why? ".len() + 400 && text.ends_with("The pump is red."), "{text}");
    let letters = "é".repeat(5_000);
    assert!(searched(&[&letters, "I see.", "why?"]).len() <= 5 + 400);
}

#[test]
fn accents_may_be_left_out_and_marks_alone_are_nothing() {
    assert!(searched(&["Onde fica o museu?", "Aqui.", "e o horario?"]).contains("museu"));
    assert_eq!(searched(&["Onde fica o museu?", "Aqui.", "?!"]), "?!");
}
