//! The HTTP API: a table of routes, then one file per noun. Handlers parse, call and reply.

mod asking;
mod batches;
mod bodies;
mod chat;
mod description;
mod documents;
mod embeddings;
mod error;
mod files;
mod health;
mod in_path;
mod keys;
mod metrics;
mod models;
mod params;
mod preview;
mod relay;
mod responses;
mod search;
mod spelling;
mod store_files;
mod traces;
mod uploads;
mod vector_stores;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use crate::app::App;

pub use crate::relay::Tunnel;
pub use error::ApiError;
pub use params::Place;
pub use spelling::respell;

/// All routes.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        // Chat, with the collection in the path or not.
        .route("/v1/chat/completions", post(chat::completions).fallback(relay::everything_else))
        .route(
            "/c/{collection}/v1/chat/completions",
            post(chat::completions).fallback(relay::everything_else_of),
        )
        .route("/v1/responses", post(responses::create).fallback(relay::everything_else))
        .route("/c/{collection}/v1/responses", post(responses::create).fallback(relay::everything_else_of))
        .route("/v1/rag/preview", post(preview::preview))
        .route("/c/{collection}/v1/rag/preview", post(preview::preview))
        .route("/v1/rag/traces/{id}", get(traces::one))
        .route("/v1/embeddings", post(embeddings::create).fallback(relay::everything_else))
        .route(
            "/c/{collection}/v1/embeddings",
            post(embeddings::create_of).fallback(relay::everything_else_of),
        )
        .route("/v1/models", get(models::list).fallback(relay::everything_else))
        // Ids may hold slashes.
        .route("/v1/models/{*model}", get(models::one).fallback(relay::everything_else))
        // Files, collections and their documents, as OpenAI has them.
        .route(
            "/v1/files",
            // Files have a limit of their own.
            get(files::list).post(files::create).layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/files/{file}", get(files::one).delete(files::delete))
        .route("/v1/files/{file}/content", get(files::content))
        .route("/v1/vector_stores", get(vector_stores::list).post(vector_stores::create))
        .route(
            "/v1/vector_stores/{collection}",
            get(vector_stores::one).post(vector_stores::modify).delete(vector_stores::delete),
        )
        .route("/v1/vector_stores/{collection}/search", post(search::search))
        .route("/v1/vector_stores/{collection}/files", get(store_files::list).post(store_files::attach))
        .route(
            "/v1/vector_stores/{collection}/files/{file}",
            get(store_files::one).post(store_files::update).delete(store_files::delete),
        )
        .route("/v1/vector_stores/{collection}/files/{file}/content", get(store_files::content))
        .route("/v1/vector_stores/{collection}/file_batches", post(batches::create))
        .route("/v1/vector_stores/{collection}/file_batches/{batch}", get(batches::one))
        .route("/v1/vector_stores/{collection}/file_batches/{batch}/cancel", post(batches::cancel))
        .route("/v1/vector_stores/{collection}/file_batches/{batch}/files", get(batches::files))
        // And in one call, for people and scripts.
        .route(
            "/v1/vector_stores/{collection}/documents",
            get(documents::list).post(documents::upload).layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/v1/vector_stores/{collection}/documents/{document}",
            get(documents::one).delete(documents::delete),
        )
        .route("/v1/vector_stores/{collection}/documents/{document}/retry", post(documents::retry))
        // Keys.
        .route("/admin/keys", get(keys::list).post(keys::create))
        .route("/admin/keys/{key}", delete(keys::revoke))
        .route("/admin/keys/{key}/grants", post(keys::grant))
        // Everything else is upstream's.
        .route("/v1/{*rest}", axum::routing::any(relay::everything_else))
        .route("/c/{collection}/v1/{*rest}", axum::routing::any(relay::everything_else_of))
        .route("/metrics", get(metrics::text))
        .route("/openapi.json", get(description::openapi))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(error::unknown_route)
        .method_not_allowed_fallback(error::unknown_method)
        .layer(DefaultBodyLimit::max(app.config.server.max_body))
        .with_state(app)
}
