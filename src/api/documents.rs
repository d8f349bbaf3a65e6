//! `/v1/vector_stores/{collection}/documents`: upload, list, read, delete.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Multipart, Query, State};
use http::HeaderMap;
use serde::Deserialize;

use super::ApiError;
use super::caller::Within;
use super::params::Path;
use super::uploads::{field_text, length_of, next_field, stage};
use crate::app::App;
use crate::collection::{Collection, CollectionError};
use crate::ingest::{Destination, Reception, clean_filename};
use crate::openai::{Deleted, DocumentObject, LastError, List};
use crate::store::{DocumentKey, DocumentRecord, OnConflict, StagedBlob, Status, compared_name};

/// Nobody waits longer for an answer.
const LONGEST_WAIT: f64 = 600.0;
/// By when a document is found, where no question waits.
const LOOKED_UP: Duration = Duration::from_secs(10);
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
    /// What becomes of a document that has the name of a new one.
    #[serde(default)]
    on_conflict: WhenNamed,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhenNamed {
    #[default]
    Replace,
    Keep,
}

pub async fn upload(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(name): Path<String>,
    query: Result<Query<UploadQuery>, QueryRejection>,
    headers: HeaderMap,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<List<DocumentObject>>, ApiError> {
    let Query(query) = query.map_err(|e| ApiError::bad_request("invalid_query", e.body_text()))?;
    if !(0.0..=LONGEST_WAIT).contains(&query.wait) {
        let message = format!("wait must be 0 to {LONGEST_WAIT} seconds");
        return Err(ApiError::bad_request("invalid_query", message).with_param("wait"));
    }
    let multipart = multipart.map_err(|_| ApiError::not_a_form("curl -F file=@report.pdf"))?;
    let found = match app.catalog.find(&access, &name) {
        Err(CollectionError::Unknown(_)) if query.create && !access.may_create() => {
            return Err(ApiError::made_elsewhere());
        }
        Err(CollectionError::Unknown(_)) if query.create => None,
        Err(CollectionError::Unknown(_)) => return Err(ApiError::unknown_collection_for_upload(&name)),
        found => Some(found?),
    };
    found.as_ref().map_or(Ok(()), |found| found.check_writable())?;
    let destination = found.as_deref().map_or(Destination::New(&name), Destination::Collection);
    let mut reception = app.ingest.receive(&access, destination, length_of(&headers)).await?;
    // All of them are on disk before the first is committed: a request that breaks off changes nothing.
    let files = stage_all(&app, multipart, found.as_deref(), &mut reception).await?;
    if query.on_conflict == WhenNamed::Replace {
        check_names(&files)?;
    }
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
    let on_conflict = match query.on_conflict {
        WhenNamed::Replace => OnConflict::Replace,
        WhenNamed::Keep => OnConflict::Keep,
    };
    let (mut ids, mut replaced) = (Vec::with_capacity(files.len()), HashMap::new());
    for (filename, blob) in files {
        let bytes = blob.bytes;
        let added = app.ingest.submit(&access, &collection, (&filename, blob), on_conflict).await?.document;
        // The answer may wait for long.
        reception.committed(bytes);
        if let Some(old) = added.replaces {
            replaced.insert(added.id.clone(), old);
        }
        if !ids.contains(&added.id) {
            ids.push(added.id);
        }
    }
    let deadline = Instant::now() + Duration::from_secs_f64(query.wait);
    let mut documents = app.ingest.wait(&collection, &ids, deadline).await?;
    for document in &mut documents {
        // Also where that has happened by now.
        document.replaces = document.replaces.take().or_else(|| replaced.remove(&document.id));
    }
    Ok(Json(objects(&app, documents).await?))
}

async fn stage_all(
    app: &App,
    mut multipart: Multipart,
    collection: Option<&Collection>,
    reception: &mut Reception,
) -> Result<Vec<(String, StagedBlob)>, ApiError> {
    let (mut files, mut purpose) = (Vec::new(), false);
    while let Some(field) = next_field(&mut multipart).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" | "files" | "file[]" | "files[]" => {}
            // What OpenAI's clients send along with a file.
            "purpose" if !purpose => {
                field_text(field).await?;
                purpose = true;
                continue;
            }
            "purpose" => {
                let message = "'purpose' is given more than once";
                return Err(ApiError::bad_request("invalid_value", message).with_param("purpose"));
            }
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
        app.ingest.receive_file(reception, collection, &filename).await?;
        files.push((filename, stage(app, field, reception).await?));
    }
    Ok(files)
}

/// Two files of one name would take one another's place.
fn check_names(files: &[(String, StagedBlob)]) -> Result<(), ApiError> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (filename, blob) in files {
        let earlier = seen.insert(compared_name(filename), &blob.sha256);
        if earlier.is_some_and(|sha256| sha256 != blob.sha256) {
            let message = format!(
                "two files are named '{filename}': rename one, or add ?on_conflict=keep to have both under one name"
            );
            return Err(ApiError::bad_request("duplicate_name", message).with_param("file"));
        }
    }
    Ok(())
}

pub async fn list(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
) -> Result<Json<List<DocumentObject>>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let documents = app.store().documents(&collection.id).await?;
    Ok(Json(objects(&app, documents).await?))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<DocumentObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let document = app.catalog.document(&collection, &document, soon()).await?;
    let embedded = embedded_chunks(&app, std::slice::from_ref(&document)).await?;
    Ok(Json(object(&app, &embedded, document)))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<Deleted>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    collection.check_writable()?;
    let document = app.catalog.document(&collection, &document, soon()).await?;
    app.catalog.delete_document(&collection, &document.id).await?;
    Ok(Json(Deleted::new(&document.id.0, "vector_store.document.deleted")))
}

/// A document of a synced folder too: its bytes stay those of the folder.
pub async fn retry(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<DocumentObject>, ApiError> {
    let collection = app.catalog.find_to_use(&access, &collection)?;
    let document = app.catalog.document(&collection, &document, soon()).await?;
    let document = app.ingest.retry(&collection, &document.id).await?;
    let embedded = embedded_chunks(&app, std::slice::from_ref(&document)).await?;
    Ok(Json(object(&app, &embedded, document)))
}

/// By when a document is looked up.
fn soon() -> Instant {
    Instant::now() + LOOKED_UP
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
    DocumentObject {
        id: document.id.0,
        object: "vector_store.document".to_owned(),
        vector_store_id: document.collection.0,
        filename: document.filename,
        status: document.status.name().to_owned(),
        last_error: document.failure.map(|f| LastError { code: f.code, message: f.message }),
        warning: warning.map(|w| LastError { code: w.code, message: w.message }),
        replaces: document.replaces.map(|old| old.0),
        created_at: document.created_at,
        bytes: document.bytes,
        pages: document.pages,
        chunks: document.chunks,
        embedded_chunks: embedded.get(&document.key).copied(),
        language: document.language,
    }
}
