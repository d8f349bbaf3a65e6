//! What is said to a collection and has nothing to do with it gets no passage, and what its documents answer gets some: on
//! the sample collections, by words and with the models that are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folders::settled;
use super::world::{World, question_body};

/// The samples are 200 chunks, which a busy machine embeds in minutes.
const EMBEDDED: Duration = Duration::from_secs(900);

/// Greetings and questions on other subjects, in the order in which they were tried on a demo: each of them had passages.
const UNRELATED: &[(&str, &[&str])] = &[
    (
        "universidade",
        &[
            "oi",
            "Olá!",
            "Bom dia tudo bem?",
            "obrigado!",
            "valeu",
            "tchau",
            "ok",
            "👍",
            "asdfgh",
            "hi",
            "quem é você?",
            "quanto é 2+2?",
            "Quem ganhou a Copa de 2002?",
            "previsão do tempo",
            "escreva um poema sobre o mar",
            "traduza 'casa' para inglês",
        ],
    ),
    (
        "debian",
        &[
            "hello there",
            "who won the 2002 world cup?",
            "what is the weather in Paris tomorrow?",
            "Qual é a capital da Mongólia?",
            "O estagiário tem direito a férias?",
            "Bom dia, tudo bem?",
            "Thank you!",
            "Best pizza in Rome?",
        ],
    ),
];

/// What the documents answer.
const RELATED: &[(&str, &[&str])] = &[
    (
        "universidade",
        &[
            "Qual é a duração máxima do estágio?",
            "O estagiário tem direito a férias?",
            "Qual é a carga horária máxima do estágio?",
            "Estágio gera vínculo de emprego?",
            "Quem paga o seguro contra acidentes do estagiário?",
            "Como trancar a matrícula?",
            "Qual a nota mínima para ser aprovado?",
            "Qual a frequência mínima exigida?",
            "Como peço revisão de prova?",
            "O que é o Siscad?",
            "trancamento de matrícula",
            "Sobre o que é esse documento?",
        ],
    ),
    (
        "debian",
        &[
            "Who is the project leader?",
            "How is the Debian project leader elected?",
            "What is the quorum for a vote?",
            "What are the powers of the technical committee?",
            "How can the constitution be amended?",
            "What is Debian?",
            "Which architectures are supported?",
            "How long does the discussion period last?",
            "can a developer resign?",
            "casting vote",
            "Where do the codenames come from?",
            "what is this about",
        ],
    ),
];

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("collections")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("a copy")),
        }
    }
}

/// A server with the sample collections.
async fn world(options: &str) -> World {
    let world = World::start_with(options, |folder| copy(&samples(), folder)).await;
    let completed = async {
        for (collection, _) in RELATED {
            let list = format!("/v1/vector_stores/{collection}/documents");
            loop {
                let reply = world.get(&list).await;
                let statuses: Vec<_> = match reply.status {
                    200 => reply.json()["data"]
                        .as_array()
                        .expect("a list")
                        .iter()
                        .map(|d| d["status"].clone())
                        .collect(),
                    _ => Vec::new(),
                };
                if statuses.len() == 2 && statuses.iter().all(|status| status == "completed") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::time::timeout(EMBEDDED, completed).await.expect("the samples are read");
    world
}

/// What is not as it should be: the statuses of questions that got passages, or that got none.
async fn wrong(world: &World, table: &[(&str, &[&str])], passages: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (collection, questions) in table {
        for question in *questions {
            let headers = [("X-RAG-Collection", *collection)];
            let reply = world.post("/v1/rag/preview", &headers, question_body(question)).await;
            assert_eq!(reply.status, 200, "{question}: {}", reply.text());
            let shown = reply.json();
            let found = !shown["passages"].as_array().expect("passages").is_empty();
            if found != passages {
                wrong.push(format!("{collection}: {question} {}", shown["status"]));
            }
        }
    }
    wrong
}

/// Of 24 unrelated ones so many at most have passages; of the related ones none has no passage.
async fn judge(world: &World, at_most: usize) {
    let lost = wrong(world, RELATED, true).await;
    assert!(lost.is_empty(), "lost: {lost:?}");
    let taken = wrong(world, UNRELATED, false).await;
    println!("of 24 unrelated ones {} had passages: {taken:?}", taken.len());
    assert!(taken.len() <= at_most, "{taken:?}");
}

#[tokio::test]
async fn words_tell_most_of_what_is_unrelated() {
    judge(&world("").await, 4).await;
}

/// Needs the real models: `LASTRO_TEST_MODELS` names the folder that holds both.
#[tokio::test]
async fn vectors_tell_what_is_unrelated() {
    let Some(models) = std::env::var_os("LASTRO_TEST_MODELS").map(PathBuf::from) else {
        println!("skipped: LASTRO_TEST_MODELS is not set");
        return;
    };
    for (model, at_most) in [("all-MiniLM-L6-v2", 4), ("multilingual-e5-small", 3)] {
        let folder = models.join(model);
        let world = world(&format!("device = \"cpu\"\nembedding_model = {folder:?}")).await;
        judge(&world, at_most).await;
    }
}

#[tokio::test]
async fn a_floor_that_was_set_is_kept_to() {
    for (floor, status) in [("floor = -1.0", "lexical"), ("title = \"t\"", "empty")] {
        let world = World::start_with("window = 2000", |folder| {
            copy(&samples().join("universidade"), &folder.join("u"));
            fs::write(folder.join("u/collection.toml"), format!("{floor}\nlanguage = \"pt\""))
                .expect("settings");
        })
        .await;
        settled(&world, "u", 2).await;
        let reply =
            world.chat("u", "Quem ganhou a Copa do Mundo de futebol masculino no semestre?", &[]).await;
        assert_eq!(reply.header("x-rag-status"), Some(status), "{floor}");
    }
}
