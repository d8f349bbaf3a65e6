//! Which collections and documents a chat is about.
//!
//! Ordered rules, each one row of [`RULES`]. The first ones are explicit: two that disagree are an error.
//! The last are the defaults, of the key and of the server, which give way to any of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::access::Access;
use crate::collection::{Catalog, Collection, CollectionError, Scope};
use crate::openai::{Attributes, FileSearch, Filter, Ranking};
use crate::store::{DocumentKey, StoreError};

/// What a request says about its collections, in its own words.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `/c/{collection}/v1/...`
    pub path: Option<String>,
    /// `X-RAG-Collection`
    pub header: Option<String>,
    /// The `file_search` tool.
    pub file_search: Option<FileSearch>,
    /// The part after `@` of a model name that upstream does not have.
    pub model: Option<String>,
    /// The key's default.
    pub of_key: Option<String>,
    /// The server's default.
    pub default: Option<String>,
    /// `X-RAG-Document`
    pub documents: Option<String>,
}

/// Which collections, and whether the client chose them.
pub struct Selection {
    pub scopes: Vec<Scope>,
    pub explicit: bool,
    /// Of the scopes' documents only those are meant: [`matching`] finds them.
    pub filter: Option<Filter>,
    /// Passages wanted.
    pub max_num_results: Option<usize>,
    pub ranking: Ranking,
}

/// A choice that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("the {first} names {first_value:?} and the {second} names {second_value:?}: name one")]
    Conflict { first: &'static str, first_value: String, second: &'static str, second_value: String },
    #[error("the {0} names no collection")]
    Empty(&'static str),
    #[error("no document '{document}' in {collections}, or more than one of that name")]
    UnknownDocument { document: String, collections: String },
    #[error(
        "X-RAG-Document needs a collection: name it by path, X-RAG-Collection, a file_search tool or {{model}}@{{collection}}"
    )]
    DocumentWithoutCollection,
    #[error(transparent)]
    Collection(#[from] CollectionError),
}

struct Rule {
    name: &'static str,
    explicit: bool,
    named: fn(&Asked) -> Option<Vec<&str>>,
}

const RULES: &[Rule] = &[
    Rule { name: "path", explicit: true, named: |asked| asked.path.as_deref().map(listed) },
    Rule {
        name: "header X-RAG-Collection",
        explicit: true,
        named: |asked| asked.header.as_deref().map(listed),
    },
    Rule { name: "file_search tool", explicit: true, named: |asked| asked.file_search.as_ref().map(ids_of) },
    Rule { name: "model name", explicit: true, named: |asked| asked.model.as_deref().map(listed) },
    Rule { name: "key's default", explicit: false, named: |asked| asked.of_key.as_deref().map(listed) },
    Rule { name: "server's default", explicit: false, named: |asked| asked.default.as_deref().map(listed) },
];

/// What a rule chose, in the request's words and as it was found.
struct Chosen<'a> {
    rule: &'static Rule,
    named: Vec<&'a str>,
    collections: Vec<Arc<Collection>>,
}

/// Names between commas.
fn listed(names: &str) -> Vec<&str> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn ids_of(tool: &FileSearch) -> Vec<&str> {
    tool.vector_store_ids.iter().map(String::as_str).collect()
}

/// Follows the rules. `None` when nothing is chosen: a plain relay.
pub async fn select(
    catalog: &Catalog,
    access: &Access,
    asked: &Asked,
    deadline: Instant,
) -> Result<Option<Selection>, SelectionError> {
    let mut chosen: Option<Chosen<'_>> = None;
    for rule in RULES {
        let Some(named) = (rule.named)(asked) else { continue };
        if chosen.is_some() && !rule.explicit {
            continue;
        }
        let collections = find(catalog, access, rule.name, &named)?;
        match &chosen {
            None => chosen = Some(Chosen { rule, named, collections }),
            Some(first) => {
                if ids(&first.collections) != ids(&collections) {
                    return Err(SelectionError::Conflict {
                        first: first.rule.name,
                        first_value: first.named.join(","),
                        second: rule.name,
                        second_value: named.join(","),
                    });
                }
            }
        }
    }
    let Some(Chosen { rule, collections, .. }) = chosen else {
        return match asked.documents {
            Some(_) => Err(SelectionError::DocumentWithoutCollection),
            None => Ok(None),
        };
    };
    let mut scopes: Vec<Scope> =
        collections.into_iter().map(|collection| Scope { collection, documents: None }).collect();
    if let Some(documents) = &asked.documents {
        scopes = narrow(catalog, scopes, documents, deadline).await?;
    }
    let FileSearch { filter, max_num_results, ranking, .. } = asked.file_search.clone().unwrap_or_default();
    Ok(Some(Selection { scopes, explicit: rule.explicit, filter, max_num_results, ranking }))
}

/// The documents of a scope that a filter means; maybe none.
pub async fn matching(
    catalog: &Catalog,
    scope: &Scope,
    filter: &Filter,
    deadline: Instant,
) -> Result<Scope, CollectionError> {
    let all = catalog.store().document_attributes(&scope.collection.id, deadline).await?;
    let (filter, among) = (filter.clone(), scope.documents.clone());
    // Many documents take a while to look at.
    let keys = tokio::task::spawn_blocking(move || {
        let mut keys: BTreeSet<DocumentKey> = BTreeSet::new();
        for (key, json) in all.iter().filter(|(key, _)| among.as_ref().is_none_or(|keys| keys.contains(key)))
        {
            let attributes = Attributes::from_json(json).map_err(|e| StoreError::Damaged(e.to_string()))?;
            if filter.matches(&attributes) {
                keys.insert(*key);
            }
        }
        Ok::<_, StoreError>(keys)
    });
    let keys = keys.await.map_err(|e| CollectionError::Worker(e.to_string()))??;
    Ok(Scope { collection: scope.collection.clone(), documents: Some(keys.into()) })
}

fn find(
    catalog: &Catalog,
    access: &Access,
    rule: &'static str,
    named: &[&str],
) -> Result<Vec<Arc<Collection>>, SelectionError> {
    let mut found: Vec<Arc<Collection>> = Vec::new();
    for name in named {
        let collection = catalog.find_to_use(access, name)?;
        if !found.iter().any(|c| c.id == collection.id) {
            found.push(collection);
        }
    }
    if found.is_empty() { Err(SelectionError::Empty(rule)) } else { Ok(found) }
}

fn ids(collections: &[Arc<Collection>]) -> BTreeSet<&str> {
    collections.iter().map(|c| c.id.0.as_str()).collect()
}

/// Keeps the documents that are named, and the collections that hold one.
async fn narrow(
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
