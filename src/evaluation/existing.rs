//! What a person expects, looked up in a collection that is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answers::{comparable, holds};
use super::dataset::Dataset;
use super::error::EvaluationError;
use super::oddities::Oddities;
use super::progress::Progress;
use super::subject::Subject;
use super::vectors::until_embedded;
use crate::app::App;
use crate::collection::Collection;
use crate::store::{ChunkRecord, DocumentRecord};
use crate::tasks::blocking;
use crate::words::{beginning, folded, one_line};

/// Reading one document takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a text that are shown.
const SHOWN: usize = 60;

/// An expected text that is looked for.
struct Wanted {
    /// The question's place.
    question: usize,
    text: String,
    seen: bool,
}

/// Looks up the documents that questions expect by name, by id or by a text of theirs, in a collection.
pub async fn look_up(
    app: &App,
    collection: Arc<Collection>,
    dataset: &mut Dataset,
    progress: Progress<'_>,
) -> Result<Subject, EvaluationError> {
    until_embedded(app, &collection, &mut dataset.oddities, progress).await?;
    let documents = app.catalog.store().documents(&collection.id).await?;
    let names = names(&documents);
    by_name(&documents, &names, dataset);
    by_text(app, &collection, &documents, &names, dataset, progress).await?;
    Ok(Subject { collection, names })
}

/// What each document is called: by its file's name where only one has that, and else by its id.
fn names(documents: &[DocumentRecord]) -> HashMap<String, String> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for document in documents {
        *times.entry(&document.filename).or_default() += 1;
    }
    let name = |document: &DocumentRecord| match times.get(document.filename.as_str()) {
        Some(1) => document.filename.clone(),
        _ => document.id.0.clone(),
    };
    documents.iter().map(|document| (document.id.0.clone(), name(document))).collect()
}

/// Judges the documents that are expected by name or id: `Handbook.pdf`, `handbook.PDF` and `handbook` are the same.
fn by_name(documents: &[DocumentRecord], names: &HashMap<String, String>, dataset: &mut Dataset) {
    let mut known: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for document in documents {
        let file = document.filename.as_str();
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut keys = [&document.id.0, file, stem].map(key).to_vec();
        keys.dedup();
        for key in keys {
            known.entry(key).or_default().push(&names[&document.id.0]);
        }
    }
    for question in &mut dataset.questions {
        for expected in &question.expected.documents {
            // Several in one field, unless that is a name.
            let whole = known.get(&key(expected));
            let parts = expected.split([';', '|']).filter(|part| !part.trim().is_empty());
            let found: Vec<_> = match whole {
                Some(found) => vec![(expected.as_str(), Some(found))],
                None => parts.map(|part| (part, known.get(&key(part)))).collect(),
            };
            for (part, found) in found {
                match found {
                    Some(found) => {
                        question.grades.extend(found.iter().map(|name| ((*name).to_owned(), 1.0)));
                    }
                    None => {
                        dataset.oddities.add("expected documents that are not in the collection", part.trim())
                    }
                }
            }
        }
    }
}

fn key(name: &str) -> String {
    folded(name.trim()).collect()
}

/// Judges the documents that hold an expected text, which also answers its question.
async fn by_text(
    app: &App,
    collection: &Collection,
    documents: &[DocumentRecord],
    names: &HashMap<String, String>,
    dataset: &mut Dataset,
    progress: Progress<'_>,
) -> Result<(), EvaluationError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for (number, question) in dataset.questions.iter_mut().enumerate() {
        question.answers.extend(question.expected.texts.iter().cloned());
        let texts = question.expected.texts.iter().map(|text| comparable(text));
        wanted.extend(texts.map(|text| Wanted { question: number, text, seen: false }));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    for (done, document) in documents.iter().enumerate() {
        progress("looking up", done, documents.len());
        let (store, deadline) = (app.catalog.store(), Instant::now() + PATIENCE);
        let keys = [document.key];
        let chunks = store.whole_documents(&collection.id, Some(&keys), usize::MAX, deadline).await?;
        let chunks = chunks.unwrap_or_default();
        let held: Vec<usize>;
        (wanted, held) = blocking(move || {
            let text = comparable(&joined(&chunks));
            let held = |(at, wanted): (usize, &Wanted)| holds(&text, &wanted.text).then_some(at);
            let held = wanted.iter().enumerate().filter_map(held).collect();
            Ok::<_, EvaluationError>((wanted, held))
        })
        .await?;
        for at in held {
            wanted[at].seen = true;
            let grades = &mut dataset.questions[wanted[at].question].grades;
            grades.insert(names[&document.id.0].clone(), 1.0);
        }
    }
    told_unseen(&wanted, &mut dataset.oddities);
    Ok(())
}

fn told_unseen(wanted: &[Wanted], oddities: &mut Oddities) {
    for wanted in wanted.iter().filter(|wanted| !wanted.seen) {
        oddities
            .add("expected texts that are in no document", format!("{:?}", beginning(&wanted.text, SHOWN)));
    }
}

/// A document's text, of which neighbouring chunks repeat a part.
fn joined(chunks: &[ChunkRecord]) -> String {
    let (mut text, mut end) = (String::new(), 0);
    for record in chunks {
        text.push_str(record.chunk.text_after(end));
        text.push('\n');
        end = record.chunk.end;
    }
    one_line(&text)
}
