//! Objects of our own endpoints, in OpenAI's shapes.

use async_openai::types::vectorstores::VectorStoreSearchResultItem;
use serde::{Deserialize, Serialize};

pub use async_openai::types::vectorstores::{
    VectorStoreFileAttributes, VectorStoreFileCounts, VectorStoreObject,
    VectorStoreSearchResultContentObject, VectorStoreSearchResultItem as SearchItem, VectorStoreStatus,
};

/// A list of objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List<T> {
    pub object: String,
    pub data: Vec<T>,
    pub first_id: Option<String>,
    pub last_id: Option<String>,
    pub has_more: bool,
}

impl<T> List<T> {
    /// The whole of a list, with the id of each element.
    pub fn whole(data: Vec<T>, id: impl Fn(&T) -> &str) -> Self {
        let (first_id, last_id) = (data.first().map(&id), data.last().map(&id));
        let (first_id, last_id) = (first_id.map(str::to_owned), last_id.map(str::to_owned));
        Self { object: "list".to_owned(), data, first_id, last_id, has_more: false }
    }
}

/// The answer to a deletion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deleted {
    pub id: String,
    pub object: String,
    pub deleted: bool,
}

impl Deleted {
    /// This one is gone.
    pub fn new(id: &str, object: &str) -> Self {
        Self { id: id.to_owned(), object: object.to_owned(), deleted: true }
    }
}

/// A document of a collection: OpenAI's vector store file, with what people want to see of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentObject {
    pub id: String,
    pub object: String,
    pub vector_store_id: String,
    pub filename: String,
    /// `in_progress`, `completed` or `failed`.
    pub status: String,
    pub last_error: Option<LastError>,
    pub created_at: i64,
    /// Of the original.
    pub bytes: u64,
    pub pages: Option<u32>,
    pub chunks: u32,
    pub language: Option<String>,
}

/// Why a document failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastError {
    pub code: String,
    pub message: String,
}

/// A page of search results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchPage {
    pub object: String,
    pub search_query: Vec<String>,
    pub data: Vec<PlacedItem>,
    pub has_more: bool,
    pub next_page: Option<String>,
}

/// A search result with its place in the document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacedItem {
    #[serde(flatten)]
    pub item: VectorStoreSearchResultItem,
    pub page: Option<u32>,
    pub headings: Vec<String>,
}

/// A search request. Fields of OpenAI's that are not served yet are refused by name, never ignored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    pub query: String,
    #[serde(default)]
    pub max_num_results: Option<usize>,
}
