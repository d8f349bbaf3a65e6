//! PDF: text in reading order by PDFium where its library is found, by a Rust engine otherwise.

mod furniture;
mod garbled;
mod headings;
mod layout;
mod library;
mod paragraphs;
mod pdfium;
mod pure;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) use library::LIBRARY_VARIABLE;
pub use library::{Library, find};

use super::document::{Block, Extracted, Format};
use super::error::{ExtractError, ExtractErrorKind};
use super::options::ExtractOptions;

/// A page of text has more bytes of it than this,
const SCAN_CHARACTERS: usize = 20;
/// and a scanned page is a picture over more than this share of its area.
const SCAN_COVERAGE: f32 = 0.6;

/// What an engine reads from a file.
struct Engine {
    title: Option<String>,
    blocks: Vec<Block>,
    pages: u32,
}

/// Reads the text of a PDF. Pages that cannot be read are left out if others can.
pub fn read(bytes: &[u8], options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    let read = match pdfium::read(bytes, options) {
        None => pure::read(bytes, options)?,
        Some(Ok(read)) => read,
        // The engines repair different damage; the second one only counts if it finds text.
        Some(Err(first)) if first.kind() == ExtractErrorKind::DamagedFile => {
            match catch_unwind(AssertUnwindSafe(|| pure::read(bytes, options))) {
                Ok(Ok(read)) if !read.blocks.is_empty() => read,
                _ => return Err(first),
            }
        }
        Some(Err(error)) => return Err(error),
    };
    garbled::check(&read.blocks)?;
    let title = read.title.filter(|title| is_title(title)).or_else(|| headings::title(&read.blocks));
    Ok(Extracted { format: Format::Pdf, title, blocks: read.blocks, pages: Some(read.pages) })
}

fn damaged() -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::DamagedFile,
        "The PDF is cut short or damaged and no text could be read from it. Export or download it again.",
    )
}

fn encrypted() -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::EncryptedFile,
        "The PDF is protected by a password. Save a copy without the password and upload that.",
    )
}

/// Producers leave file names and placeholders in the title of a PDF.
fn is_title(title: &str) -> bool {
    let title = title.trim();
    let lower = title.to_lowercase();
    let placeholder = [
        "untitled",
        "sem título",
        "microsoft word",
        "microsoft powerpoint",
        "powerpoint",
        "powerpoint presentation",
        "apresentação do powerpoint",
        "slide 1",
        "title",
    ];
    let file = [
        ".doc", ".docx", ".dvi", ".tex", ".indd", ".pdf", ".ppt", ".pptx", ".odt", ".qxd", ".xls", ".rtf",
        ".ps", ".odp", ".ods", ".key", ".htm", ".html", ".wpd", ".pages",
    ];
    title.chars().filter(|c| c.is_alphabetic()).count() >= 3
        && !placeholder.iter().any(|start| lower == *start || lower.starts_with(&format!("{start} -")))
        && !file.iter().any(|end| lower.ends_with(end))
        && title.chars().count() <= 300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_that_producers_make_up_are_not_titles() {
        for title in ["", "untitled", "Microsoft Word - x", "thesis.dvi", "a.DOCX", "12/3"] {
            assert!(!is_title(title), "{title}");
        }
        assert!(is_title("Guia de instalação"));
    }
}
