//! The workers: one job after the other, from the store and back into it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::child::extract_in_child;
use super::chunking::{self, ApproximateTokens, ChunkSettings, Tokens};
use super::extract::Extracted;
use super::outline;
use super::{Ingest, PAUSE_AFTER_ERROR};
use crate::collection::{CollectionError, with_headings};
use crate::embed::{EmbedError, Embeddings, ModelInfo};
use crate::store::{
    ChunkSizes, DocumentKey, Failure, Job, NewChunk, Outline, OutlineHeading, ReadDocument, Stage, StoreError,
};

/// A document that takes the process down this often is given up.
const MOST_ATTEMPTS: u32 = 3;
/// Chunks embedded between two commits: what a crash can cost of work.
const EMBEDDED_AT_ONCE: usize = 64;
/// Tokens of a chunk, and of what it repeats of the one before, where a client does not say.
pub const CHUNK_SIZES: ChunkSizes = ChunkSizes { max_tokens: 256, overlap_tokens: 32 };
/// Left free in the model's window for the headings that are embedded with a chunk.
const HEADING_TOKENS: usize = 32;
/// Text from which a language is detected.
const LANGUAGE_SAMPLE: usize = 20_000;

/// Why a job could not be finished.
#[derive(Debug, thiserror::Error)]
enum JobError {
    /// The document is at fault: it fails with this.
    #[error("{}", .0.message)]
    Document(Failure),
    /// The store or an index is: the job is tried again.
    #[error(transparent)]
    Collection(#[from] CollectionError),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Collection(error.into())
    }
}

fn failure(code: &str, message: impl Into<String>) -> JobError {
    JobError::Document(Failure { code: code.to_owned(), message: message.into() })
}

