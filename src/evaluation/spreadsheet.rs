//! A person's own questions as a table: CSV as spreadsheets write it, in English or Portuguese.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::dataset::{Dataset, Expected, Question};
use super::error::EvaluationError;
use crate::words::{folded, one_line};

/// What a column holds, and the names that say so.
const COLUMNS: [(Column, &[&str]); 5] = [
    (Column::Id, &["id", "_id", "numero", "number", "codigo"]),
    (Column::Question, &["question", "query", "pergunta", "questao", "consulta"]),
    (
        Column::Document,
        &[
            "document",
            "expected document",
            "documents",
            "file",
            "filename",
            "file name",
            "source",
            "documento",
            "documento esperado",
            "documentos",
            "arquivo",
            "nome do arquivo",
            "ficheiro",
            "fonte",
        ],
    ),
    (
        Column::Text,
        &[
            "text",
            "expected text",
            "passage",
            "expected passage",
            "excerpt",
            "texto",
            "texto esperado",
            "trecho",
            "trecho esperado",
            "passagem",
            "passagem esperada",
        ],
    ),
    (Column::Answer, &["answer", "expected answer", "answers", "resposta", "resposta esperada", "respostas"]),
];

const EXPECTED: &str = "expected a first row with the columns question and document or text (in Portuguese: pergunta and documento or texto)";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Id,
    Question,
    Document,
    Text,
    Answer,
}

/// Reads a table of questions. Commas, semicolons or tabs separate its columns; rows of the same question are one.
pub fn read_spreadsheet(path: &Path) -> Result<Dataset, EvaluationError> {
    let bytes = std::fs::read(path).map_err(EvaluationError::io(path))?;
    let text = decoded(&bytes);
    let problem = |problem: String| EvaluationError::dataset(path, problem);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .has_headers(true)
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| problem(format!("{error}: {EXPECTED}")))?.clone();
    let columns = columns(&header);
    if !columns.contains_key(&Column::Question) {
        let found: Vec<&str> = header.iter().collect();
        return Err(problem(format!("no column of questions, but {found:?}: {EXPECTED}")));
    }
    if !columns.keys().any(|column| *column > Column::Question) {
        return Err(problem(format!("nothing says what should be found: {EXPECTED}")));
    }
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut dataset = Dataset { name, ..Dataset::default() };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    // Row 1 names the columns.
    for (number, row) in (2..).zip(reader.records()) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                dataset.oddities.add("rows that cannot be read, left out", error.to_string());
                continue;
            }
        };
        let field =
            |column: Column| columns.get(&column).and_then(|at| row.get(*at)).unwrap_or_default().trim();
        let text = one_line(field(Column::Question));
        let expected = [Column::Document, Column::Text, Column::Answer].map(field);
        if row.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        if text.is_empty() {
            dataset.oddities.add("rows without a question, left out", format!("row {number}"));
            continue;
        }
        if expected.iter().all(|field| field.is_empty()) {
            dataset.oddities.add("rows that say nothing of what should be found", format!("row {number}"));
        }
        let at = *known.entry(text.clone()).or_insert_with(|| {
            let id = match field(Column::Id) {
                "" => format!("row {number}"),
                id => id.to_owned(),
            };
            dataset.questions.push(Question { id, text, ..Question::default() });
            dataset.questions.len() - 1
        });
        let [documents, texts, answers] = expected.map(|field| (!field.is_empty()).then(|| field.to_owned()));
        let question = &mut dataset.questions[at];
        let Expected { documents: known_documents, texts: known_texts } = &mut question.expected;
        known_documents.extend(documents);
        known_texts.extend(texts);
        question.answers.extend(answers);
    }
    if dataset.questions.is_empty() {
        return Err(problem(format!("no question in it: {EXPECTED}")));
    }
    mend_ids(&mut dataset);
    Ok(dataset)
}

/// Spreadsheets write UTF-8, or else what Windows does in Western Europe and the Americas; UTF-16 where it says so.
fn decoded(bytes: &[u8]) -> String {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    encoding.decode(bytes).0.into_owned()
}

/// The separator that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // Of equally many the first one here.
    [b'\t', b';', b','].into_iter().rev().max_by_key(count).unwrap_or(b',')
}

/// Where each column is, whatever the spelling of its name.
fn columns(header: &StringRecord) -> BTreeMap<Column, usize> {
    let plain = |name: &str| {
        let letters: String = folded(name).map(|c| if "_-".contains(c) { ' ' } else { c }).collect();
        one_line(&letters)
    };
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        let name = plain(name);
        let column = COLUMNS.iter().find(|(_, names)| names.iter().any(|known| plain(known) == name));
        if let Some((column, _)) = column {
            columns.entry(*column).or_insert(at);
        }
    }
    columns
}

/// Gives a second question of an id one of its own.
fn mend_ids(dataset: &mut Dataset) {
    let mut seen = std::collections::BTreeSet::new();
    for (number, question) in (1..).zip(&mut dataset.questions) {
        if !seen.insert(question.id.clone()) {
            dataset.oddities.add("ids of several questions, made different", &question.id);
            question.id = format!("{} ({number})", question.id);
            seen.insert(question.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Dataset, EvaluationError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("it is written");
        read_spreadsheet(file.path())
    }

    #[test]
    fn a_table_in_portuguese_as_excel_writes_it() {
        let table = "Pergunta;Documento esperado;Texto;Resposta\r\n\"Quando f\u{e9}rias;\r\n vencem?\";manual.pdf;;30 dias\r\nQuem?;;\"o \"\"diretor\"\"\";\r\n;x.pdf;;\r\n;;;\r\nQuando f\u{e9}rias; vencem?;\r\n";
        let (latin, _, _) = WINDOWS_1252.encode(table);
        for bytes in [latin.as_ref(), table.as_bytes(), format!("\u{feff}{table}").as_bytes()] {
            let dataset = read(bytes).expect("a table");
            let first = &dataset.questions[0];
            assert_eq!((first.text.as_str(), first.id.as_str()), ("Quando f\u{e9}rias; vencem?", "row 2"));
            assert_eq!(first.expected.documents, ["manual.pdf"]);
            assert_eq!(
                (first.answers.as_slice(), first.expected.texts.len()),
                (&["30 dias".to_owned()][..], 0)
            );
            assert_eq!(dataset.questions[1].expected.texts, ["o \"diretor\""]);
            assert_eq!(dataset.oddities.count("rows without a question, left out"), 1);
        }
    }

    #[test]
    fn rows_of_one_question_are_one_and_ids_are_told_apart() {
        let table = "id,question,expected_document\n1,Who?,a.txt\n1,Who?,b.txt\n1,When?,a.txt\n2,Why?,\n";
        let dataset = read(table.as_bytes()).expect("a table");
        let ids: Vec<_> = dataset.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(ids, ["1", "1 (2)", "2"]);
        assert_eq!(dataset.questions[0].expected.documents, ["a.txt", "b.txt"]);
        assert_eq!(dataset.oddities.count("rows that say nothing of what should be found"), 1);
    }

    #[test]
    fn what_cannot_be_used_says_what_was_expected() {
        for (table, says) in [
            ("", "no column of questions"),
            ("a,b\n1,2\n", "\"a\", \"b\""),
            ("question,notes\nWho?,x\n", "nothing says what should be found"),
            ("question,document\n,x\n", "no question in it"),
        ] {
            let error = read(table.as_bytes()).expect_err(table).to_string();
            assert!(error.contains(says) && error.contains("pergunta"), "{table:?}: {error}");
        }
    }
}
