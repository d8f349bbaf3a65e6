//! `/v1/vector_stores/{collection}/documents`: upload, list, read, delete.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Multipart, Query, State};
use serde::Deserialize;

use super::ApiError;
use super::params::{Caller, Chat, Ingest, Path};
use super::uploads::{next_field, stage};
use crate::app::App;
use crate::collection::CollectionError;
use crate::ingest::clean_filename;
use crate::openai::{Deleted, DocumentObject, LastError, List};
use crate::store::{DocumentKey, DocumentRecord, StagedBlob, Status};

/// Nobody waits longer for an answer.
const LONGEST_WAIT: f64 = 600.0;
/// Files in one request.
const MOST_FILES: usize = 1_000;

#[derive(Deserialize)]
pub struct UploadQuery {
    /// Seconds to wait for the documents to be read.
    #[serde(default)]
    wait: f64,
    /// Whether a collection that is missing is made.
    #[serde(default)]
    create: bool,
}

pub async fn upload(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Ingest>,
    Path(name): Path<String>,
    query: Result<Query<UploadQuery>, QueryRejection>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<List<DocumentObject>>, ApiError> {
    let Query(query) = query.map_err(|e| ApiError::bad_request("invalid_query", e.body_text()))?;
    if !(0.0..=LONGEST_WAIT).contains(&query.wait) {
        let message = format!("wait must be 0 to {LONGEST_WAIT} seconds");
        return Err(ApiError::bad_request("invalid_query", message).with_param("wait"));
    }
    let multipart = multipart.map_err(|_| ApiError::not_a_form("curl -F file=@report.pdf"))?;
    if !query.create {
        match app.catalog.find(&access, &name) {
            Err(CollectionError::Unknown(_)) => return Err(ApiError::unknown_collection_for_upload(&name)),
            found => found?.check_writable()?,
        }
    }
    // All of them are on disk before the first is committed: a request that breaks off changes nothing.
    let files = stage_all(&app, multipart).await?;
    if files.is_empty() {
        return Err(ApiError::bad_request(
            "no_file",
            "the form has no file: send it in a field named 'file'",
        ));
    }
    let collection = match query.create {
        true => app.catalog.find_or_create(&access, &name).await?,
        false => app.catalog.find_to_use(&access, &name)?,
    };
    collection.check_writable()?;
    let mut ids = Vec::with_capacity(files.len());
    for (filename, blob) in files {
        let id = app.ingest.submit(&access, &collection, &filename, blob).await?.document.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let deadline = Instant::now() + Duration::from_secs_f64(query.wait);
    let documents = app.ingest.wait(&collection, &ids, deadline).await?;
    Ok(Json(objects(&app, documents).await?))
}

async fn stage_all(app: &App, mut multipart: Multipart) -> Result<Vec<(String, StagedBlob)>, ApiError> {
    let mut files = Vec::new();
    while let Some(field) = next_field(&mut multipart).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" | "files" | "file[]" | "files[]" => {}
            // What OpenAI's clients send along with a file.
            "purpose" => continue,
            other => {
                let message = format!("field {other:?} is not known: send files in fields named 'file'");
                return Err(ApiError::bad_request("unknown_field", message));
            }
        }
        if files.len() == MOST_FILES {
            let message = format!("more than {MOST_FILES} files: send them in several requests");
            return Err(ApiError::bad_request("too_many_files", message));
        }
        let filename = clean_filename(field.file_name().unwrap_or_default());
        files.push((filename, stage(app, field).await?));
    }
    Ok(files)
}

pub async fn list(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    Path(collection): Path<String>,
) -> Result<Json<List<DocumentObject>>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let documents = app.store().documents(&collection.id).await?;
    Ok(Json(objects(&app, documents).await?))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<DocumentObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let document = app.catalog.document(&collection, &document).await?;
    let embedded = embedded_chunks(&app, std::slice::from_ref(&document)).await?;
    Ok(Json(object(&app, &embedded, document)))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Ingest>,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<Deleted>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    collection.check_writable()?;
    let document = app.catalog.document(&collection, &document).await?;
    app.catalog.delete_document(&collection, &document.id).await?;
    Ok(Json(Deleted::new(&document.id.0, "vector_store.document.deleted")))
}

/// A document of a synced folder too: its bytes stay those of the folder.
pub async fn retry(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Ingest>,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<DocumentObject>, ApiError> {
    let collection = app.catalog.find_to_use(&access, &collection)?;
    let document = app.catalog.document(&collection, &document).await?;
    let document = app.ingest.retry(&collection, &document.id).await?;
    let embedded = embedded_chunks(&app, std::slice::from_ref(&document)).await?;
    Ok(Json(object(&app, &embedded, document)))
}

async fn objects(app: &App, documents: Vec<DocumentRecord>) -> Result<List<DocumentObject>, ApiError> {
    let embedded = embedded_chunks(app, &documents).await?;
    let shown = documents.into_iter().map(|document| object(app, &embedded, document)).collect();
    Ok(List::whole(shown, |d| &d.id))
}

/// How far the embedding of documents is, of those where it goes on.
async fn embedded_chunks(
    app: &App,
    documents: &[DocumentRecord],
) -> Result<HashMap<DocumentKey, u32>, ApiError> {
    let goes_on = |d: &&DocumentRecord| d.status == Status::InProgress || d.warning.is_some();
    let embedding = documents.iter().filter(|d| d.chunks > 0).filter(goes_on);
    let keys: Vec<DocumentKey> = embedding.map(|document| document.key).collect();
    // Without a model there is nothing to wait for.
    let Some(Ok(model)) = app.embeddings.as_ref().filter(|_| !keys.is_empty()).map(|e| e.info()) else {
        return Ok(HashMap::new());
    };
    let counts = app.store().vectors_of(keys.clone(), &model.fingerprint).await?;
    Ok(keys.into_iter().zip(counts).collect())
}

fn object(app: &App, embedded: &HashMap<DocumentKey, u32>, document: DocumentRecord) -> DocumentObject {
    let warning = app.ingest.warning(&document);
    let status = match document.status {
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    };
    DocumentObject {
        id: document.id.0,
        object: "vector_store.document".to_owned(),
        vector_store_id: document.collection.0,
        filename: document.filename,
        status: status.to_owned(),
        last_error: document.failure.map(|f| LastError { code: f.code, message: f.message }),
        warning: warning.map(|w| LastError { code: w.code, message: w.message }),
        created_at: document.created_at,
        bytes: document.bytes,
        pages: document.pages,
        chunks: document.chunks,
        embedded_chunks: embedded.get(&document.key).copied(),
        language: document.language,
    }
}
