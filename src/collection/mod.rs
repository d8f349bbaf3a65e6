//! Collections: a catalog of them, their settings, and the search within.

mod background;
mod catalog;
mod closing;
mod documents;
mod entry;
mod error;
mod fusion;
mod indexed_text;
mod indexes;
mod known;
mod lag;
mod legs;
mod meaning;
mod one_thread;
mod opened;
mod opening;
mod relevance;
mod reranker;
mod reranking;
mod runs;
mod scope;
mod search;
mod settings;
mod upkeep;
mod uses;
mod words;

pub use catalog::{Catalog, Change, New};
pub use entry::{Collection, Expiry, is_handle};
pub use error::CollectionError;
pub use indexed_text::with_headings;
pub use legs::By;
pub use opened::Bounds;
pub use reranker::Reranker;
pub use reranking::search;
pub use scope::Scope;
pub use search::{Floor, Found, Hit, Query, Stage, Timings};
pub use settings::{OnEmpty, Settings, SettingsError};

#[cfg(test)]
mod tests;
