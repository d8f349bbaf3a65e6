//! Questions that words alone must answer rightly, over one index as a chat uses it.

use super::*;

const PAIRS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/words/pairs.tsv"));

/// A question, the text that it must find, and one that must not come before it. Without a text to be found, the other
/// must not be found.
struct Pair<'a> {
    line: usize,
    languages: (&'a str, &'a str),
    question: &'a str,
    text: Option<&'a str>,
    other: &'a str,
}

fn pairs() -> Vec<Pair<'static>> {
    let lines = PAIRS.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    let pair = |(at, line): (usize, &'static str)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [languages, question, text, other] = fields[..] else { panic!("line {}: {line}", at + 1) };
        let languages = languages.split_once('/').unwrap_or((languages, languages));
        Pair { line: at + 1, languages, question, text: (text != "-").then_some(text), other }
    };
    lines.map(pair).collect()
}

#[test]
fn questions_find_their_texts_before_others() -> Result<(), IndexError> {
    let pairs = pairs();
    assert!(pairs.len() >= 150, "{} pairs", pairs.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lexical");
    let index = LexicalIndex::begin_beside(&path, "a-store", Languages::Own)?.take_place(&path)?;
    let row = |number: usize, text: &str, language: &str| LexicalRow {
        chunk: number as u64,
        document: number as i64,
        language: Some(language.to_owned()),
        text: text.to_owned(),
    };
    let mut added = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        added.extend(pair.text.map(|text| row(2 * number, text, pair.languages.0)));
        added.push(row(2 * number + 1, pair.other, pair.languages.1));
    }
    index.apply(&LexicalBatch { revision: 1, removed: Vec::new(), added })?;
    let mut failed = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        let found = index.search(pair.question, 100, &Filter::Everything)?;
        let place = |chunk: usize| found.iter().position(|found| found.chunk == chunk as u64);
        let (text, other) = (place(2 * number), place(2 * number + 1));
        let right = match pair.text {
            Some(_) => text.is_some_and(|text| other.is_none_or(|other| text < other)),
            None => other.is_none(),
        };
        if !right {
            let Pair { line, question, .. } = pair;
            failed.push(format!("line {line}: {question}: the text is at {text:?}, the other at {other:?}"));
        }
    }
    assert!(failed.is_empty(), "{} of {} fail:\n{}", failed.len(), pairs.len(), failed.join("\n"));
    Ok(())
}
