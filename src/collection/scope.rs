//! Where a search looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Collection;
use crate::store::DocumentKey;

/// Where to search: a collection, or some of its documents.
#[derive(Clone)]
pub struct Scope {
    pub collection: Arc<Collection>,
    pub documents: Option<Arc<BTreeSet<DocumentKey>>>,
}
