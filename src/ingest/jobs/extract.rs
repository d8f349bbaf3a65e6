//! The first stage: the child reads the original, and its text is cut into chunks.

use super::trouble::Trouble;
use super::{JobError, failure};
use crate::chunking::{self, ApproximateTokens, CHUNK_SIZES, Tokens, TooManyChunks};
use crate::collection::CollectionError;
use crate::embed::Embeddings;
use crate::ingest::Ingest;
use crate::reading::child::ChildError;
use crate::store::{Job, StoreError};

/// A file whose reading takes the process down this often is given up. More than embedding may: both go on side by side,
/// and a death is counted against both.
const MOST_ATTEMPTS: u32 = 5;

impl Ingest {
    pub(super) async fn extract(&self, job: &Job) -> Result<(), JobError> {
        if job.attempts > MOST_ATTEMPTS {
            return Err(failure(
                "parser_crashed",
                "The server stopped several times while it read this file. If something else stopped it, try this document again; otherwise export it anew, for example as PDF, and upload that.",
            ));
        }
        let (store, document) = (self.catalog.store(), &job.document);
        let original = store.blobs().local(&document.sha256);
        let extracted = self.settings.parser.read(original.as_ref(), &document.filename)
                .await
                .map_err(|error| match error {
                    ChildError::Document(error) => failure(error.code(), error.message()),
                    ChildError::Gone => failure(
                        "original_missing",
                        "The original of this document is not in the server's data folder any more: upload the file again.",
                    ),
                    ChildError::Machine(cause) => Trouble::Parser(cause).into(),
                    ChildError::Killed => Trouble::Killed.into(),
                })?;
        let model = self.model().await;
        let embeddings = self.embeddings.clone().filter(|_| model.is_some());
        let (filename, chunking, measure) = (document.filename.clone(), document.chunking, self.measure);
        let read = move || {
            let window = model.as_ref().map(|model| model.max_tokens);
            let tokens: Box<dyn Tokens> = match embeddings {
                Some(embeddings) => Box::new(ModelTokens(embeddings)),
                None => Box::new(ApproximateTokens),
            };
            let sizes = chunking.unwrap_or(CHUNK_SIZES);
            let mut read = chunking::prepare(&extracted, &filename, &*tokens, sizes, window)?;
            read.prompt_tokens = Some(measure(&filename, &read.chunks));
            read.chunking = chunking;
            Ok(read)
        };
        let read = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| {
                tracing::error!(%error, document = document.id.0, "chunking died");
                failure("parser_crashed", "The text of this file could not be cut into passages. Export it anew, for example as PDF, and upload that.")
            })?
            .map_err(|error: TooManyChunks| failure("too_large", error.to_string()))?;
        if read.chunks.is_empty() {
            return Err(failure("no_text", "There is no text in this file."));
        }
        // Before the job is anybody's again: nothing after that may fail it.
        if let (Some(language), Some(collection)) = (&read.language, self.catalog.by_id(&document.collection))
        {
            self.catalog.note_language(&collection, language).await.map_err(|error| match error {
                CollectionError::Store(error) => error.into(),
                error => JobError::Machine(Trouble::Storage(error)),
            })?;
        }
        let quotas = self.quotas.of(document.owner.as_deref());
        store.commit_chunks(document.key, read, quotas).await.map_err(|error| match error {
            StoreError::Quota { .. } => failure("quota_exceeded", format!("Too many passages: {error}.")),
            error => error.into(),
        })?;
        self.wake.notify_one();
        self.sync(&document.collection).await;
        Ok(())
    }
}

struct ModelTokens(Embeddings);

impl Tokens for ModelTokens {
    fn spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        self.0.token_spans(text).unwrap_or_else(|error| {
            tracing::warn!(%error, "tokens are approximated");
            ApproximateTokens.spans(text)
        })
    }
}
