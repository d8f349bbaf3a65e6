//! `/v1/vector_stores/{collection}/files`: the documents of a collection, as OpenAI has them.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{RawQuery, State};

use super::ApiError;
use super::caller::Within;
use super::files::to_page;
use super::params::{JsonBody, Path};
use crate::access::Access;
use crate::app::App;
use crate::chunking::CHUNK_SIZES;
use crate::collection::Collection;
use crate::openai::{
    Attributes, CONTENT_PAGE, Chunking, ChunkingStrategyResponse, ContentObject, ContentPage,
    CreateVectorStoreFile, Deleted, LastError, List, OBJECTS, PageQuery, QueryString, StaticChunkingStrategy,
    UpdateVectorStoreFile, VectorStoreFileError, VectorStoreFileObject, VectorStoreFileStatus,
    last_error_code,
};
use crate::store::{
    Attachment, BatchId, ChunkRecord, ChunkSizes, DocumentFilter, DocumentId, DocumentRecord, FileId, Status,
};

pub async fn attach(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
    JsonBody(new): JsonBody<CreateVectorStoreFile>,
) -> Result<Json<VectorStoreFileObject>, ApiError> {
    let collection = to_fill(&app, &access, &collection)?;
    let attached = app.ingest.attach(&access, &collection, vec![attachment(new)?], false).await?;
    match attached.documents.into_iter().next() {
        Some(document) => Ok(Json(object(&app, document)?)),
        None => Err(ApiError::internal(&"a file was attached and no document came of it")),
    }
}

pub async fn list(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<VectorStoreFileObject>>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    Ok(Json(page(&app, &collection, query.as_deref(), None).await?))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, file)): Path<(String, String)>,
) -> Result<Json<VectorStoreFileObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    Ok(Json(object(&app, app.store().document(&collection.id, &DocumentId(file)).await?)?))
}

pub async fn update(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, file)): Path<(String, String)>,
    JsonBody(update): JsonBody<UpdateVectorStoreFile>,
) -> Result<Json<VectorStoreFileObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let attributes = json(&update.attributes)?;
    let document = app.catalog.set_attributes(&collection, &DocumentId(file), &attributes).await?;
    Ok(Json(object(&app, document)?))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, file)): Path<(String, String)>,
) -> Result<Json<Deleted>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    collection.check_writable()?;
    app.catalog.delete_document(&collection, &DocumentId(file.clone())).await?;
    Ok(Json(Deleted::new(&file, "vector_store.file.deleted")))
}

/// The text that was read from a document, a piece for each chunk, without what chunks repeat of each other.
pub async fn content(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, file)): Path<(String, String)>,
) -> Result<Json<ContentPage>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let document = app.store().document(&collection.id, &DocumentId(file)).await?;
    let deadline = Instant::now() + app.config.rag.deadline;
    let chunks =
        app.store().whole_documents(&collection.id, Some(&[document.key]), usize::MAX, deadline).await?;
    let data = pieces(&chunks.unwrap_or_default());
    Ok(Json(ContentPage { object: CONTENT_PAGE.to_owned(), data, has_more: false, next_page: None }))
}

fn pieces(chunks: &[ChunkRecord]) -> Vec<ContentObject> {
    let mut end = 0;
    let mut pieces = Vec::with_capacity(chunks.len());
    for chunk in chunks.iter().map(|c| &c.chunk) {
        let text = chunk.text_after(end);
        end = end.max(chunk.end);
        if !text.trim().is_empty() {
            pieces.push(ContentObject { r#type: "text".to_owned(), text: text.to_owned() });
        }
    }
    pieces
}

/// A page of a collection's documents, of all or of a batch.
pub(super) async fn page(
    app: &App,
    collection: &Collection,
    query: Option<&str>,
    batch: Option<BatchId>,
) -> Result<List<VectorStoreFileObject>, ApiError> {
    let query = QueryString::parse(query)?;
    let page = PageQuery::read(&query, &OBJECTS)?;
    let status = query.word("filter", &Status::ALL.map(Status::name))?.and_then(|name| name.parse().ok());
    let filter = DocumentFilter { status, batch };
    let found = app.store().documents_page(&collection.id, filter, to_page(page)).await?;
    let objects = found.items.into_iter().map(|document| object(app, document)).collect::<Result<_, _>>()?;
    Ok(List::page(objects, found.has_more, |o: &VectorStoreFileObject| &o.id))
}

/// A collection that documents may be added to.
pub(super) fn to_fill(app: &App, access: &Access, name: &str) -> Result<Arc<Collection>, ApiError> {
    let collection = app.catalog.find_to_use(access, name)?;
    collection.check_writable()?;
    Ok(collection)
}

pub(super) fn attachment(new: CreateVectorStoreFile) -> Result<Attachment, ApiError> {
    let attributes = if new.attributes.0.is_empty() { None } else { Some(json(&new.attributes)?) };
    Ok(Attachment { file: FileId(new.file_id), attributes, chunking: chunk_sizes(new.chunking) })
}

pub(super) fn chunk_sizes(chunking: Chunking) -> Option<ChunkSizes> {
    match chunking {
        Chunking::Auto => None,
        Chunking::Static { max_chunk_size_tokens, chunk_overlap_tokens } => Some(ChunkSizes {
            max_tokens: max_chunk_size_tokens.into(),
            overlap_tokens: chunk_overlap_tokens.into(),
        }),
    }
}

fn json(attributes: &Attributes) -> Result<String, ApiError> {
    attributes.to_json().map_err(|error| ApiError::internal(&error))
}

fn object(app: &App, document: DocumentRecord) -> Result<VectorStoreFileObject, ApiError> {
    let warning = app.ingest.warning(&document);
    let sizes = document.chunking.unwrap_or(CHUNK_SIZES);
    let tokens = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let strategy = StaticChunkingStrategy {
        max_chunk_size_tokens: tokens(sizes.max_tokens),
        chunk_overlap_tokens: tokens(sizes.overlap_tokens),
    };
    Ok(VectorStoreFileObject {
        id: document.id.0,
        object: "vector_store.file".to_owned(),
        usage_bytes: document.bytes,
        created_at: document.created_at,
        vector_store_id: document.collection.0,
        status: match document.status {
            Status::InProgress => VectorStoreFileStatus::InProgress,
            Status::Completed => VectorStoreFileStatus::Completed,
            Status::Failed => VectorStoreFileStatus::Failed,
            Status::Cancelled => VectorStoreFileStatus::Cancelled,
        },
        last_error: document
            .failure
            .map(|f| VectorStoreFileError { code: last_error_code(&f.code), message: f.message }),
        warning: warning.map(|w| LastError { code: w.code, message: w.message }),
        chunking_strategy: ChunkingStrategyResponse::Static { r#static: strategy },
        attributes: Attributes::from_json(&document.attributes)
            .map_err(|error| ApiError::internal(&error))?,
    })
}
