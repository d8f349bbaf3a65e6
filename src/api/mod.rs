//! The HTTP API: a table of routes, then one file per noun. Handlers parse, call and reply.

mod chat;
mod collections;
mod documents;
mod error;
mod health;
mod keys;
mod models;
mod params;
mod relay;
mod search;
mod traces;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use crate::app::App;

pub use error::ApiError;
pub use params::Place;

/// All routes.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        // Chat, with the collection in the path or not.
        .route("/v1/chat/completions", post(chat::completions).fallback(relay::everything_else))
        .route("/c/{collection}/v1/chat/completions", post(chat::completions_of))
        .route("/v1/rag/preview", post(chat::preview))
        .route("/c/{collection}/v1/rag/preview", post(chat::preview_of))
        .route("/v1/rag/traces/{id}", get(traces::one))
        .route("/v1/models", get(models::list).fallback(relay::everything_else))
        // Collections and their documents.
        .route("/v1/vector_stores", get(collections::list).post(collections::create))
        .route("/v1/vector_stores/{collection}", get(collections::one).delete(collections::delete))
        .route("/v1/vector_stores/{collection}/search", post(search::search))
        .route(
            "/v1/vector_stores/{collection}/documents",
            // Files have a limit of their own.
            get(documents::list).post(documents::upload).layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/v1/vector_stores/{collection}/documents/{document}",
            get(documents::one).delete(documents::delete),
        )
        // Keys.
        .route("/admin/keys", get(keys::list).post(keys::create))
        .route("/admin/keys/{key}", delete(keys::revoke))
        .route("/admin/keys/{key}/grants", post(keys::grant))
        // Everything else is upstream's.
        .route("/v1/{*rest}", axum::routing::any(relay::everything_else))
        .route("/c/{collection}/v1/{*rest}", axum::routing::any(relay::everything_else_of))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(error::unknown_route)
        .method_not_allowed_fallback(error::unknown_method)
        .layer(DefaultBodyLimit::max(app.config.server.max_body))
        .with_state(app)
}
