//! The HTTP API: a table of routes, then one file per noun. Handlers parse, call and reply.

mod asking;
mod batches;
mod bodies;
mod caller;
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
mod routes;
mod search;
mod spelling;
mod store_files;
mod traces;
mod unknown;
mod uploads;
mod vector_stores;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower_service::Service;

use crate::app::App;

pub use crate::relay::Tunnel;
pub use error::ApiError;
pub use params::Place;
pub use routes::{Endpoint, matched, routes};
pub use spelling::respell;

/// Everything that is served. Cheap to clone.
#[derive(Clone)]
pub struct Api(Router);

impl Api {
    pub fn new(app: Arc<App>) -> Self {
        Self(routes::router(app))
    }

    /// Answers a request in its plain spelling, which [`respell`] gave it.
    pub async fn answer(&self, mut request: Request) -> Response {
        in_path::cut(&mut request);
        let Ok(response) = self.0.clone().call(request).await;
        response
    }
}
