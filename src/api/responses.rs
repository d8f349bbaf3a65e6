//! `POST /v1/responses`: grounded as chats are, where a `file_search` tool, the path, a header or the model's name chooses
//! a collection, and relayed as it is otherwise.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::ApiError;
use super::caller::Caller;
use super::chat::complete;
use super::in_path::InPath;

use super::watch::Watched;
use crate::app::App;
use crate::openai::ModelApi;

pub async fn create(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Watched(record): Watched,
    InPath(path): InPath,
    request: Request,
) -> Result<Response, ApiError> {
    complete(&app, &access, &record, path, request, ModelApi::Responses).await
}
