//! What the store holds, as plain data.

mod batches;
mod catalog;
mod changes;
mod chunks;
mod collections;
mod documents;
mod files;
mod ids;
mod jobs;
mod keys;
mod outlines;
mod overview;
mod pages;
mod quotas;

pub use batches::*;
pub use catalog::*;
pub use changes::*;
pub use chunks::*;
pub use collections::*;
pub use documents::*;
pub use files::*;
pub use ids::*;
pub use jobs::*;
pub use keys::*;
pub use outlines::*;
pub use overview::*;
pub use pages::*;
pub use quotas::*;
