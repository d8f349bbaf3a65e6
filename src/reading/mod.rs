//! From the bytes of a file to its text.
//!
//! [`extract`] does it, whatever the format. Files are strangers', so the server calls it in a process with limits: see
//! [`child`].
//!
//! This module knows no other room of the crate.

mod bounds;
pub mod child;
mod detect;
mod document;
mod error;
mod extract;
mod html;
mod lines;
mod markdown;
mod mend;
mod options;
mod pdf;
mod text;

pub use child::{ExtractLimits, Parser};
pub use document::{Block, BlockKind, Extracted, Format, LONGEST_HEADING, cut, linear_text, shortened};
pub use error::{ExtractError, ExtractErrorKind};
pub use extract::extract;
pub use options::ExtractOptions;
pub use pdf::{Library as PdfiumLibrary, find as find_pdfium};
