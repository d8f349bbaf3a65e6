//! `/v1/files`: files, attached to collections or not.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_util::io::ReaderStream;

use super::ApiError;
use super::caller::Caller;
use super::params::Path;
use super::uploads::{field_text, length_of, next_field, stage};
use crate::app::App;
use crate::ingest::{Destination, clean_filename};
use crate::openai::{Deleted, FILES, FileFields, FileObject, List, PageQuery, Purpose, QueryString};
use crate::store::{FileId, FileRecord, Page};

pub async fn create(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    headers: HeaderMap,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Json<FileObject>, ApiError> {
    let mut multipart =
        multipart.map_err(|_| ApiError::not_a_form("curl -F purpose=assistants -F file=@report.pdf"))?;
    let mut reception = app.ingest.receive(&access, Destination::Alone, length_of(&headers)).await?;
    let (mut fields, mut file) = (FileFields::default(), None);
    while let Some(field) = next_field(&mut multipart).await? {
        match field.name().unwrap_or_default().to_owned() {
            name if name == "file" => {
                if file.is_some() {
                    let message = "'file' is given more than once: send one file in a request";
                    return Err(ApiError::bad_request("invalid_value", message).with_param("file"));
                }
                let filename = clean_filename(field.file_name().unwrap_or_default());
                file = Some((filename, stage(&app, field, &mut reception).await?));
            }
            name => fields.set(&name, field_text(field).await?)?,
        }
    }
    let Some((filename, blob)) = file else {
        let message = "the form has no file: send it in a field named 'file'";
        return Err(ApiError::bad_request("missing_required_parameter", message).with_param("file"));
    };
    let upload = fields.finish()?;
    let expires_in = upload.expires_seconds.and_then(|seconds| u32::try_from(seconds).ok());
    let purpose = upload.purpose.name();
    Ok(Json(object(app.ingest.keep(&access, &filename, purpose, expires_in, blob).await?)?))
}

pub async fn list(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<List<FileObject>>, ApiError> {
    let query = QueryString::parse(query.as_deref())?;
    let page = PageQuery::read(&query, &FILES)?;
    let purpose = query.get("purpose").filter(|purpose| !purpose.is_empty());
    let found = app.catalog.files(&access, purpose, to_page(page)).await?;
    let objects = found.items.into_iter().map(object).collect::<Result<_, _>>()?;
    Ok(Json(List::page(objects, found.has_more, |o: &FileObject| &o.id)))
}

pub async fn one(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Path(file): Path<String>,
) -> Result<Json<FileObject>, ApiError> {
    Ok(Json(object(app.catalog.file(&access, &FileId(file)).await?)?))
}

/// Removes a file and every document of it. Others may see it through a collection: only its owner removes it.
pub async fn delete(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Path(file): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let file = app.catalog.file(&access, &FileId(file)).await?;
    if !access.owns(file.owner.as_deref()) {
        return Err(ApiError::not_the_owner(&file.id.0));
    }
    app.catalog.delete_file(&file.id).await?;
    Ok(Json(Deleted::new(&file.id.0, "file")))
}

pub async fn content(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Path(file): Path<String>,
) -> Result<Response, ApiError> {
    let file = app.catalog.file(&access, &FileId(file)).await?;
    let bytes = app.store().blobs().read(&file.sha256).await?;
    let (kind, disposition) = shown_as(&file.filename);
    let name = utf8_percent_encode(&file.filename, NON_ALPHANUMERIC);
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_LENGTH, file.bytes.to_string()),
        (CONTENT_DISPOSITION, format!("{disposition}; filename*=UTF-8''{name}")),
        // A stranger's file must not become a page of this server's.
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(bytes, 64 << 10))).into_response())
}

/// What a browser may show in place, so that a link to a page works; anything else is saved.
fn shown_as(filename: &str) -> (&'static str, &'static str) {
    let extension = filename.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "pdf" => ("application/pdf", "inline"),
        "txt" | "md" | "markdown" | "csv" | "log" => ("text/plain; charset=utf-8", "inline"),
        _ => ("application/octet-stream", "attachment"),
    }
}

pub(super) fn to_page(page: PageQuery) -> Page {
    Page { after: page.after, before: page.before, limit: page.limit, descending: page.descending }
}

fn object(file: FileRecord) -> Result<FileObject, ApiError> {
    Ok(FileObject {
        id: file.id.0,
        object: "file".to_owned(),
        bytes: file.bytes,
        created_at: file.created_at,
        expires_at: file.expires_at,
        filename: file.filename,
        purpose: Purpose::parse(&file.purpose).map_err(|error| ApiError::internal(&error))?,
        status: if file.failure.is_some() { "error" } else { "processed" }.to_owned(),
        status_details: file.failure,
    })
}
