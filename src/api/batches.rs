//! `/v1/vector_stores/{collection}/file_batches`: files attached together.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use super::ApiError;
use super::caller::Within;
use super::params::{JsonBody, Path};
use super::store_files::{attachment, page, to_fill};
use crate::app::App;
use crate::openai::{
    CreateFileBatch, FILE_BATCH, FileBatchObject, FileBatchStatus, List, VectorStoreFileBatchCounts,
    VectorStoreFileObject,
};
use crate::store::{BatchId, BatchRecord};

pub async fn create(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path(collection): Path<String>,
    JsonBody(new): JsonBody<CreateFileBatch>,
) -> Result<Json<FileBatchObject>, ApiError> {
    let collection = to_fill(&app, &access, &collection)?;
    let attachments = new.files.into_iter().map(attachment).collect::<Result<_, _>>()?;
    let attached = app.ingest.attach(&access, &collection, attachments, true).await?;
    match attached.batch {
        Some(batch) => Ok(Json(object(batch))),
        None => Err(ApiError::internal(&"files were attached and no batch came of it")),
    }
}

pub async fn one(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, batch)): Path<(String, String)>,
) -> Result<Json<FileBatchObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    Ok(Json(object(app.store().batch(&collection.id, &BatchId(batch)).await?)))
}

pub async fn cancel(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, batch)): Path<(String, String)>,
) -> Result<Json<FileBatchObject>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let batch = app.store().batch(&collection.id, &BatchId(batch)).await?;
    match status(&batch) {
        FileBatchStatus::InProgress => Ok(Json(object(app.ingest.cancel(&collection, &batch.id).await?))),
        over => Err(ApiError::not_cancellable(match over {
            FileBatchStatus::Cancelled => "cancelled",
            FileBatchStatus::Failed => "failed",
            _ => "completed",
        })),
    }
}

pub async fn files(
    State(app): State<Arc<App>>,
    Within(access): Within,
    Path((collection, batch)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<VectorStoreFileObject>>, ApiError> {
    let collection = app.catalog.find(&access, &collection)?;
    let batch = app.store().batch(&collection.id, &BatchId(batch)).await?;
    Ok(Json(page(&app, &collection, query.as_deref(), Some(batch.id)).await?))
}

fn status(batch: &BatchRecord) -> FileBatchStatus {
    match batch.counts.in_progress {
        _ if batch.cancelled => FileBatchStatus::Cancelled,
        0 => FileBatchStatus::Completed,
        _ => FileBatchStatus::InProgress,
    }
}

fn object(batch: BatchRecord) -> FileBatchObject {
    FileBatchObject {
        status: status(&batch),
        id: batch.id.0,
        object: FILE_BATCH.to_owned(),
        created_at: batch.created_at.try_into().unwrap_or(0),
        vector_store_id: batch.collection.0,
        file_counts: VectorStoreFileBatchCounts {
            in_progress: batch.counts.in_progress,
            completed: batch.counts.completed,
            failed: batch.counts.failed,
            cancelled: batch.counts.cancelled,
            total: batch.counts.total(),
        },
    }
}
