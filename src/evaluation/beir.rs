//! Folders as the BEIR benchmark has them: `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` or `qrels/test.tsv`; beside
//! them `answers.jsonl`, with the texts that answer a question.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::dataset::{Corpus, Dataset, Entry, Grades, Question};
use super::error::EvaluationError;
use super::oddities::Oddities;

/// What a folder should hold, for whoever named another one.
const EXPECTED: &str = "expected a folder with corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv), or a CSV of questions";

/// Reads the documents of a folder.
pub fn read_corpus(folder: &Path) -> Result<Corpus, EvaluationError> {
    let path = file(folder, "corpus.jsonl")?;
    let mut corpus = Corpus { name: name(folder), ..Corpus::default() };
    for record in records(&path, &mut corpus.oddities)? {
        let Some(id) = id(&record, "_id") else {
            corpus.oddities.add("documents without an _id, left out", excerpt(&record));
            continue;
        };
        if !corpus.ids.insert(id.clone()) {
            corpus.oddities.add("documents of an _id that came before, left out", id);
            continue;
        }
        let part = |key| record.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        let (title, text) = (part("title"), part("text"));
        let text = if title.is_empty() { text.to_owned() } else { format!("{title}\n\n{text}") };
        if text.trim().is_empty() {
            corpus.oddities.add("documents without text, left out", id);
            continue;
        }
        corpus.entries.push(Entry { id, text });
    }
    if corpus.entries.is_empty() {
        let problem = r#"no document in it: expected lines of {"_id": "...", "title": "...", "text": "..."}"#;
        return Err(EvaluationError::dataset(&path, problem));
    }
    Ok(corpus)
}

/// Reads the questions of a folder, which are asked of these documents.
pub fn read_folder(folder: &Path, corpus: &Corpus) -> Result<Dataset, EvaluationError> {
    let path = file(folder, "queries.jsonl")?;
    let mut dataset = Dataset { name: name(folder), ..Dataset::default() };
    let mut grades = read_judgements(folder, corpus, &mut dataset.oddities)?;
    let mut answers = read_answers(folder, &mut dataset.oddities)?;
    let mut seen = HashSet::new();
    for record in records(&path, &mut dataset.oddities)? {
        let Some(id) = id(&record, "_id") else {
            dataset.oddities.add("questions without an _id, left out", excerpt(&record));
            continue;
        };
        let text = record.get("text").and_then(Value::as_str).unwrap_or_default().trim();
        if !seen.insert(id.clone()) {
            dataset.oddities.add("questions of an _id that came before, left out", id);
        } else if text.is_empty() {
            dataset.oddities.add("questions without text, left out", &id);
            grades.remove(&id);
            answers.remove(&id);
        } else {
            let (grades, answers) = (grades.remove(&id), answers.remove(&id));
            dataset.questions.push(Question {
                text: text.to_owned(),
                grades: grades.unwrap_or_default(),
                answers: answers.unwrap_or_default(),
                id,
                ..Question::default()
            });
        }
    }
    for question in grades.into_keys().collect::<BTreeSet<_>>() {
        dataset.oddities.add("judgements of questions that are not there", question);
    }
    for question in answers.into_keys().collect::<BTreeSet<_>>() {
        dataset.oddities.add("answers to questions that are not there", question);
    }
    if dataset.questions.is_empty() {
        let problem = r#"no question in it: expected lines of {"_id": "...", "text": "..."}"#;
        return Err(EvaluationError::dataset(&path, problem));
    }
    Ok(dataset)
}

