//! What meaning says to a question, in each scope.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::collection::{Catalog, CollectionError, Scope};
use crate::embed::{EmbedError, ModelInfo};
use crate::index::{IndexError, Scored, VectorIndex};

/// What meaning found in one scope.
pub(in crate::collection) struct Found {
    index: Arc<dyn VectorIndex>,
    pub scored: Result<Vec<Scored>, CollectionError>,
}

/// What meaning found everywhere.
pub(in crate::collection) struct Answer {
    /// What embedded the question, and the question; none where there is no model, or it is not ready, or it failed.
    asked: Option<(Arc<ModelInfo>, Arc<[f32]>)>,
    /// In each scope; none where it has no vectors of this model.
    pub found: Vec<Option<Found>>,
    pub embed: Option<Duration>,
    pub dense: Option<Duration>,
}

impl Answer {
    fn nothing(scopes: &[Scope]) -> Self {
        Self { asked: None, found: scopes.iter().map(|_| None).collect(), embed: None, dense: None }
    }

    pub fn model(&self) -> Option<&Arc<ModelInfo>> {
        self.asked.as_ref().map(|(model, _)| model)
    }

    /// Whether every scope answered.
    pub fn is_enough(&self) -> bool {
        self.found.iter().all(|found| matches!(found, Some(Found { scored: Ok(_), .. })))
    }
}

/// Embeds the question, and searches the vectors of all scopes.
pub(in crate::collection) async fn search(
    catalog: &Catalog,
    scopes: &[Scope],
    text: &str,
    depth: usize,
    deadline: Instant,
) -> Answer {
    let started = Instant::now();
    let mut answer = Answer::nothing(scopes);
    let Some(embeddings) = catalog.embeddings() else { return answer };
    let embedded = tokio::time::timeout_at(deadline.into(), embeddings.embed_query(text)).await;
    let vector: Arc<[f32]> = match embedded {
        Ok(Ok(vector)) => vector.into(),
        Ok(Err(EmbedError::NotReady | EmbedError::NoModel(_))) => return answer,
        Ok(Err(error)) => {
            tracing::warn!(%error, "words alone answer");
            return answer;
        }
        Err(_) => return answer,
    };
    let Ok(model) = embeddings.info() else { return answer };
    answer.embed = Some(started.elapsed());
    let started = Instant::now();
    let vectors = catalog.all_vectors(scopes, &model).await;
    for ((scope, dense), found) in scopes.iter().zip(vectors).zip(&mut answer.found) {
        let Some(dense) = dense else { continue };
        if scope.is_empty() {
            *found = Some(Found { index: dense.index, scored: Ok(Vec::new()) });
            continue;
        }
        let scored = match dense.index.search(vector.clone(), depth, scope.filter(), deadline).await {
            Err(IndexError::Deadline) => Err(CollectionError::Deadline),
            searched => searched.map_err(CollectionError::from),
        };
        *found = Some(Found { index: dense.index, scored });
    }
    answer.dense = Some(started.elapsed());
    answer.asked = Some((model, vector));
    answer
}

/// The cosines of chunks, a list for each scope. One that cannot be asked leaves them without.
pub(in crate::collection) async fn score(
    answer: &Answer,
    chunks: Vec<Vec<u64>>,
    deadline: Instant,
) -> Vec<Vec<Option<f32>>> {
    let vector = answer.asked.as_ref().map(|(_, vector)| vector.clone());
    compare(answer, vector, chunks, deadline).await
}

/// The same with questions about anything, where the model's are known.
pub(in crate::collection) async fn score_anything(
    answer: &Answer,
    chunks: Vec<Vec<u64>>,
    deadline: Instant,
) -> Vec<Vec<Option<f32>>> {
    let relevance = answer.model().and_then(|model| model.relevance.as_ref());
    compare(answer, relevance.map(|relevance| relevance.anything.clone()), chunks, deadline).await
}

async fn compare(
    answer: &Answer,
    vector: Option<Arc<[f32]>>,
    chunks: Vec<Vec<u64>>,
    deadline: Instant,
) -> Vec<Vec<Option<f32>>> {
    let scored = answer.found.iter().zip(chunks).map(async |(found, chunks)| {
        let (Some(Found { index, scored: Ok(_) }), Some(vector)) = (found, &vector) else {
            return Vec::new();
        };
        if chunks.is_empty() {
            return Vec::new();
        }
        index.score(vector.clone(), chunks.into(), deadline).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "chunks are ranked and judged without their meaning");
            Vec::new()
        })
    });
    join_all(scored).await
}
