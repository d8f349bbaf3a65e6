//! The collections that stand in a request's path: `/c/{collection}/v1/...`.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::ApiError;

/// The name of that part of a route's path.
const COLLECTION: &str = "collection";

/// The collections that a request's path names, decoded and as one text, for clients that can set nothing but a base
/// address. `None` below a plain `/v1`. One handler takes both.
pub struct InPath(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(named) => {
                let mut named = named.iter();
                Ok(Self(named.find(|(name, _)| *name == COLLECTION).map(|(_, value)| value.to_owned())))
            }
            Err(error) => Err(ApiError::bad_request("invalid_path", error.body_text())),
        }
    }
}
