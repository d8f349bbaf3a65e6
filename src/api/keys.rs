//! `/admin/keys`: who may do what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::ApiError;
use super::params::{JsonBody, Path};
use crate::access::Limits;
use crate::app::{App, ListedKey, Wanted, scopes};
use crate::openai::{CreateKey, Deleted, GrantKey, KeyLimits, KeyObject, List};
use crate::quota::Quota;
use crate::system::now;

pub async fn list(State(app): State<Arc<App>>) -> Result<Json<List<KeyObject>>, ApiError> {
    let keys = app.all_keys().await?.into_iter().map(object).collect();
    Ok(Json(List::whole(keys, |key: &KeyObject| &key.id)))
}

pub async fn create(
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<CreateKey>,
) -> Result<Json<KeyObject>, ApiError> {
    let wanted = Wanted {
        scopes: scopes(new.scopes.as_deref())?,
        name: new.name,
        all_collections: new.all_collections,
        collections: new.collections,
        default_collection: new.default_collection,
        expires_days: new.expires_days,
        limits: Limits {
            requests_per_minute: new.limits.requests_per_minute,
            streams: new.limits.streams,
            quota: Quota {
                documents: new.limits.max_documents,
                bytes: new.limits.max_bytes,
                chunks: new.limits.max_chunks,
            },
        },
    };
    let (key, secret) = app.create_key(wanted).await?;
    Ok(Json(KeyObject { secret: Some(secret.reveal().to_owned()), ..object(key) }))
}

pub async fn revoke(State(app): State<Arc<App>>, Path(key): Path<String>) -> Result<Json<Deleted>, ApiError> {
    let revoked = app.revoke_key(&key).await?;
    Ok(Json(Deleted::new(&revoked.id, "key.deleted")))
}

pub async fn grant(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    JsonBody(new): JsonBody<GrantKey>,
) -> Result<Json<KeyObject>, ApiError> {
    Ok(Json(object(app.grant_key(&key, &new.collections).await?)))
}

fn object(key: ListedKey) -> KeyObject {
    let expired = key.expires_at.is_some_and(|at| at <= now());
    let status = match (key.revoked_at, expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "active",
    };
    KeyObject {
        id: key.id,
        object: "key".to_owned(),
        name: key.name,
        status: status.to_owned(),
        scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        all_collections: key.all_collections,
        collections: key.collections.into_iter().map(|id| id.0).collect(),
        default_collection: key.default_collection.map(|id| id.0),
        limits: KeyLimits {
            requests_per_minute: key.limits.requests_per_minute,
            streams: key.limits.streams,
            max_documents: key.limits.quota.documents,
            max_bytes: key.limits.quota.bytes,
            max_chunks: key.limits.quota.chunks,
        },
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        secret: None,
    }
}
