//! `/v1/vector_stores`: the collections.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use super::ApiError;
use super::caller::Within;
use super::params::{JsonBody, Path};
use super::store_files::chunk_sizes;
use crate::access::Access;
use crate::app::App;
use crate::collection::{Change, Collection, Expiry, New};
use crate::openai::{
    CreateVectorStore, Deleted, List, Metadata, OBJECTS, PageQuery, QueryString, UpdateVectorStore,
    VectorStoreExpirationAfter, VectorStoreFileCounts, VectorStoreObject, VectorStoreStatus,
};
use crate::store::{Attachment, DocumentCounts, FileId};

pub async fn list(
    State(app): State<Arc<App>>,
    Within(access): Within,
    RawQuery(query): RawQuery,
) -> Result<Json<List<VectorStoreObject>>, ApiError> {
    let page = PageQuery::read(&QueryString::parse(query.as_deref())?, &OBJECTS)?;
    let seen = app.catalog.list(&access);
    let mut departed = HashMap::new();
    for cursor in page.cursors().filter(|id| !seen.iter().any(|c| c.id.0 == **id)) {
        if let Some(number) = app.catalog.departed(&access, cursor).await? {
            departed.insert(cursor.to_owned(), number);
        }
    }
    let List { data, has_more, .. } = page.cut(seen, |c| &c.id.0, |c| c.number, &departed)?;
    let mut objects = Vec::with_capacity(data.len());
    for collection in data {
        objects.push(object(&app, &collection).await?);
    }
    Ok(Json(List::page(objects, has_more, |o| &o.id)))
}

pub async fn create(
    State(app): State<Arc<App>>,
    Within(access): Within,
    JsonBody(new): JsonBody<CreateVectorStore>,
) -> Result<Json<VectorStoreObject>, ApiError> {
    if !access.may_create() {
        return Err(ApiError::made_elsewhere());
    }
    // Before there is a collection that would lack them.
    let files: Vec<FileId> = new.file_ids.into_iter().map(FileId).collect();
    for file in &files {
        app.catalog.file(&access, file).await?;
    }
    let made = New {
        name: new.name.unwrap_or_default(),
        description: new.description,
        metadata: Some(json(&new.metadata)?),
        expires_days: new.expires_days.map(u32::from),
        ..New::default()
    };
    let collection = app.catalog.create(&access, made).await?;
    let chunking = chunk_sizes(new.chunking);
    let attachments: Vec<_> =
        files.into_iter().map(|file| Attachment { file, attributes: None, chunking }).collect();
    if !attachments.is_empty()
        && let Err(error) = app.ingest.attach(&access, &collection, attachments, false).await
    {
        app.catalog.delete(&collection).await?;
        return Err(error.into());
    }
    Ok(Json(object(&app, &collection).await?))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
) -> Result<Json<VectorStoreObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    Ok(Json(object(&app, &collection).await?))
}

pub async fn modify(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
    JsonBody(update): JsonBody<UpdateVectorStore>,
) -> Result<Json<VectorStoreObject>, ApiError> {
    let collection = to_change(&app, &access, &collection)?;
    let change = Change {
        name: update.name.map(Option::unwrap_or_default),
        metadata: update.metadata.map(|m| json(&m.unwrap_or_default())).transpose()?,
        expires_days: update.expires_days.map(|days| days.map(u32::from)),
    };
    app.catalog.change(&collection, change).await?;
    // Documents of one that had expired may go on.
    app.ingest.look();
    Ok(Json(object(&app, &collection).await?))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let collection = to_change(&app, &access, &collection)?;
    app.catalog.delete(&collection).await?;
    Ok(Json(Deleted::new(&collection.id.0, "vector_store.deleted")))
}

/// A collection whose documents and settings are changed through the API.
fn to_change(app: &App, access: &Access, name: &str) -> Result<Arc<Collection>, ApiError> {
    let collection = app.catalog.find(access, name)?;
    collection.check_writable()?;
    Ok(collection)
}

fn json(metadata: &Metadata) -> Result<String, ApiError> {
    serde_json::to_string(metadata).map_err(|error| ApiError::internal(&error))
}

async fn object(app: &App, collection: &Collection) -> Result<VectorStoreObject, ApiError> {
    let counts = app.store().document_counts(&collection.id).await?;
    let expiry = collection.expiry();
    let status = match counts.in_progress {
        _ if collection.is_expired() => VectorStoreStatus::Expired,
        0 => VectorStoreStatus::Completed,
        _ => VectorStoreStatus::InProgress,
    };
    Ok(VectorStoreObject {
        id: collection.id.0.clone(),
        object: "vector_store".to_owned(),
        created_at: collection.created_at,
        name: collection.name(),
        description: collection.description(),
        usage_bytes: counts.bytes,
        file_counts: file_counts(counts),
        status,
        expires_after: expiry.map(expires_after),
        expires_at: expiry.map(|expiry| expiry.at),
        last_active_at: Some(collection.last_active_at()),
        metadata: serde_json::from_str(&collection.metadata()).map_err(|error| ApiError::internal(&error))?,
    })
}

fn expires_after(expiry: Expiry) -> VectorStoreExpirationAfter {
    VectorStoreExpirationAfter {
        anchor: "last_active_at".to_owned(),
        days: u16::try_from(expiry.days).unwrap_or(u16::MAX),
    }
}

fn file_counts(counts: DocumentCounts) -> VectorStoreFileCounts {
    VectorStoreFileCounts {
        in_progress: counts.in_progress,
        completed: counts.completed,
        failed: counts.failed,
        cancelled: counts.cancelled,
        total: counts.total(),
    }
}
