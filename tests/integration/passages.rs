//! Which passages go into a prompt: as many as add something, and none twice.

use serde_json::Value;

use super::world::{World, long_document, question_body};

/// Questions that take two passages, over the sample collections: what has to be in the prompt for each half.
const TWO_PARTS: &[(&str, &str, [&str; 2])] = &[
    (
        "universidade",
        "Por quantos semestres posso fazer trancamento de matrícula, e quando começa o regime de exercícios domiciliares da gestante?",
        ["concedido por até quatro semestres", "A partir do oitavo mês de gestação"],
    ),
    (
        "universidade",
        "Qual é a diferença entre bacharelado e licenciatura?",
        ["Bacharelado: modalidade", "Licenciatura: modalidade"],
    ),
    (
        "universidade",
        "Qual é o prazo para pedir revisão de avaliação? E quantas vezes posso pedir aproveitamento de estudos?",
        ["prazo de três dias úteis", "solicitado uma única vez"],
    ),
    (
        "universidade",
        "Quantos acadêmicos deve ter cada turma e qual é o horário do turno noturno?",
        ["no mínimo, dez acadêmicos", "das 18 às 23 horas"],
    ),
    (
        "universidade",
        "Compare o trancamento de matrícula com a exclusão por jubilação.",
        ["O trancamento de matrícula será concedido", "Exclusão por Jubilação"],
    ),
    (
        "universidade",
        "Qual a carga horária das atividades complementares de Ciência da Computação e em que ano o curso foi implantado na UFMS?",
        ["carga horária de 102 horas", "ponto de partida em 1987"],
    ),
    (
        "universidade",
        "Quem apresenta alterações da matriz curricular e quem elabora o horário das aulas?",
        ["poderá propor alterações na Matriz Curricular", "será elaborado pela Coordenação de Curso"],
    ),
    (
        "universidade",
        "Um aluno especial pode se matricular em Estágio Obrigatório, e como se registra o resultado final do estágio?",
        ["O aluno especial não poderá se matricular", "aprovado (AP) ou reprovado (RP)"],
    ),
    (
        "debian",
        "How long does the Project Leader serve, and which majority overrules a Developer?",
        ["serves for one year", "Overrule a Developer"],
    ),
    (
        "debian",
        "Who can stand in for the Leader, and what majority amends the constitution?",
        ["may together stand in for the Leader", "Amend this constitution, provided they agree with a 3:1"],
    ),
    (
        "debian",
        "What is the difference between overruling a Developer and the term limit of Committee members?",
        ["Overrule a Developer", "Term limit"],
    ),
    (
        "debian",
        "When does the election of the leader begin? How long is the polling period?",
        ["The election begins", "polling period"],
    ),
];

