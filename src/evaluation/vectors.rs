//! The vectors of a collection, waited for.

use std::time::Duration;

use super::error::EvaluationError;
use super::oddities::Oddities;
use super::progress::Progress;
use crate::app::App;
use crate::collection::Collection;
use crate::embed::State;

/// How often is looked whether the model is loaded.
const SOON: Duration = Duration::from_millis(50);
/// And whether vectors are there.
const MOMENT: Duration = Duration::from_millis(500);

/// Waits until every chunk has its vector and the indexes hold all of them.
pub(super) async fn until_embedded(
    app: &App,
    collection: &Collection,
    oddities: &mut Oddities,
    progress: Progress<'_>,
) -> Result<(), EvaluationError> {
    let Some(embeddings) = &app.embeddings else { return Ok(app.catalog.sync(collection).await?) };
    let model = loop {
        match embeddings.state() {
            State::Loading => tokio::time::sleep(SOON).await,
            State::Failed(why) => return Err(EvaluationError::Model(why)),
            State::Ready(model) => break model,
        }
    };
    let store = app.catalog.store();
    let documents = store.documents(&collection.id).await?;
    let keys: Vec<_> = documents.iter().map(|document| document.key).collect();
    let all: usize = documents.iter().map(|document| document.chunks as usize).sum();
    loop {
        let vectors = store.vectors_of(keys.clone(), &model.fingerprint).await?;
        let there: usize = vectors.iter().map(|count| *count as usize).sum();
        // What no vector could be made of is owed one, and not waited for.
        let waits = !store.chunks_without_vector(&model.fingerprint, None, 0, 1).await?.is_empty();
        if there >= all {
            break;
        }
        if !waits {
            for (document, vectors) in documents.iter().zip(vectors).filter(|(one, n)| *n < one.chunks) {
                let missing = format!("{} ({vectors} of {})", document.filename, document.chunks);
                oddities.add("documents that have not all vectors", missing);
            }
            break;
        }
        progress("embedding", there, all);
        tokio::time::sleep(MOMENT).await;
    }
    Ok(app.catalog.sync(collection).await?)
}
