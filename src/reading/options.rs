//! How a file is to be read.

/// How to read a file.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// The longest text to accept, in characters.
    pub max_characters: usize,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self { max_characters: 20_000_000 }
    }
}
