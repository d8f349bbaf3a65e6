//! A dataset's documents in a collection, by the way of an upload: what is there already is used again.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::dataset::{Corpus, Dataset, Grades};
use super::error::EvaluationError;
use super::oddities::Oddities;
use super::progress::Progress;
use super::subject::Subject;
use super::vectors::until_embedded;
use crate::access::Access;
use crate::app::App;
use crate::collection::{Collection, is_handle};
use crate::ingest::clean_filename;
use crate::store::{DocumentId, OnConflict, Status};

/// Uploads at a time: most of each waits for the disk.
const UPLOADS: usize = 4;
/// How often is said how far it is.
const MOMENT: Duration = Duration::from_millis(500);
/// Bytes of an id in a file's name.
const MOST_NAME: usize = 120;

/// Makes a collection equal to a corpus, and waits until all of it can be found. Judgements of documents with the same
/// text become those of the first of them: they are one document here.
pub async fn bring_in(
    app: &App,
    corpus: Corpus,
    dataset: &mut Dataset,
    progress: Progress<'_>,
) -> Result<Subject, EvaluationError> {
    let access = Access::everything();
    let collection = app.catalog.find_or_create(&access, &collection_name(&corpus.name)).await?;
    dataset.oddities.extend(corpus.oddities);
    // By the bytes of each text: the first entry that has it, and the text.
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut same: HashMap<String, String> = HashMap::new();
    for entry in corpus.entries {
        let sha256 = hex::encode(Sha256::digest(entry.text.as_bytes()));
        if let Some((first, _)) = texts.get(&sha256) {
            dataset.oddities.add("documents with the text of another one, taken for that", &entry.id);
            same.insert(entry.id, first.clone());
        } else {
            texts.insert(sha256, (entry.id, entry.text));
        }
    }
    for question in &mut dataset.questions {
        question.grades = with_first_ids(std::mem::take(&mut question.grades), &same);
    }
    let ids: HashMap<String, String> =
        texts.iter().map(|(sha256, (id, _))| (sha256.clone(), id.clone())).collect();
    upload(app, &access, &collection, texts, progress).await?;
    until_read(app, &collection, &ids, &mut dataset.oddities, progress).await?;
    until_embedded(app, &collection, &mut dataset.oddities, progress).await?;
    let documents = app.catalog.store().documents(&collection.id).await?;
    let names = documents.into_iter().filter_map(|document| {
        let id = ids.get(&document.sha256)?;
        Some((document.id.0, id.clone()))
    });
    Ok(Subject { names: names.collect(), collection })
}

/// What a corpus is called as a collection.
fn collection_name(corpus: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = format!("eval-{corpus}").chars().map(plain).take(64).collect();
    debug_assert!(is_handle(&name));
    name
}

fn with_first_ids(grades: Grades, same: &HashMap<String, String>) -> Grades {
    let mut merged = Grades::new();
    for (document, grade) in grades {
        let document = same.get(&document).cloned().unwrap_or(document);
        let entry = merged.entry(document).or_insert(grade);
        *entry = entry.max(grade);
    }
    merged
}

/// Removes what the corpus has no more, tries again what failed, and uploads what is missing.
async fn upload(
    app: &App,
    access: &Access,
    collection: &Collection,
    mut missing: BTreeMap<String, (String, String)>,
    progress: Progress<'_>,
) -> Result<(), EvaluationError> {
    for document in app.catalog.store().documents(&collection.id).await? {
        match missing.remove(&document.sha256) {
            None => app.catalog.delete_document(collection, &document.id).await?,
            Some(_) if document.status == Status::Failed => {
                app.ingest.retry(collection, &document.id).await?;
            }
            Some(_) => {}
        }
    }
    let all = missing.len();
    // In the order of their ids: what is found does not depend on hashes.
    let missing: BTreeMap<String, String> = missing.into_values().collect();
    let uploads = missing.into_iter().map(|(id, text)| async move {
        let blob = app.catalog.store().blobs().stage(text.as_bytes()).await?;
        // Names that are the same once they are clean are no versions of one document.
        app.ingest.submit(access, collection, (&filename(&id), blob), OnConflict::Keep).await?;
        Ok::<_, EvaluationError>(())
    });
    let uploads = stream::iter(uploads).buffered(UPLOADS).enumerate();
    uploads
        .map(|(done, uploaded)| uploaded.map(|()| progress("uploading", done + 1, all)))
        .try_collect::<()>()
        .await
}

/// The name of an entry's file: its id, which may hold anything.
fn filename(id: &str) -> String {
    let flat = id.replace(['/', '\\'], "_");
    format!("{}.txt", clean_filename(crate::words::beginning(&flat, MOST_NAME)))
}

async fn until_read(
    app: &App,
    collection: &Collection,
    ids: &HashMap<String, String>,
    oddities: &mut Oddities,
    progress: Progress<'_>,
) -> Result<(), EvaluationError> {
    let documents = app.catalog.store().documents(&collection.id).await?;
    let mut left: Vec<DocumentId> = documents
        .iter()
        .filter(|document| document.status == Status::InProgress)
        .map(|document| document.id.clone())
        .collect();
    let all = left.len();
    while !left.is_empty() {
        let now = app.ingest.wait(collection, &left, Instant::now() + MOMENT).await?;
        let busy = now.into_iter().filter(|document| document.status == Status::InProgress);
        left = busy.map(|document| document.id).collect();
        progress("reading", all - left.len(), all);
    }
    for document in app.catalog.store().documents(&collection.id).await? {
        if let Some(failure) = document.failure
            && let Some(id) = ids.get(&document.sha256)
        {
            oddities.add("documents that could not be read", format!("{id}: {}", failure.message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_is_a_name_of_a_file_and_any_folder_one_of_a_collection() {
        for (id, name) in [("12", "12.txt"), ("../a/b", ".._a_b.txt"), ("a\u{0}b", "ab.txt")] {
            assert_eq!(filename(id), name);
        }
        assert!(filename(&"\u{e9}".repeat(500)).len() <= MOST_NAME + 4);
        assert_eq!(collection_name("SQuAD pt (sample)"), "eval-SQuAD-pt--sample-");
        assert!(is_handle(&collection_name(&"\u{e9}".repeat(500))));
    }

    #[test]
    fn judgements_of_the_same_text_are_those_of_its_first_document() {
        let same = HashMap::from([("b".to_owned(), "a".to_owned())]);
        let grades = Grades::from([("a".into(), 0.0), ("b".into(), 2.0), ("c".into(), 1.0)]);
        assert_eq!(with_first_ids(grades, &same), Grades::from([("a".into(), 2.0), ("c".into(), 1.0)]));
    }
}
