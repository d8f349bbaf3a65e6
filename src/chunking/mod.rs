//! From a document to what is stored of it: chunks, an outline, the language.

mod cutting;
mod heading_path;
mod language;
mod outline;
mod tokens;
mod units;

use crate::reading::Extracted;
use crate::store::{ChunkSizes, ReadDocument};

pub use cutting::{ChunkSettings, TooManyChunks, chunk};
pub use outline::outline;
pub use tokens::{ApproximateTokens, Tokens};

/// Tokens of a chunk, and of what it repeats of the one before, where a client does not say.
pub const CHUNK_SIZES: ChunkSizes = ChunkSizes { max_tokens: 256, overlap_tokens: 32 };

/// Tokens that are left free in the embedding model's window for the headings that are embedded with a chunk.
const HEADING_TOKENS: usize = 32;

/// Fewer tokens than this make no chunk, however small the model's window is.
const LEAST_TOKENS: usize = 16;

/// Makes of a document what is stored of it. Chunks are of these sizes, and within `window`, the tokens that the embedding
/// model takes at once: what is beyond it would be found by its words alone.
pub fn prepare(
    document: &Extracted,
    filename: &str,
    tokens: &dyn Tokens,
    sizes: ChunkSizes,
    window: Option<usize>,
) -> Result<ReadDocument, TooManyChunks> {
    let window = window.map_or(usize::MAX, |window| window.saturating_sub(HEADING_TOKENS));
    let max_tokens = (sizes.max_tokens as usize).min(window).max(LEAST_TOKENS);
    let settings = ChunkSettings {
        max_tokens,
        overlap_tokens: (sizes.overlap_tokens as usize).min(max_tokens / 2),
        heading_tokens: HEADING_TOKENS,
        ..ChunkSettings::default()
    };
    Ok(ReadDocument {
        language: language::language(document),
        pages: document.pages,
        outline: outline(document, filename),
        chunks: chunk(document, tokens, &settings)?,
        ..ReadDocument::default()
    })
}