/// Judgements by question. There may be none, where questions are asked that these documents do not answer.
fn read_judgements(
    folder: &Path,
    corpus: &Corpus,
    oddities: &mut Oddities,
) -> Result<HashMap<String, Grades>, EvaluationError> {
    let mut all: HashMap<String, Grades> = HashMap::new();
    let names = ["qrels.tsv", "qrels/test.tsv"].map(|name| folder.join(name));
    let Some(path) = names.into_iter().find(|path| path.is_file()) else {
        oddities.add("no judgements: neither qrels.tsv nor qrels/test.tsv", folder.display().to_string());
        return Ok(all);
    };
    let (mut seen, mut positive) = (0, 0);
    for (number, line) in (1..).zip(lines(&path)?) {
        let line = line.map_err(EvaluationError::io(&path))?;
        let fields: Vec<&str> = match line.contains('\t') {
            true => line.split('\t').map(str::trim).collect(),
            false => line.split_whitespace().collect(),
        };
        let read = match fields[..] {
            [] => continue,
            // trec_eval has a column between that nobody uses.
            [question, document, score] | [question, _, document, score] => {
                score.parse().ok().map(|score: f64| (question, document, score))
            }
            _ => None,
        };
        let Some((question, document, score)) = read.filter(|(.., score)| score.is_finite()) else {
            // The first line names the columns.
            if number > 1 {
                oddities.add("judgements that cannot be read, left out", format!("line {number}"));
            }
            continue;
        };
        seen += 1;
        positive += usize::from(score > 0.0);
        if !corpus.ids.contains(document) {
            oddities.add("judgements of documents that are not there, left out", document);
            continue;
        }
        let grades = all.entry(question.to_owned()).or_default();
        if grades.insert(document.to_owned(), score).is_some_and(|before| before != score) {
            oddities.add("judgements made twice, of which the last counts", format!("{question} {document}"));
        }
    }
    if seen == 0 || positive == 0 {
        let problem = "no positive judgement in it: expected lines of a question's id, a document's id and a score above 0, between tabs";
        return Err(EvaluationError::dataset(&path, problem));
    }
    Ok(all)
}

fn read_answers(
    folder: &Path,
    oddities: &mut Oddities,
) -> Result<BTreeMap<String, Vec<String>>, EvaluationError> {
    let path = folder.join("answers.jsonl");
    let mut all = BTreeMap::new();
    if !path.is_file() {
        return Ok(all);
    }
    for record in records(&path, oddities)? {
        let answers = record.get("answers").and_then(Value::as_array);
        let texts = answers.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let texts: Vec<String> = texts.filter(|answer| !answer.trim().is_empty()).collect();
        match id(&record, "_id").filter(|_| !texts.is_empty()) {
            Some(id) => all.entry(id).or_insert_with(Vec::new).extend(texts),
            None => oddities.add("answers without an _id or a text, left out", excerpt(&record)),
        }
    }
    Ok(all)
}

/// The objects of a file of JSON lines.
fn records(path: &Path, oddities: &mut Oddities) -> Result<Vec<Map<String, Value>>, EvaluationError> {
    let mut records = Vec::new();
    for (number, line) in (1..).zip(lines(path)?) {
        let line = line.map_err(EvaluationError::io(path))?;
        let line = line.trim();
        match serde_json::from_str(line) {
            Ok(Value::Object(record)) => records.push(record),
            _ if line.is_empty() => {}
            _ => oddities.add("lines that are no JSON objects, left out", {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                format!("{file} line {number}")
            }),
        }
    }
    Ok(records)
}

/// The lines of a file, without a mark of its encoding. What is no UTF-8 in them is replaced.
fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>, EvaluationError> {
    let file = File::open(path).map_err(EvaluationError::io(path))?;
    let lines = BufReader::new(file).split(b'\n');
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned();
    Ok(lines.map(move |line| line.map(text)))
}

fn file(folder: &Path, name: &str) -> Result<PathBuf, EvaluationError> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(EvaluationError::dataset(folder, format!("no {name} in it: {EXPECTED}")))
}

