//! The first stage: the child reads the original, and its text is cut into chunks.

use std::sync::Arc;

use super::language::language;
use super::trouble::Trouble;
use super::{JobError, failure};
use crate::collection::CollectionError;
use crate::embed::ModelInfo;
use crate::ingest::Ingest;
use crate::ingest::child::{ChildError, extract_in_child};
use crate::ingest::chunking::{self, ApproximateTokens, ChunkSettings, Tokens, TooManyChunks};
use crate::ingest::extract::Extracted;
use crate::ingest::outline;
use crate::store::{ChunkSizes, Job, NewChunk, Outline, OutlineHeading, ReadDocument, StoreError};

/// Tokens of a chunk, and of what it repeats of the one before, where a client does not say.
pub const CHUNK_SIZES: ChunkSizes = ChunkSizes { max_tokens: 256, overlap_tokens: 32 };
/// Left free in the model's window for the headings that are embedded with a chunk.
const HEADING_TOKENS: usize = 32;

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
        let path = store.blob_path(&document.sha256);
        let settings = &self.settings;
        let pdfium = settings.pdfium.as_deref();
        let extracted =
            extract_in_child(&path, &document.filename, &settings.limits, pdfium, &settings.program)
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
        let (filename, chunking_model, chunking) =
            (document.filename.clone(), model.clone(), document.chunking);
        let measure = self.measure;
        let read = move || {
            let mut read = read(&extracted, &filename, chunking_model, chunking.unwrap_or(CHUNK_SIZES))?;
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

struct ModelTokens(Arc<ModelInfo>);

impl Tokens for ModelTokens {
    fn spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        self.0.token_spans(text).unwrap_or_else(|error| {
            tracing::warn!(%error, "tokens are approximated");
            ApproximateTokens.spans(text)
        })
    }
}

fn read(
    extracted: &Extracted,
    filename: &str,
    model: Option<Arc<ModelInfo>>,
    sizes: ChunkSizes,
) -> Result<ReadDocument, TooManyChunks> {
    // What is beyond the model's window would be found by its words alone.
    let window = model.as_ref().map_or(usize::MAX, |m| m.max_tokens.saturating_sub(HEADING_TOKENS));
    let max_tokens = (sizes.max_tokens as usize).min(window).max(16);
    let overlap_tokens = (sizes.overlap_tokens as usize).min(max_tokens / 2);
    let settings = ChunkSettings {
        max_tokens,
        overlap_tokens,
        heading_tokens: HEADING_TOKENS,
        ..ChunkSettings::default()
    };
    let pieces = match model {
        Some(model) => chunking::chunk(extracted, &ModelTokens(model), &settings),
        None => chunking::chunk(extracted, &ApproximateTokens, &settings),
    }?;
    let outline = outline::outline(extracted, filename);
    Ok(ReadDocument {
        language: language(extracted),
        pages: extracted.pages,
        outline: Outline {
            title: outline.title,
            opening: outline.opening,
            headings: outline
                .headings
                .into_iter()
                .map(|h| OutlineHeading { level: h.level, text: h.text, page: h.page })
                .collect(),
        },
        chunks: pieces
            .into_iter()
            .map(|piece| NewChunk {
                text: piece.text,
                page: piece.page,
                last_page: piece.last_page,
                headings: piece.headings,
                start: piece.start as u64,
                end: piece.end as u64,
                tokens: piece.tokens,
            })
            .collect(),
        ..ReadDocument::default()
    })
}
