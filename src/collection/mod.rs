//! Collections: a catalog of them, their settings, and the search within.

mod catalog;
mod embedder;
mod entry;
mod error;
mod fusion;
mod lag;
mod legs;
mod meaning;
mod runs;
mod search;
mod settings;
mod upkeep;
mod words;

pub use catalog::{Catalog, Change, New};
pub use embedder::{Embedder, EmbedderError, EmbeddingModel};
pub use entry::{Collection, Expiry, is_handle, with_headings};
pub use error::CollectionError;
pub use search::{By, Found, Hit, Query, Scope, Timings, search};
pub use settings::{OnEmpty, Settings, SettingsError};

#[cfg(test)]
mod tests;
