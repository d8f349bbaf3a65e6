//! What is asked for and is not there: routes and methods.

use axum::extract::Request;

use super::{ApiError, in_path};

/// No such route.
pub async fn route(request: Request) -> ApiError {
    ApiError::unknown_route(request.method(), &path(&request))
}

/// No such method on a route.
pub async fn method(request: Request) -> ApiError {
    ApiError::unknown_method(request.method(), &path(&request))
}

/// The path as the client sent it.
fn path(request: &Request) -> String {
    in_path::prefix(request.extensions()).to_owned() + request.uri().path()
}
