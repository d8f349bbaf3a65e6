//! The documents of collections that a request is about: named in a header, or meant by a filter.

use std::collections::BTreeSet;
use std::time::Instant;

use super::SelectionError;
use super::rules::listed;
use crate::collection::{Catalog, CollectionError, Scope};
use crate::openai::{Attributes, Filter};
use crate::store::{DocumentKey, StoreError};
use crate::tasks;

/// Finds the documents of a scope that a filter means; maybe none.
pub async fn matching(
    catalog: &Catalog,
    scope: &Scope,
    filter: &Filter,
    deadline: Instant,
) -> Result<Scope, CollectionError> {
    let all = catalog.store().document_attributes(&scope.collection.id, deadline).await?;
    let (filter, among) = (filter.clone(), scope.documents.clone());
    // Many documents take a while to look at.
    let keys = tasks::blocking(move || {
        let mut keys: BTreeSet<DocumentKey> = BTreeSet::new();
        for (key, json) in all.iter().filter(|(key, _)| among.as_ref().is_none_or(|keys| keys.contains(key)))
        {
            let attributes = Attributes::from_json(json).map_err(|e| StoreError::Damaged(e.to_string()))?;
            if filter.matches(&attributes) {
                keys.insert(*key);
            }
        }
        Ok::<_, CollectionError>(keys)
    })
    .await?;
    Ok(Scope { collection: scope.collection.clone(), documents: Some(keys.into()) })
}

/// Keeps the documents that are named, and the collections that hold one.
pub(super) async fn narrow(
    catalog: &Catalog,
    scopes: Vec<Scope>,
    named: &str,
    deadline: Instant,
) -> Result<Vec<Scope>, SelectionError> {
    // A whole value first: names of files may hold commas.
    let narrowed = narrow_to(catalog, &scopes, &[named.trim()], deadline).await;
    let parts = listed(named);
    match narrowed {
        Err(SelectionError::UnknownDocument { .. }) if parts.len() > 1 => {
            narrow_to(catalog, &scopes, &parts, deadline).await
        }
        narrowed => narrowed,
    }
}

async fn narrow_to(
    catalog: &Catalog,
    scopes: &[Scope],
    documents: &[&str],
    deadline: Instant,
) -> Result<Vec<Scope>, SelectionError> {
    let mut keys: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); scopes.len()];
    for document in documents {
        let mut known = false;
        for (scope, keys) in scopes.iter().zip(&mut keys) {
            match catalog.document(&scope.collection, document, deadline).await {
                Ok(found) => {
                    keys.insert(found.key);
                    known = true;
                }
                Err(CollectionError::Store(StoreError::NotFound(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !known {
            let names: Vec<String> = scopes.iter().map(|s| s.collection.label()).collect();
            return Err(SelectionError::UnknownDocument {
                document: (*document).to_owned(),
                collections: names.join(", "),
            });
        }
    }
    let narrowed = scopes.iter().zip(keys).filter(|(_, keys)| !keys.is_empty());
    Ok(narrowed
        .map(|(scope, keys)| Scope { collection: scope.collection.clone(), documents: Some(keys.into()) })
        .collect())
}
