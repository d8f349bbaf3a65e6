use super::*;

fn alone(message: &str) -> bool {
    is_small_talk(message, || Some(Vec::new()))
}

fn after(answer: &str, message: &str) -> bool {
    let turn = |role, text: &str| Turn { role, text: text.to_owned() };
    is_small_talk(message, || Some(vec![turn(Role::User, "Qual é o prazo?"), turn(Role::Assistant, answer)]))
}

#[test]
fn what_asks_nothing_is_known_in_three_languages() {
    for message in [
        "oi",
        "Olá!",
        "Oiii, tudo bem?",
        "Bom dia, tudo bem?",
        "Boa noite pessoal",
        "obrigado!",
        "Muito obrigada pela ajuda 😊",
        "valeu",
        "Valeuuu, tchau!",
        "tchau",
        "ok",
        "OK, obrigado.",
        "👍",
        "❤️❤️",
        ":-)",
        ":D",
        "?!",
        "kkkkk",
        "rsrs",
        "asdfgh",
        "asdf asdf",
        "sim",
        "quem é você?",
        "Oi! Quem é você e o que você faz?",
        "Como você pode me ajudar?",
        "hi",
        "hello there",
        "Hey, how are you?",
        "Good morning everyone!",
        "Thank you so much!",
        "thx",
        "bye",
        "See you later",
        "Who are you?",
        "What can you do?",
        "haha",
        "¡Hola!",
        "Hola, ¿qué tal?",
        "Buenos días",
        "Muchas gracias por su ayuda",
        "¿Quién eres?",
        "¿Cómo te llamas?",
        "Adiós, hasta luego",
        "ola\u{301}, BOM  DIA",
    ] {
        assert!(alone(message), "{message}");
    }
}

#[test]
fn what_asks_something_is_searched() {
    for message in [
        "oi, qual é o prazo?",
        "Bom dia! Preciso trancar a matrícula.",
        "Olá, férias",
        "obrigado, e o estágio?",
        "hi, what is the deadline?",
        "thanks. And the second one?",
        "hola, ¿cuánto cuesta?",
        "ok google",
        "boa tarde do brasil",
        "hello world",
        "thank you note template",
        "quem é o líder do projeto?",
        "who are you allowed to invite?",
        "qual é o seu nome completo no formulário?",
        "legal",
        "show",
        "vale",
        "bom",
        "RS",
        "qwerty",
        "C++",
        "x",
        "§ 5",
        "2+2",
        "continue",
        "e no segundo caso?",
        "resuma",
        "你好吗这是什么",
        "",
        "  ",
    ] {
        assert!(!alone(message), "{message}");
    }
    assert!(!alone(&"oi ".repeat(200)));
}

#[test]
fn what_may_answer_the_assistant_is_searched() {
    let (told, asked) = ("O prazo é 30 de março [1].", "O prazo é 30 de março [1]. Quer saber a taxa? 😊");
    for message in ["ok", "sim", "sim, por favor", "claro", "👍", "legal", "pode ser", "yes, thanks", "no"]
    {
        assert!(!after(asked, message), "{message}");
    }
    for message in ["ok", "entendi", "legal!", "perfeito, obrigado", "👍", "great", "muy bien", "kkk"] {
        assert!(after(told, message), "{message}");
    }
    // There may be an offer in it, or something left to ask.
    for message in
        ["sim", "yes please", "não", "não entendi", "certo?", "ok?", "como se chama?", "é só isso?", "right?"]
    {
        assert!(!after(told, message), "{message}");
    }
    for message in ["obrigado!", "não, obrigado", "tchau", "no, thanks", "bom dia"] {
        assert!(after(asked, message) && after(told, message), "{message}");
    }
}

#[test]
fn where_the_turns_are_upstreams_only_what_never_asks_is_skipped() {
    assert!(is_small_talk("obrigado!", || None));
    for message in ["ok", "sim", "legal", "👍"] {
        assert!(!is_small_talk(message, || None), "{message}");
    }
}

#[test]
fn earlier_turns_are_read_only_where_they_decide() {
    for (message, small) in [("oi", true), ("Qual é o prazo?", false)] {
        assert_eq!(is_small_talk(message, || panic!("read for {message}")), small);
    }
}

#[test]
fn phrases_are_written_as_they_are_looked_up() {
    for phrase in KINDS.keys() {
        assert_eq!(words(phrase).join(" "), *phrase);
    }
}
