//! `/v1/vector_stores`: the collections.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::ApiError;
use super::params::{Caller, Chat, Ingest};
use crate::app::App;
use crate::collection::{Collection, Settings};
use crate::openai::{Deleted, List, VectorStoreFileCounts, VectorStoreObject, VectorStoreStatus};
use crate::store::Origin;

/// A collection to be made. Fields of OpenAI's that are not served yet are refused by name, never ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    name: String,
}

pub async fn list(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
) -> Result<Json<List<VectorStoreObject>>, ApiError> {
    let mut objects = Vec::new();
    for collection in app.catalog.list(&access) {
        objects.push(object(&app, &collection).await?);
    }
    Ok(Json(List::whole(objects, |o| &o.id)))
}

pub async fn create(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Ingest>,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<Json<VectorStoreObject>, ApiError> {
    let Json(new) = body.map_err(|e| ApiError::not_this_json(&e, app.config.server.max_body))?;
    let collection = app.catalog.create(&access, &new.name, Origin::Api, &Settings::default()).await?;
    Ok(Json(object(&app, &collection).await?))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Chat>,
    Path(collection): Path<String>,
) -> Result<Json<VectorStoreObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    Ok(Json(object(&app, &collection).await?))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Caller(access, ..): Caller<Ingest>,
    Path(collection): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    collection.check_writable()?;
    app.catalog.delete(&collection).await?;
    app.keys.forget(&collection.id.0);
    Ok(Json(Deleted::new(&collection.id.0, "vector_store.deleted")))
}

async fn object(app: &App, collection: &Collection) -> Result<VectorStoreObject, ApiError> {
    let counts = app.store().document_counts(&collection.id).await?;
    let status =
        if counts.in_progress > 0 { VectorStoreStatus::InProgress } else { VectorStoreStatus::Completed };
    Ok(VectorStoreObject {
        id: collection.id.0.clone(),
        object: "vector_store".to_owned(),
        created_at: collection.created_at.try_into().unwrap_or(0),
        name: Some(collection.name.clone()),
        usage_bytes: counts.bytes,
        file_counts: VectorStoreFileCounts {
            in_progress: counts.in_progress,
            completed: counts.completed,
            failed: counts.failed,
            cancelled: 0,
            total: counts.in_progress + counts.completed + counts.failed,
        },
        status,
        expires_after: None,
        expires_at: None,
        last_active_at: Some(collection.created_at.try_into().unwrap_or(0)),
        metadata: None,
    })
}
