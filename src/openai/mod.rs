//! The wire: OpenAI's shapes as they are read and written here.
//!
//! A request that goes upstream is never rebuilt from types, which would lose what they do not know:
//! [`ChatRequest`] keeps the original bytes and replaces spans of them.

mod attributes;
mod chat;
mod embeddings;
mod error;
mod file_search;
mod files;
mod filter;
mod keys;
mod media;
mod models;
mod objects;
mod pages;
mod request;
mod search_calls;
mod tools;
mod vector_stores;

pub use attributes::{AttributeValue, Attributes, Metadata};
pub use chat::{
    ChatRequest, ChatRequestError, Choices, Edits, ModelApi, ResponseParts, Role, SentTools, Turn,
};
pub use embeddings::{Cut, EmbeddingsList, EmbeddingsRequest, EncodingFormat, InputType, embeddings_model};
pub use error::{ErrorBody, ErrorDetail};
pub use file_search::{FileSearch, Ranking, SearchRequest, WITHOUT_RERANKER};
pub use files::{FileFields, FileObject, FileUpload, Purpose};
pub use filter::{Comparison, Filter};
pub use keys::{CreateKey, GrantKey, KeyLimits, KeyObject};
pub use media::{Medium, take_media, without_media};
pub use models::{find_model, model_as, own_model, read_models, with_collections, with_own_model};
pub use objects::*;
pub use pages::{FILES, List, OBJECTS, PageLimits, PageQuery, QueryString};
pub use request::{Body, Fields, RequestError, parse_body, parse_value};
pub use search_calls::{SEARCH_ID_BYTES, SearchCalls, search_id};
pub use vector_stores::{
    Change, Chunking, CreateFileBatch, CreateVectorStore, CreateVectorStoreFile, UpdateVectorStore,
    UpdateVectorStoreFile,
};
