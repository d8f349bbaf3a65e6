//! Files that come in a form, onto the disk.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};

use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::ApiError;
use crate::app::App;
use crate::ingest::Reception;
use crate::store::StagedBlob;

/// Bytes of a field that is no file.
const LONGEST_FIELD: usize = 4_096;

/// The form's next field.
pub(super) async fn next_field(form: &mut Multipart) -> Result<Option<Field<'_>>, ApiError> {
    form.next_field().await.map_err(broken_form)
}

/// Length of a body, where the client says so beforehand.
pub(super) fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Writes a field's bytes to the disk, synced, up to the limit of a file and to what may be received.
pub(super) async fn stage(
    app: &App,
    mut field: Field<'_>,
    reception: &mut Reception,
) -> Result<StagedBlob, ApiError> {
    let limit = app.config.server.max_file;
    let mut writer = app.store().blobs().begin().await?;
    while let Some(bytes) = field.chunk().await.map_err(broken_form)? {
        if writer.bytes() + bytes.len() as u64 > limit {
            return Err(ApiError::too_large("the file", limit, "--max-file-mib"));
        }
        reception.take(bytes.len() as u64)?;
        writer.write(&bytes).await?;
    }
    Ok(writer.finish().await?)
}

/// A short field's text.
pub(super) async fn field_text(mut field: Field<'_>) -> Result<String, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(broken_form)? {
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_FIELD {
            let message = format!("field '{name}' is longer than {LONGEST_FIELD} bytes");
            return Err(ApiError::bad_request("invalid_value", message).with_param(&name));
        }
    }
    String::from_utf8(text).map_err(|_| {
        let message = format!("field '{name}' is not UTF-8");
        ApiError::bad_request("invalid_value", message).with_param(&name)
    })
}

fn broken_form(error: MultipartError) -> ApiError {
    ApiError::broken_body(&error)
}