/// The folder's own name, wherever it is seen from.
fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "dataset".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// An id, which some files have as a number.
fn id(record: &Map<String, Value>, key: &str) -> Option<String> {
    match record.get(key)? {
        Value::String(id) => Some(id.trim().to_owned()).filter(|id| !id.is_empty()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn excerpt(record: &Map<String, Value>) -> String {
    let text = ["text", "title"].into_iter().find_map(|key| record.get(key)?.as_str());
    let text = text.map(crate::words::one_line).unwrap_or_default();
    format!("{:?}", crate::words::beginning(&text, 40))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    const CORPUS: &str = "\u{feff}{\"_id\": \"a\", \"title\": \"Valves\", \"text\": \"One.\"}\n\n{\"_id\": 7, \"text\": \"Seven.\"}\n{\"_id\": \"a\", \"text\": \"again\"}\n{\"text\": \"nobody\"}\nnot json\n{\"_id\": \"empty\", \"title\": \" \", \"text\": null}\n";
    const QUERIES: &str = "{\"_id\": \"1\", \"text\": \"first?\"}\n{\"_id\": 2, \"text\": \"second?\"}\n{\"_id\": \"2\", \"text\": \"twice?\"}\n{\"_id\": \"3\"}\n{\"_id\": \"4\", \"text\": \"unjudged?\"}";

    #[test]
    fn what_is_odd_is_counted_and_the_rest_is_read() {
        let qrels = "query-id\tcorpus-id\tscore\r\n1\ta\t2\r\n1\t7\t0\n2\t7\t1\n2\tgone\t1\n9\ta\t1\n1\ta\tmany\n3\ta\t1\n";
        let answers = "{\"_id\": \"1\", \"answers\": [\"One\", \"\"]}\n{\"_id\": \"8\", \"answers\": [\"x\"]}\n{\"_id\": \"2\", \"answers\": []}";
        let folder = folder(&[
            ("corpus.jsonl", CORPUS),
            ("queries.jsonl", QUERIES),
            ("qrels/test.tsv", qrels),
            ("answers.jsonl", answers),
        ]);
        let corpus = read_corpus(folder.path()).expect("a corpus");
        let expected = [("a", "Valves\n\nOne."), ("7", "Seven.")];
        let expected = expected.map(|(id, text)| Entry { id: id.into(), text: text.into() });
        assert_eq!(corpus.entries, expected);
        for kind in [
            "documents of an _id that came before, left out",
            "documents without an _id, left out",
            "lines that are no JSON objects, left out",
            "documents without text, left out",
        ] {
            assert_eq!(corpus.oddities.count(kind), 1, "{kind}");
        }
        let dataset = read_folder(folder.path(), &corpus).expect("questions");
        let ids: Vec<_> = dataset.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "4"]);
        assert_eq!(dataset.questions[0].grades, Grades::from([("a".into(), 2.0), ("7".into(), 0.0)]));
        assert_eq!(dataset.questions[0].answers, ["One"]);
        for kind in [
            "judgements of documents that are not there, left out",
            "judgements of questions that are not there",
            "judgements that cannot be read, left out",
            "questions of an _id that came before, left out",
            "questions without text, left out",
            "answers to questions that are not there",
            "answers without an _id or a text, left out",
        ] {
            assert_eq!(dataset.oddities.count(kind), 1, "{kind}: {:?}", dataset.oddities);
        }
    }

    #[test]
    fn judgements_in_trec_columns_are_read_and_missing_ones_are_said() {
        let with = folder(&[
            ("corpus.jsonl", CORPUS),
            ("queries.jsonl", QUERIES),
            ("qrels.tsv", "\u{feff}1 0 a 1\n"),
        ]);
        let corpus = read_corpus(with.path()).expect("a corpus");
        assert!(read_folder(with.path(), &corpus).expect("questions").questions[0].is_judged());
        let without = folder(&[("queries.jsonl", QUERIES)]);
        let dataset = read_folder(without.path(), &corpus).expect("questions");
        assert!(dataset.oddities.lines().any(|line| line.contains("no judgements")));
    }

    #[test]
    fn what_cannot_be_used_says_what_was_expected() {
        let nothing = folder(&[]);
        let error = read_corpus(nothing.path()).expect_err("no corpus").to_string();
        assert!(error.contains("no corpus.jsonl") && error.contains("queries.jsonl"), "{error}");
        let empty = folder(&[("corpus.jsonl", "\n{}\n"), ("queries.jsonl", "")]);
        let error = read_corpus(empty.path()).expect_err("an empty one").to_string();
        assert!(error.contains("no document in it"), "{error}");
        let corpus = Corpus::default();
        let error = read_folder(empty.path(), &corpus).expect_err("no questions").to_string();
        assert!(error.contains("no question in it"), "{error}");
        let zeros = folder(&[("queries.jsonl", QUERIES), ("qrels.tsv", "a\tb\tc\n1\ta\t0\n")]);
        let error = read_folder(zeros.path(), &corpus).expect_err("no judgement").to_string();
        assert!(error.contains("no positive judgement"), "{error}");
    }
}
