//! Documents that go in whole, where they fit.
//!
//! What the store counted of each when it was read decides, so that nothing is read only to be left out.

use std::sync::Arc;
use std::time::Instant;

use super::passages::{stitch, whole_tokens};
use super::retrieval::Retrieval;
use crate::collection::{CollectionError, Scope};
use crate::prompt::{Template, Woven, weave_whole};
use crate::store::{ChunkRecord, DocumentKey, Store};
use crate::tasks;

/// Of a document that was never counted, this many bytes are a token at least.
const MOST_BYTES_PER_TOKEN: u64 = 6;

impl Retrieval<'_> {
    /// Weaves all that was selected, in reading order, if it fits into so many tokens.
    pub async fn weave_whole(
        &self,
        template: &Template<'_>,
        room: u64,
    ) -> Result<Option<Woven>, CollectionError> {
        let (store, deadline) = (self.catalog.store(), self.deadline);
        let Some(mut left) = room.checked_sub(template.estimate()) else { return Ok(None) };
        for scope in &self.scopes {
            match tokens_within(store, scope, left, deadline).await? {
                Some(tokens) => left -= tokens,
                None => return Ok(None),
            }
        }
        let mut read = Vec::with_capacity(self.scopes.len());
        for scope in &self.scopes {
            let keys = keys(scope);
            let id = &scope.collection.id;
            let chunks = store.whole_documents(id, keys.as_deref(), usize::MAX, deadline).await?;
            read.push((scope.clone(), chunks.unwrap_or_default()));
        }
        let template = template.text();
        // Long for long documents.
        let weave = move || {
            let passages = read.iter().flat_map(|(scope, chunks)| stitch(scope, chunks)).collect();
            Ok(weave_whole(passages, &Template::new(&template), room))
        };
        tasks::blocking(weave).await
    }
}

fn keys(scope: &Scope) -> Option<Vec<DocumentKey>> {
    scope.documents.as_ref().map(|documents| documents.iter().copied().collect())
}

/// What the documents of a scope take together, if that is no more than `most`.
async fn tokens_within(
    store: &Arc<dyn Store>,
    scope: &Scope,
    most: u64,
    deadline: Instant,
) -> Result<Option<u64>, CollectionError> {
    let id = &scope.collection.id;
    let of_all = scope.documents.is_none();
    if of_all && scope.collection.exceeds(most) {
        return Ok(None);
    }
    let revision = scope.collection.revision().filter(|_| of_all);
    let sizes = store.whole_sizes(id, keys(scope).as_deref(), most, MOST_BYTES_PER_TOKEN, deadline).await?;
    let Some(sizes) = sizes else {
        revision.into_iter().for_each(|revision| scope.collection.note_exceeds(revision, most));
        return Ok(None);
    };
    let mut sum = sizes.iter().filter_map(|size| size.tokens).sum::<u64>();
    // Read by a lastro that did not count.
    for size in sizes.iter().filter(|size| size.tokens.is_none()) {
        if sum > most {
            return Ok(None);
        }
        sum += count(store, scope, size.document, deadline).await?;
    }
    Ok((sum <= most).then_some(sum))
}

/// Counts a document, and has the store keep that.
async fn count(
    store: &Arc<dyn Store>,
    scope: &Scope,
    document: DocumentKey,
    deadline: Instant,
) -> Result<u64, CollectionError> {
    let chunks = store.whole_documents(&scope.collection.id, Some(&[document]), usize::MAX, deadline).await?;
    let chunks: Vec<ChunkRecord> = chunks.unwrap_or_default();
    let tokens = tasks::blocking(move || {
        let name = chunks.first().map(|chunk| chunk.filename.clone()).unwrap_or_default();
        let chunks: Vec<_> = chunks.into_iter().map(|record| record.chunk).collect();
        Ok::<_, CollectionError>(whole_tokens(&name, &chunks))
    })
    .await?;
    // The question does not wait for the disk.
    let store = store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.note_whole_size(document, tokens).await {
            tracing::warn!(%error, "what a document takes whole is counted again at the next question");
        }
    });
    Ok(tokens)
}
