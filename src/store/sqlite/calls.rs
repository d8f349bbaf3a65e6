//! Each call of the store as one transaction on a thread that may block.

mod collections;
mod documents;
mod files;
mod housekeeping;
mod indexing;
mod jobs;
mod keys;
mod passages;

use super::SqliteStore;
use crate::store::{Blobs, Store};

impl Store for SqliteStore {
    fn identity(&self) -> &str {
        &self.inner.identity
    }

    fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }
}