impl Ingest {
    /// Takes jobs until dropped.
    pub(super) async fn work(&self) {
        let store = self.catalog.store();
        loop {
            match store.take_job().await {
                Ok(Some(job)) => {
                    self.finish(&job).await;
                    self.tell();
                }
                Ok(None) => self.wake.notified().await,
                Err(error) => {
                    tracing::error!(%error, "no job could be taken");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn finish(&self, job: &Job) {
        let (store, document) = (self.catalog.store(), &job.document);
        let outcome = match self.attempt(job).await {
            Err(JobError::Document(failure)) => {
                tracing::info!(document = document.id.0, code = failure.code, "document failed");
                let failed = store.fail_document(document.key, failure).await.map_err(Into::into);
                match failed {
                    Ok(()) => {
                        self.failed.fetch_add(1, Relaxed);
                        self.sync(job).await
                    }
                    failed => failed,
                }
            }
            outcome => outcome,
        };
        match outcome {
            // Deleted while it was worked on.
            Ok(()) | Err(JobError::Collection(CollectionError::Store(StoreError::NotFound(_)))) => {}
            Err(error) => {
                tracing::error!(%error, document = document.id.0, "job is tried again");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                if let Err(error) = store.return_job(document.key).await {
                    tracing::error!(%error, document = document.id.0, "job waits for the next start");
                }
            }
        }
    }

    async fn attempt(&self, job: &Job) -> Result<(), JobError> {
        if job.attempts > MOST_ATTEMPTS {
            return Err(failure(
                "parser_crashed",
                "Reading this file stopped the server several times. Export it anew, for example as PDF, and upload that.",
            ));
        }
        match job.stage {
            Stage::Extract => self.extract(job).await,
            Stage::Embed => self.embed(job).await,
        }
    }

    async fn extract(&self, job: &Job) -> Result<(), JobError> {
        let (store, document) = (self.catalog.store(), &job.document);
        let path = store.blob_path(&document.sha256);
        let settings = &self.settings;
        let pdfium = settings.pdfium.as_deref();
        let extracted =
            extract_in_child(&path, &document.filename, &settings.limits, pdfium, &settings.program)
                .await
                .map_err(|error| failure(error.code(), error.message()))?;
        let model = self.model().await;
        let (filename, chunking_model, sizes) =
            (document.filename.clone(), model.clone(), document.chunking.unwrap_or(CHUNK_SIZES));
        let read = tokio::task::spawn_blocking(move || read(&extracted, &filename, chunking_model, sizes))
            .await
            .map_err(|error| {
                tracing::error!(%error, document = document.id.0, "chunking died");
                failure("parser_crashed", "The text of this file could not be cut into passages.")
            })?;
        if read.chunks.is_empty() {
            return Err(failure("no_text", "There is no text in this file."));
        }
        let language = read.language.clone();
        let quotas = self.quotas.of(document.owner.as_deref());
        store.commit_chunks(document.key, read, quotas).await.map_err(|error| match error {
            StoreError::Quota { .. } => failure("quota_exceeded", format!("Too many passages: {error}.")),
            error => error.into(),
        })?;
        if let (Some(language), Some(collection)) = (language, self.catalog.by_id(&document.collection)) {
            self.catalog.note_language(&collection, &language).await?;
        }
        self.wake.notify_one();
        self.sync(job).await
    }

    async fn embed(&self, job: &Job) -> Result<(), JobError> {
        let (store, document) = (self.catalog.store(), &job.document);
        if let (Some(model), Some(embeddings)) = (self.model().await, &self.embeddings) {
            let embedded = self.embed_missing(embeddings, &model, Some(document.key)).await;
            embedded.map_err(|error| match error {
                EmbedOrStore::Embed(error) => {
                    tracing::error!(%error, document = document.id.0, "embedding failed");
                    failure(
                        "embedding_failed",
                        "The embedding model could not process this document; the server's log has the cause.",
                    )
                }
                EmbedOrStore::Store(error) => error.into(),
            })?;
        }
        // Completed means found.
        self.sync(job).await?;
        store.complete_document(document.key).await?;
        self.completed.fetch_add(1, Relaxed);
        Ok(())
    }

    async fn sync(&self, job: &Job) -> Result<(), JobError> {
        match self.catalog.by_id(&job.document.collection) {
            Some(collection) => Ok(self.catalog.sync(&collection).await?),
            None => Ok(()),
        }
    }

    /// The model, once it is known whether there is one.
    async fn model(&self) -> Option<Arc<ModelInfo>> {
        self.embeddings.as_ref()?.ready().await.ok()
    }

    /// Embeds what has no vector of this model: of one document, or of all. Returns how many chunks that were.
    async fn embed_missing(
        &self,
        embeddings: &Embeddings,
        model: &ModelInfo,
        document: Option<DocumentKey>,
    ) -> Result<usize, EmbedOrStore> {
        let store = self.catalog.store();
        let (mut after, mut embedded) = (0, 0);
        loop {
            let chunks = store
                .chunks_without_vector(&model.fingerprint, document, after, EMBEDDED_AT_ONCE)
                .await
                .map_err(EmbedOrStore::Store)?;
            let Some(last) = chunks.last() else { return Ok(embedded) };
            (after, embedded) = (last.id, embedded + chunks.len());
            let texts = chunks.iter().map(|c| with_headings(&c.headings, &c.text)).collect();
            let vectors = embeddings.embed_passages(texts).await.map_err(EmbedOrStore::Embed)?;
            let vectors = chunks.iter().map(|c| c.id).zip(vectors).collect();
            store.commit_vectors(&model.fingerprint, vectors).await.map_err(EmbedOrStore::Store)?;
        }
    }

    /// Embeds documents from before the model was configured. Then dense search is complete.
    pub(super) async fn embed_the_rest(&self) {
        let (Some(model), Some(embeddings)) = (self.model().await, &self.embeddings) else { return };
        self.catalog.sync_all().await;
        match self.embed_missing(embeddings, &model, None).await {
            Ok(0) => {}
            Ok(chunks) => {
                tracing::info!(chunks, model = model.name, "embedded what had no vector of this model");
                self.catalog.sync_all().await;
            }
            Err(error) => {
                tracing::error!(%error, "passages without a vector stay so until the next start");
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum EmbedOrStore {
    #[error(transparent)]
    Embed(EmbedError),
    #[error(transparent)]
    Store(StoreError),
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
) -> ReadDocument {
    // What is beyond the model's window would be found by its words alone.
    let window = model.as_ref().map_or(usize::MAX, |m| m.max_tokens.saturating_sub(HEADING_TOKENS));
    let max_tokens = (sizes.max_tokens as usize).min(window).max(16);
    let overlap_tokens = (sizes.overlap_tokens as usize).min(max_tokens / 2);
    let settings = ChunkSettings { max_tokens, overlap_tokens };
    let pieces = match model {
        Some(model) => chunking::chunk(extracted, &ModelTokens(model), &settings),
        None => chunking::chunk(extracted, &ApproximateTokens, &settings),
    };
    let outline = outline::outline(extracted, filename);
    ReadDocument {
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
    }
}

/// The document's language as an ISO 639-1 code, where it is clear.
fn language(extracted: &Extracted) -> Option<String> {
    let mut sample = String::new();
    for block in &extracted.blocks {
        if sample.len() > LANGUAGE_SAMPLE {
            break;
        }
        sample.push_str(&block.text);
        sample.push('\n');
    }
    let info = whatlang::detect(&sample)?;
    if !info.is_reliable() {
        return None;
    }
    use whatlang::Lang;
    let code = match info.lang() {
        Lang::Eng => "en",
        Lang::Por => "pt",
        Lang::Spa => "es",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ita => "it",
        Lang::Nld => "nl",
        Lang::Swe => "sv",
        Lang::Dan => "da",
        Lang::Nob => "no",
        Lang::Fin => "fi",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Tur => "tr",
        Lang::Ell => "el",
        Lang::Ara => "ar",
        Lang::Tam => "ta",
        Lang::Pol => "pl",
        Lang::Ces => "cs",
        Lang::Ukr => "uk",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Hin => "hi",
        Lang::Heb => "he",
        Lang::Cat => "ca",
        _ => return None,
    };
    Some(code.to_owned())
}
