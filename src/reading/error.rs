//! Why a file gives no text.

use serde::{Deserialize, Serialize};

/// Why a file gave no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtractErrorKind {
    /// A kind of file that is not read.
    UnsupportedFile,
    /// A password is needed.
    EncryptedFile,
    /// Cut short, or broken in some other way.
    DamagedFile,
    /// No bytes, or nothing but space.
    EmptyFile,
    /// A sound file without text, such as a scan.
    NoText,
    /// The characters that came out are not those that the file shows.
    GarbledText,
    /// More text than is accepted.
    TooLarge,
    /// Reading took too long and was stopped.
    Timeout,
    /// Reading needed more memory than it may use.
    OutOfMemory,
    /// The parser broke on this file, or could not be started.
    ParserCrashed,
}

/// Why a file gave no text, and what its owner can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ExtractError {
    kind: ExtractErrorKind,
    message: String,
}

impl ExtractError {
    /// An error of a kind, with a message for the person who uploaded the file.
    pub fn new(kind: ExtractErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What went wrong.
    pub fn kind(&self) -> ExtractErrorKind {
        self.kind
    }

    /// What went wrong, in a word for programs, such as `encrypted_file`.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ExtractErrorKind::UnsupportedFile => "unsupported_file",
            ExtractErrorKind::EncryptedFile => "encrypted_file",
            ExtractErrorKind::DamagedFile => "damaged_file",
            ExtractErrorKind::EmptyFile => "empty_file",
            ExtractErrorKind::NoText => "no_text",
            ExtractErrorKind::GarbledText => "garbled_text",
            ExtractErrorKind::TooLarge => "too_large",
            ExtractErrorKind::Timeout => "timeout",
            ExtractErrorKind::OutOfMemory => "out_of_memory",
            ExtractErrorKind::ParserCrashed => "parser_crashed",
        }
    }

    /// What went wrong and what to do, in a sentence or two.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The error for more text than is accepted.
pub(super) fn too_large(max_characters: usize) -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::TooLarge,
        format!("The document has more than {max_characters} characters. Split it and upload the parts."),
    )
}

/// The error for a file whose reading takes too long.
pub(super) fn timeout() -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::Timeout,
        "The file took too long to read. Split it into smaller files, or save it again from the program it was made with.",
    )
}

/// The error for a file that needs more memory than it may use.
pub(super) fn out_of_memory() -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::OutOfMemory,
        "The file needs more memory to read than it may use. Split it into smaller files, or save it again without pictures.",
    )
}

/// The error for a file that the parser does not survive.
pub(super) fn crashed(message: &str) -> ExtractError {
    ExtractError::new(ExtractErrorKind::ParserCrashed, message)
}
