//! The ways to choose collections, in their order.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Asked, SelectionError};
use crate::access::Access;
use crate::collection::{Catalog, Collection, CollectionError};
use crate::openai::FileSearch;

/// A way to choose collections. A new one is a row of [`RULES`], and of the test below.
#[derive(Debug)]
pub struct Rule {
    pub name: &'static str,
    /// Whether the client itself chooses by it. Two explicit choices must agree, and one that cannot be followed is an
    /// error. A default gives way to any of them, and a request that it cannot be followed for is relayed.
    pub explicit: bool,
    named: for<'s> fn(&'s Said<'_>) -> Option<Vec<&'s str>>,
}

const RULES: &[Rule] = &[
    Rule { name: "path", explicit: true, named: |said| said.asked.path.as_deref().map(listed) },
    Rule {
        name: "header X-RAG-Collection",
        explicit: true,
        named: |said| said.asked.header.as_deref().map(listed),
    },
    Rule { name: "file_search tool", explicit: true, named: |said| said.file_search.as_ref().map(ids_of) },
    Rule { name: "model name", explicit: true, named: |said| said.in_model.as_deref().map(listed) },
    Rule { name: "key's default", explicit: false, named: |said| said.of_key.as_deref().map(listed) },
    Rule { name: "server's default", explicit: false, named: |said| said.of_server.map(listed) },
];

/// All that the rules look at.
pub(super) struct Said<'a> {
    pub asked: &'a Asked,
    pub file_search: Option<FileSearch>,
    /// The part after `@` of a model's name.
    pub in_model: Option<String>,
    pub of_key: Option<String>,
    pub of_server: Option<&'a str>,
}

/// What a rule chose, in the request's words and as it was found.
pub(super) struct Chosen<'a> {
    pub rule: &'static Rule,
    named: Vec<&'a str>,
    pub collections: Vec<Arc<Collection>>,
}

/// What the rules chose together.
pub(super) enum Outcome<'a> {
    Nothing,
    /// A default that cannot be used.
    MissingDefault(SelectionError),
    Chosen(Chosen<'a>),
}

/// Separates names between commas.
pub fn listed(names: &str) -> Vec<&str> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn ids_of(tool: &FileSearch) -> Vec<&str> {
    tool.vector_store_ids.iter().map(String::as_str).collect()
}

/// Follows the rules. The first that names collections chooses; explicit ones after it must choose the same.
pub(super) fn follow<'a>(
    catalog: &Catalog,
    access: &Access,
    said: &'a Said<'_>,
) -> Result<Outcome<'a>, SelectionError> {
    let mut chosen: Option<Chosen<'_>> = None;
    for rule in RULES {
        let Some(named) = (rule.named)(said) else { continue };
        if chosen.is_some() && !rule.explicit {
            continue;
        }
        let collections = match find(catalog, access, rule.name, &named) {
            Err(error) if !rule.explicit && is_missing(&error) => {
                // One that does not exist for this caller is not spoken of.
                if access.sees_all() || is_expired(&error) {
                    return Ok(Outcome::MissingDefault(error));
                }
                continue;
            }
            found => found?,
        };
        match &chosen {
            None => chosen = Some(Chosen { rule, named, collections }),
            Some(first) if ids(&first.collections) != ids(&collections) => {
                return Err(SelectionError::Conflict {
                    first: first.rule.name,
                    first_value: first.named.join(","),
                    second: rule.name,
                    second_value: named.join(","),
                });
            }
            Some(_) => {}
        }
    }
    Ok(chosen.map_or(Outcome::Nothing, Outcome::Chosen))
}

fn is_missing(error: &SelectionError) -> bool {
    use CollectionError::{Ambiguous, Expired, Unknown};
    matches!(error, SelectionError::Collection(Unknown(_) | Expired(_) | Ambiguous { .. }))
}

fn is_expired(error: &SelectionError) -> bool {
    matches!(error, SelectionError::Collection(CollectionError::Expired(_)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_reads_its_own_words() {
        let path = Asked { path: Some("a,b".to_owned()), ..Asked::default() };
        let header = Asked { header: Some(" b , a,".to_owned()), ..Asked::default() };
        let plain = Asked::default();
        let tool = || FileSearch { vector_store_ids: vec!["a".to_owned()], ..FileSearch::default() };
        let text = |text: &str| Some(text.to_owned());
        let said = |asked| Said { asked, file_search: None, in_model: None, of_key: None, of_server: None };
        let rows = [
            ("path", true, said(&path), vec!["a", "b"]),
            ("header X-RAG-Collection", true, said(&header), vec!["b", "a"]),
            ("file_search tool", true, Said { file_search: Some(tool()), ..said(&plain) }, vec!["a"]),
            ("model name", true, Said { in_model: text("a"), ..said(&plain) }, vec!["a"]),
            ("key's default", false, Said { of_key: text("a"), ..said(&plain) }, vec!["a"]),
            ("server's default", false, Said { of_server: Some("a"), ..said(&plain) }, vec!["a"]),
        ];
        assert_eq!(rows.len(), RULES.len(), "each rule has its row");
        for (at, (name, explicit, said, named)) in rows.iter().enumerate() {
            let spoke: Vec<_> =
                RULES.iter().filter_map(|rule| Some((rule.name, (rule.named)(said)?))).collect();
            assert_eq!(spoke, [(*name, named.clone())]);
            assert_eq!((RULES[at].name, RULES[at].explicit), (*name, *explicit), "they stand in this order");
        }
    }
}
