//! What questions are asked of.

use std::collections::HashMap;
use std::sync::Arc;

use crate::collection::Collection;

/// The collection that questions are asked of.
pub struct Subject {
    pub collection: Arc<Collection>,
    /// What the dataset calls each document, by the document's id.
    pub names: HashMap<String, String>,
}