fn collection(path: &str) -> String {
    std::fs::read_to_string(format!("{}/collections/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a sample")
}

#[tokio::test]
async fn a_question_of_two_parts_has_passages_for_both() {
    let world = World::start("").await;
    world
        .upload("universidade", &[("normas.md", &collection("universidade/normas-graduacao-ufms.md"))])
        .await;
    world.upload("debian", &[("constitution.txt", &collection("debian/debian-constitution.txt"))]).await;
    let mut missing = Vec::new();
    for (collection, question, parts) in TWO_PARTS {
        let reply = world.chat(collection, question, &[]).await;
        assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{question}");
        let sent = world.upstream.last().json();
        let prompt = sent["messages"][0]["content"].as_str().expect("a text");
        let prompt = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
        missing.extend(parts.iter().filter(|part| !prompt.contains(**part)).map(|part| (question, part)));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The preview of a question.
async fn preview(world: &World, collection: &str, question: &str, headers: &[(&str, &str)]) -> Value {
    let reply =
        world.post(&format!("/c/{collection}/v1/rag/preview"), headers, question_body(question)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn documents(preview: &Value) -> Vec<&str> {
    let passages = preview["passages"].as_array().expect("passages");
    passages.iter().map(|passage| passage["document"].as_str().expect("a name")).collect()
}

/// A text that does not go in whole, about something else.
fn rest() -> String {
    (0..400)
        .map(|n| format!("Sheet {n} lists spare part {n} of the crane, its shelf and its supplier.\n\n"))
        .collect()
}

#[tokio::test]
async fn copies_take_one_place_and_what_differs_in_a_name_keeps_its_own() {
    let world = World::start("window = 3000").await;
    let contract = |name: &str, fee: u32| {
        format!(
            "Cleaning contract. The parties agree that {name} cleans the halls of the harbour station every morning before the first \
             bell, with tools and soap of the station, and that the keeper of the tower pays a monthly fee of {fee} reais on the fifth \
             working day of the month that follows, against a receipt that is kept for five years."
        )
    };
    let (ana, bia) = (contract("Ana Souza", 900), contract("Bia Lima", 950));
    let loud = ana.to_uppercase();
    let texts = [
        ("ana.txt", &ana),
        ("copy.txt", &loud),
        ("again.txt", &format!("  {ana}\n")),
        ("bia.txt", &bia),
        ("rest.txt", &rest()),
    ];
    for (name, text) in texts {
        world.upload("manual", &[(name, text)]).await;
    }
    let found = preview(&world, "manual", "What is the monthly fee of the cleaning contract?", &[]).await;
    let mut shown = documents(&found);
    shown.sort_unstable();
    assert_eq!(shown, ["again.txt", "bia.txt"], "{found}");
    assert_eq!(found["considered"]["copies"], 2, "{}", found["considered"]);
    // Named, it is enough.
    let found = preview(&world, "manual", "What monthly fee does Bia Lima get?", &[]).await;
    assert_eq!(documents(&found)[0], "bia.txt", "{found}");
}

#[tokio::test]
async fn neighbours_are_one_passage_without_what_both_say() {
    let world = World::start("window = 3000").await;
    let sentences: Vec<String> =
        (0..60).map(|n| format!("Lamp number {n} of the long pier is lit by keeper {n} at dusk.")).collect();
    world.upload("manual", &[("pier.txt", &sentences.join(" ")), ("rest.txt", &rest())]).await;
    let found =
        preview(&world, "manual", "Which lamp of the pier is lit at dusk?", &[("X-RAG-K", "2")]).await;
    let passages = found["passages"].as_array().expect("passages");
    let text: String = passages.iter().filter_map(|one| one["text"].as_str()).collect();
    assert!(found["considered"]["joined"].as_u64() > Some(0), "{found}");
    assert!(sentences.iter().all(|sentence| text.matches(sentence.as_str()).count() <= 1), "{text}");
    // What is told adds up.
    let considered = found["considered"].as_object().expect("an object");
    let sum: u64 =
        considered.iter().filter(|(why, _)| *why != "found").filter_map(|(_, count)| count.as_u64()).sum();
    assert_eq!(considered["found"].as_u64(), Some(sum + passages.len() as u64), "{considered:?}");
}

#[tokio::test]
async fn a_plain_question_takes_fewer_passages_than_an_order_for_so_many() {
    let world = World::start("window = 8000").await;
    let document = format!(
        "{}## Keys\n\nThe spare key of the lighthouse hangs behind the blue door.\n",
        long_document(400)
    );
    world.upload("manual", &[("station.md", &document)]).await;
    let question = "Where does the keeper who closes the valve and waits for the second bell in the tower hang the spare key of the lighthouse?";
    let reply = world.chat("manual", question, &[]).await;
    assert_eq!(reply.header("x-rag-hits"), Some("1"), "{}", world.upstream.last().text());
    assert!(world.upstream.last().text().contains("behind the blue door"));
    let (found, left_out) = (reply.header("x-rag-found"), reply.header("x-rag-left-out").unwrap_or_default());
    assert!(found.is_some() && left_out.contains("adds_little="), "{found:?} {left_out}");
    let reply = world.chat("manual", question, &[("X-RAG-K", "5")]).await;
    assert_eq!(reply.header("x-rag-hits"), Some("5"));
    // OpenAI's search is not cut short.
    let body = r#"{"query": "What does the keeper write into the book?", "max_num_results": 7}"#;
    let found = world.post("/v1/vector_stores/manual/search", &[], body.to_owned()).await.json();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(7));
}
