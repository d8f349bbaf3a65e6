//! Objects of our own endpoints, in OpenAI's shapes. Where async-openai's types write exactly what the specification
//! says, they are used.

pub use async_openai::types::vectorstores::{
    ChunkingStrategyResponse, StaticChunkingStrategy, VectorStoreExpirationAfter, VectorStoreFileBatchCounts,
    VectorStoreFileBatchObject as FileBatchObject, VectorStoreFileBatchStatus as FileBatchStatus,
    VectorStoreFileContentObject as ContentObject, VectorStoreFileContentResponse as ContentPage,
    VectorStoreFileCounts, VectorStoreFileError, VectorStoreFileErrorCode, VectorStoreFileStatus,
    VectorStoreSearchResultContentObject, VectorStoreStatus,
};
use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, Metadata};

/// `object` of a batch.
pub const FILE_BATCH: &str = "vector_store.files_batch";
/// `object` of a page of a file's text.
pub const CONTENT_PAGE: &str = "vector_store.file_content.page";

/// OpenAI's vector store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorStoreObject {
    pub id: String,
    /// `vector_store`.
    pub object: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Empty where it has none.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub usage_bytes: u64,
    pub file_counts: VectorStoreFileCounts,
    pub status: VectorStoreStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<VectorStoreExpirationAfter>,
    pub expires_at: Option<i64>,
    pub last_active_at: Option<i64>,
    pub metadata: Metadata,
}

/// OpenAI's vector store file: a document of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorStoreFileObject {
    pub id: String,
    /// `vector_store.file`.
    pub object: String,
    pub usage_bytes: u64,
    /// Seconds since 1970.
    pub created_at: i64,
    pub vector_store_id: String,
    pub status: VectorStoreFileStatus,
    pub last_error: Option<VectorStoreFileError>,
    /// What is amiss although nothing failed. OpenAI has no such field, and it is there only where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<LastError>,
    pub chunking_strategy: ChunkingStrategyResponse,
    pub attributes: Attributes,
}

/// OpenAI's code for one of our reasons why a document failed.
pub fn last_error_code(failure: &str) -> VectorStoreFileErrorCode {
    match failure {
        "unsupported_file" => VectorStoreFileErrorCode::UnsupportedFile,
        "encrypted_file" | "damaged_file" | "empty_file" | "no_text" | "garbled_text" | "too_large"
        | "timeout" | "out_of_memory" | "parser_crashed" => VectorStoreFileErrorCode::InvalidFile,
        _ => VectorStoreFileErrorCode::ServerError,
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
    /// What is amiss although nothing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<LastError>,
    /// The id of an earlier document of this name, which answers until this one is completed and goes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    pub created_at: i64,
    /// Of the original.
    pub bytes: u64,
    pub pages: Option<u32>,
    pub chunks: u32,
    /// Of the chunks, those with a vector: while the others are computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded_chunks: Option<u32>,
    pub language: Option<String>,
}

/// Why a document failed, or what else is wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    pub code: String,
    pub message: String,
}

/// A page of search results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchPage {
    pub object: String,
    pub search_query: Vec<String>,
    pub data: Vec<SearchItem>,
    pub has_more: bool,
    pub next_page: Option<String>,
}

/// A search result. The specification allows no other fields: `place` is there only for who asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchItem {
    pub file_id: String,
    pub filename: String,
    /// 0 to 1.
    pub score: f32,
    pub attributes: Attributes,
    pub content: Vec<VectorStoreSearchResultContentObject>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// Where in its document a result stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    pub page: Option<u32>,
    pub headings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn objects_are_written_as_the_specification_says() {
        let store = VectorStoreObject {
            id: "vs_1".into(),
            object: "vector_store".into(),
            created_at: 1,
            name: String::new(),
            description: None,
            usage_bytes: 0,
            file_counts: VectorStoreFileCounts::default(),
            status: VectorStoreStatus::InProgress,
            expires_after: None,
            expires_at: None,
            last_active_at: None,
            metadata: Metadata::new(),
        };
        let json = serde_json::to_value(&store).expect("JSON");
        assert_eq!(json.get("expires_after"), None);
        assert_eq!((&json["expires_at"], &json["metadata"]), (&Value::Null, &json!({})));
        let fixed = StaticChunkingStrategy { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 };
        let file = VectorStoreFileObject {
            id: "file-1".into(),
            object: "vector_store.file".into(),
            usage_bytes: 1,
            created_at: 1,
            vector_store_id: "vs_1".into(),
            status: VectorStoreFileStatus::Failed,
            last_error: Some(VectorStoreFileError {
                code: last_error_code("encrypted_file"),
                message: "It is encrypted.".into(),
            }),
            warning: None,
            chunking_strategy: ChunkingStrategyResponse::Static { r#static: fixed },
            attributes: Attributes::default(),
        };
        let expected = json!({
            "id": "file-1", "object": "vector_store.file", "usage_bytes": 1, "created_at": 1,
            "vector_store_id": "vs_1", "status": "failed", "attributes": {},
            "last_error": {"code": "invalid_file", "message": "It is encrypted."},
            "chunking_strategy": {
                "type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
            }
        });
        assert_eq!(serde_json::to_value(&file).expect("JSON"), expected);
        let other = serde_json::to_value(ChunkingStrategyResponse::Other).expect("JSON");
        assert_eq!(other, json!({"type": "other"}));
        assert_eq!(last_error_code("embedding_failed"), VectorStoreFileErrorCode::ServerError);
    }

    #[test]
    fn a_search_result_has_its_place_only_when_asked_for() {
        let mut item = SearchItem {
            file_id: "file-1".into(),
            filename: "a.txt".into(),
            score: 0.5,
            attributes: Attributes::default(),
            content: Vec::new(),
            place: None,
        };
        let bare = serde_json::to_value(&item).expect("JSON");
        assert_eq!(bare.as_object().map(|fields| fields.len()), Some(5));
        assert!(serde_json::from_value::<SearchItem>(bare).expect("an item").place.is_none());
        item.place = Some(Place { page: None, headings: vec!["One".into()] });
        let placed = serde_json::to_value(&item).expect("JSON");
        assert_eq!(placed["headings"], json!(["One"]));
        let place = serde_json::from_value::<SearchItem>(placed).expect("an item").place;
        assert_eq!(place.expect("a place").headings, ["One"]);
    }
}
