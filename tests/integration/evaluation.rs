//! `lastro eval`: a dataset through the program, kept, compared, and a person's own questions.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::world::model::write_model;
use super::world::{World, within};

fn excerpt() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evaluation/faquad-excerpt")
}

/// Runs the command in a folder of the test's, where no settings are.
async fn eval(folder: &Path, dataset: &Path, arguments: &[&str]) -> Output {
    run("eval", folder, dataset, arguments).await
}

async fn run(command_name: &str, folder: &Path, dataset: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    // Nobody listens there: the window is not asked for.
    command.arg(command_name).arg(dataset).args(["--upstream", "http://127.0.0.1:9/v1"]).args(arguments);
    within(command.current_dir(folder).kill_on_drop(true).output()).await.expect("the command runs")
}

/// What a run that went well has printed and written.
async fn report(folder: &Path, dataset: &Path, arguments: &[&str]) -> (String, Value) {
    let arguments = [arguments, &["--json", "report.json"]].concat();
    let done = eval(folder, dataset, &arguments).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report = std::fs::read(folder.join("report.json")).expect("a report");
    (String::from_utf8(done.stdout).expect("text"), serde_json::from_slice(&report).expect("JSON"))
}

#[tokio::test]
async fn a_dataset_is_measured_through_the_program_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--candidates", "candidates.jsonl"];
    let (printed, report) = report(folder.path(), &excerpt(), &arguments).await;
    assert_eq!(report["dataset"]["questions"], 47);
    assert_eq!(report["dataset"]["documents"], 24);
    let words = &report["rankings"]["words"];
    let ndcg = words["measures"]["ndcg@10"].as_f64().expect("a figure");
    assert!(ndcg > 0.9 && ndcg <= 1.0, "{printed}");
    let prompts = &words["prompts"];
    assert!(prompts["answers"]["share"].as_f64().is_some_and(|share| share > 0.9), "{printed}");
    assert!(prompts["statuses"]["lexical"].as_u64().is_some_and(|count| count > 40), "{printed}");
    // Of each question, what a difference is told from.
    let first = &report["questions"][0];
    assert_eq!(first["relevant"][0], first["rankings"]["words"]["documents"][0], "{first}");
    assert_eq!(first["rankings"]["words"]["first"], 1);
    assert!(first["rankings"]["words"]["prompt"]["until_answer"].as_u64() > Some(0), "{first}");
    for says in ["no embedding model", "nDCG@10", "within 200", &format!("{ndcg:.4}")] {
        assert!(printed.contains(says), "no {says} in\n{printed}");
    }
    let candidates = std::fs::read_to_string(folder.path().join("candidates.jsonl")).expect("candidates");
    assert_eq!(candidates.lines().count(), 47);
    let line: Value = serde_json::from_str(candidates.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&line["candidates"][0]["grade"], &line["id"]), (&Value::from(1.0), &first["id"]));
    assert!(line["candidates"][0]["lexical"].as_f64() > Some(0.0));
    // The documents were in a temporary folder.
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    left.sort_by_key(std::fs::DirEntry::file_name);
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test]
async fn a_kept_corpus_is_used_again_and_runs_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    // A dataset of its own, which is changed between the runs.
    let set = folder.path().join("set");
    std::fs::create_dir(&set).expect("a folder");
    for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv", "answers.jsonl"] {
        std::fs::copy(excerpt().join(name), set.join(name)).expect("a copy");
    }
    let kept = ["--data", "kept"];
    let (_, first) = report(folder.path(), &set, &kept).await;
    std::fs::rename(folder.path().join("report.json"), folder.path().join("first.json")).expect("renamed");
    let database = folder.path().join("kept/lastro.sqlite3");
    let connection = rusqlite::Connection::open(&database).expect("the database");
    let chunks = || -> Vec<i64> {
        let mut ids = connection.prepare("SELECT id FROM chunks ORDER BY id").expect("chunks");
        ids.query_map([], |row| row.get(0)).expect("rows").map(|id| id.expect("an id")).collect()
    };
    let before = chunks();
    let again = [&kept[..], &["--compare", "first.json"]].concat();
    let (printed, second) = report(folder.path(), &set, &again).await;
    assert_eq!(chunks(), before, "nothing was read again");
    assert_eq!(first["rankings"]["words"]["measures"], second["rankings"]["words"]["measures"]);
    assert!(
        printed.contains("over the 47 questions of both") && printed.contains("unchanged: words nDCG@10"),
        "{printed}"
    );
    // A paragraph goes, one is edited, and one appears twice.
    let corpus = std::fs::read_to_string(set.join("corpus.jsonl")).expect("a corpus");
    let mut lines: Vec<Value> =
        corpus.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let gone = lines.remove(3)["_id"].clone();
    lines[0]["text"] = "Um texto muito diferente.".into();
    let mut copy = lines[5].clone();
    copy["_id"] = "copy".into();
    lines.push(copy);
    let corpus: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(set.join("corpus.jsonl"), corpus).expect("a corpus");
    let (printed, third) = report(folder.path(), &set, &again).await;
    assert_eq!(third["dataset"]["documents"], 23);
    let after = chunks();
    assert!(before.iter().filter(|id| !after.contains(id)).count() >= 2, "{after:?}");
    assert_eq!(
        after.iter().filter(|id| !before.contains(id)).count(),
        1,
        "only the edited one was read: {after:?}"
    );
    let gone = gone.as_str().expect("an id");
    for says in [gone, "the text of another one", "not there, left out: 2", "worse by nDCG@10", "-1.0000"] {
        assert!(printed.contains(says), "no {says} in\n{printed}");
    }
}

