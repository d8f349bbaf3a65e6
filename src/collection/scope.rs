//! Where a search looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Collection;
use crate::index::Filter;
use crate::store::DocumentKey;

/// Where to search: a collection, or some of its documents.
#[derive(Clone)]
pub struct Scope {
    pub collection: Arc<Collection>,
    pub documents: Option<Arc<BTreeSet<DocumentKey>>>,
}

impl Scope {
    /// What an index may find for it.
    pub(super) fn filter(&self) -> Filter {
        self.documents.clone().map_or(Filter::Everything, Filter::Documents)
    }

    /// Whether nothing can be found in it.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.as_ref().is_some_and(|documents| documents.is_empty())
    }
}
