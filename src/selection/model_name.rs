//! The rule of `{model}@{collection}`: which names of models name collections.

use std::time::Instant;

use async_trait::async_trait;

use super::rules::listed;
use crate::access::Access;
use crate::collection::{Catalog, CollectionError};

/// What is needed of the LLM server to tell its models from collections.
#[async_trait]
pub trait Models: Send + Sync {
    /// Whether upstream has a model of this name, as far as that is known by then. `None` where it is not, which is so
    /// for a name that is missing in a list that may lack models.
    async fn has(&self, name: &str, until: Instant) -> Option<bool>;
}

/// A name that is of a model and of collections.
pub(super) struct Named {
    pub model: String,
    pub collections: String,
}

/// Reads a model's name. `None` where it is all upstream's.
///
/// Names of models may hold an `@` of their own: `claude-3-5-sonnet@20240620`, `@cf/meta/llama-3.1-8b-instruct`. One
/// whose end is no collection's for this caller is a slip only where its beginning is a model of upstream's, and where
/// upstream is known not to have the whole: that is worth an error which says so. In all other cases upstream knows
/// better than we do. Collections that are forbidden are as unknown as those that do not exist.
pub(super) async fn read(
    name: &str,
    catalog: &Catalog,
    access: &Access,
    models: &dyn Models,
    until: Instant,
) -> Option<Named> {
    let (model, collections) = name.rsplit_once('@')?;
    let is_unknown = |name: &&str| matches!(catalog.find(access, name), Err(CollectionError::Unknown(_)));
    let is_ours = if listed(collections).iter().all(is_unknown) {
        models.has(model, until).await == Some(true) && models.has(name, until).await == Some(false)
    } else {
        models.has(name, until).await != Some(true)
    };
    is_ours.then(|| Named { model: model.to_owned(), collections: collections.to_owned() })
}
