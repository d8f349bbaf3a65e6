//! The wire: OpenAI's shapes as they are read and written here.
//!
//! A request that goes upstream is never rebuilt from types, which would lose what they do not know:
//! [`ChatRequest`] keeps the original bytes and replaces spans of them.

mod chat;
mod error;
mod keys;
mod models;
mod objects;

pub use chat::{ChatRequest, ChatRequestError, Edits};
pub use error::{ErrorBody, ErrorDetail};
pub use keys::{CreateKey, GrantKey, KeyLimits, KeyObject};
pub use models::{read_models, with_collections};
pub use objects::*;
