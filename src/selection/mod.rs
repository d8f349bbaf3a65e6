//! Which collections and documents a chat is about.
//!
//! Ordered rules, each one row of a table. The first ones are explicit: two that disagree are an error, and so is one
//! that cannot be followed. The last are the defaults, of the key and of the server, which give way to any of them: a
//! chat that cannot be grounded in a default goes upstream as it came, and its answer says so.

mod body;
mod documents;
mod model_name;
mod rules;

use std::time::{Duration, Instant};

use crate::access::Access;
use crate::collection::{Catalog, CollectionError, Scope};
use crate::openai::{ChatRequest, ChatRequestError, Choices, FileSearch, Filter, ModelApi, Ranking};

pub use body::Body;
pub use documents::matching;
pub use model_name::Models;
pub use rules::{Rule, listed};

use rules::{Outcome, Said};

/// What a request says outside of its body.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `/c/{collection}/v1/...`
    pub path: Option<String>,
    /// `X-RAG-Collection`
    pub header: Option<String>,
    /// `X-RAG-Document`
    pub documents: Option<String>,
    /// `X-RAG-K`
    pub passages: Option<usize>,
    /// `X-RAG: off`
    pub off: bool,
}

/// How a request goes on.
pub enum Selection {
    /// No collection is chosen: it goes upstream as it came.
    Nothing,
    /// Nothing but a default is chosen, which does not exist: it goes upstream as it came, and its answer says so.
    MissingDefault {
        /// It was not to be grounded.
        off: bool,
    },
    /// Collections are chosen. Without a request, its body cannot be read: it goes upstream as it came all the same.
    Collections(Box<Selected>, Option<Box<ChatRequest>>),
}

/// What a request is about.
pub struct Selected {
    /// By which its collections were chosen.
    pub rule: &'static Rule,
    /// Its collections, each with the documents that were named.
    pub scopes: Vec<Scope>,
    /// Of the scopes' documents only those are meant: [`matching`] finds them.
    pub filter: Option<Filter>,
    pub ranking: Ranking,
    /// Passages wanted.
    pub passages: Option<usize>,
    /// The name to write where the client's is also a collection's.
    pub model: Option<String>,
    /// It is not to be grounded.
    pub off: bool,
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
    #[error(transparent)]
    Body(#[from] ChatRequestError),
}

/// Selects for one caller.
pub struct Selector<'a> {
    pub catalog: &'a Catalog,
    pub access: &'a Access,
    pub models: &'a dyn Models,
    /// The server's default.
    pub default: Option<&'a str>,
    /// Documents are looked up for so long at most.
    pub deadline: Duration,
    /// What upstream tells of its models is waited for until then.
    pub models_known_by: Instant,
}

impl Selector<'_> {
    /// Selects what a request is about.
    pub async fn select(&self, asked: &Asked, body: &mut Body) -> Result<Selection, SelectionError> {
        let deadline = Instant::now() + self.deadline;
        let Choices { model, file_search } = body.choices()?;
        let (mut in_model, mut other_model) = (None, None);
        if let Some(name) = model
            && let Some(named) =
                model_name::read(&name, self.catalog, self.access, self.models, self.models_known_by).await
        {
            (in_model, other_model) = (Some(named.collections), Some(named.model));
        }
        let mut said = Said { asked, file_search, in_model, of_key: None, of_server: None };
        // Answers of the Responses API are changed only where that was asked for.
        if body.api() == ModelApi::Chat {
            (said.of_key, said.of_server) = (self.access.default_collection(), self.default);
        }
        let chosen = match rules::follow(self.catalog, self.access, &said)? {
            Outcome::Chosen(chosen) => chosen,
            Outcome::Nothing if asked.documents.is_some() => {
                return Err(SelectionError::DocumentWithoutCollection);
            }
            Outcome::Nothing => return Ok(Selection::Nothing),
            Outcome::MissingDefault(error) => {
                tracing::error!(%error, "the default collection cannot be used");
                return Ok(Selection::MissingDefault { off: asked.off });
            }
        };
        let (rule, collections) = (chosen.rule, chosen.collections);
        let scopes =
            collections.into_iter().map(|collection| Scope { collection, documents: None }).collect();
        let scopes = match &asked.documents {
            Some(named) => documents::narrow(self.catalog, scopes, named, deadline).await?,
            None => scopes,
        };
        let FileSearch { filter, max_num_results, ranking, .. } = said.file_search.unwrap_or_default();
        let request = match body.take_request() {
            Ok(request) => Some(Box::new(request)),
            Err(error) if rule.explicit && !asked.off => return Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "a chat that cannot be read is relayed");
                None
            }
        };
        let selected = Selected {
            rule,
            scopes,
            filter,
            ranking,
            passages: asked.passages.or(max_num_results),
            model: other_model,
            off: asked.off,
        };
        Ok(Selection::Collections(Box::new(selected), request))
    }
}

impl Selected {
    /// The collections, as they are shown.
    pub fn labels(&self) -> Vec<String> {
        self.scopes.iter().map(|scope| scope.collection.label()).collect()
    }
}