#[tokio::test]
async fn questions_of_ones_own_are_asked_of_a_collection() {
    let mut world = World::start("").await;
    let documents = [
        ("f\u{e9}rias.txt", "As f\u{e9}rias s\u{e3}o de trinta dias por ano de trabalho."),
        ("valve.txt", "The valve is closed at noon."),
        ("lamp.txt", "The lamp is lit at dusk."),
    ];
    world.upload("manual", &documents).await;
    let folder = world.collections();
    let table = folder.join("perguntas.csv");
    let rows = "Pergunta;Documento;Texto;Resposta\nQuantos dias de ferias?;FERIAS;;trinta dias\nWhen is the valve closed?;;closed at noon;\nWhen is the lamp lit?;nosuch.pdf | lamp.txt;;\nWho?;;never written;\n";
    std::fs::write(&table, rows).expect("a table");
    let data = world.data();
    let data = data.to_str().expect("a path");
    // Whoever holds the folder is named.
    let held = eval(&folder, &table, &["--data", data, "--collection", "manual"]).await;
    let said = String::from_utf8_lossy(&held.stderr);
    assert!(!held.status.success() && said.contains("--data") && said.contains("stop"), "{said}");
    world.stop().await;
    let (printed, report) = report(&folder, &table, &["--data", data, "--collection", "manual"]).await;
    assert_eq!(report["dataset"]["judged"], 3, "{printed}");
    let questions = report["questions"].as_array().expect("questions");
    let relevant: Vec<_> = questions.iter().filter_map(|asked| asked["relevant"][0].as_str()).collect();
    assert_eq!(relevant, ["f\u{e9}rias.txt", "valve.txt", "lamp.txt"], "{printed}");
    assert_eq!(report["rankings"]["words"]["measures"]["mrr@10"], 1.0, "{printed}");
    assert_eq!(
        report["oddities"]["expected documents that are not in the collection"]["first"][0],
        "nosuch.pdf"
    );
    assert_eq!(report["oddities"]["expected texts that are in no document"]["count"], 1);
}

#[tokio::test]
async fn what_cannot_be_evaluated_says_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("questions.csv");
    std::fs::write(&table, "question,document\nWho?,a.txt\n").expect("a table");
    std::fs::write(folder.path().join("notes.json"), "{}").expect("a file");
    let excerpt = excerpt();
    for (dataset, arguments, says) in [
        (Path::new("nosuch"), &[][..], "no such file or folder"),
        (folder.path(), &[], "no corpus.jsonl in it: expected a folder with"),
        (&table, &[], "--collection"),
        (&table, &["--data", "data", "--collection", "nosuch"], "nosuch"),
        (&excerpt, &["--collection", "manual"], "leave --collection out"),
        (&excerpt, &["--compare", "notes.json"], "no report of lastro eval --json"),
        (&excerpt, &["--ranking", "meaning"], "--embedding-model"),
        (&excerpt, &["--ranking", "best"], "possible values: words, meaning"),
        (&table, &["--data", "data", "--collection", "nosuch", "--json", "notes.json"], "nosuch"),
    ] {
        let done = eval(folder.path(), dataset, arguments).await;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(says), "{dataset:?} {arguments:?}: {said}");
        assert!(done.stdout.is_empty());
    }
    let notes = std::fs::read_to_string(folder.path().join("notes.json")).expect("a file");
    assert_eq!(notes, "{}", "what an earlier run has written stays");
}

/// Questions of one set asked of the documents of another: none can be answered, and what is told is how many were told so.
#[tokio::test]
async fn questions_may_be_asked_of_the_documents_of_another_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("cooking");
    std::fs::create_dir(&other).expect("a folder");
    let corpus = "{\"_id\": \"1\", \"text\": \"Boil the eggs for six minutes.\"}\n";
    std::fs::write(other.join("corpus.jsonl"), corpus).expect("a corpus");
    let arguments = ["--corpus", "cooking", "--questions", "5"];
    let (printed, report) = report(folder.path(), &excerpt(), &arguments).await;
    assert_eq!((&report["dataset"]["judged"], &report["dataset"]["questions"]), (&0.into(), &5.into()));
    assert!(report["rankings"]["words"]["measures"].is_null());
    let statuses = report["rankings"]["words"]["prompts"]["statuses"].as_object().expect("statuses");
    let all: u64 = statuses.values().filter_map(Value::as_u64).sum();
    assert_eq!(all, 5, "{printed}");
}

#[tokio::test]
async fn a_model_is_calibrated_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = run("calibrate", folder.path(), &excerpt(), &[]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--embedding-model"), "{said}");
    let model = tempfile::tempdir().expect("a folder");
    write_model(model.path());
    let model = model.path().to_str().expect("a path");
    let arguments = ["--embedding-model", model, "--device", "cpu", "--questions", "20"];
    let done = run("calibrate", folder.path(), &excerpt(), &arguments).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout).expect("text");
    assert!(printed.contains("others told") && printed.contains("faquad-excerpt"), "{printed}");
    let line: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
    for lift in ["without_words", "with_words", "other_language"] {
        assert!(line["relevance"][lift].is_number(), "{printed}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
