//! The wire: OpenAI's shapes as they are read and written here.
//!
//! A request that goes upstream is never rebuilt from types, which would lose what they do not know:
//! [`ChatRequest`] keeps the original bytes and replaces spans of them.

mod chat;
mod embeddings;
mod error;
mod models;
mod objects;

pub use chat::{ChatRequest, ChatRequestError, Edits};
pub use embeddings::{EmbeddingsList, EmbeddingsRequest, EncodingFormat, InputType, embeddings_model};
pub use error::{ErrorBody, ErrorDetail, RequestError};
pub use models::{read_models, with_collections, with_own_model};
pub use objects::*;
