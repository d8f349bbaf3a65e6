//! From the bytes of a file to its text: what every format gives, and how it can fail.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::format::{self, Format};
use super::{bounds, html, markdown, mend, pdf, text};

/// The text of a document in reading order, with the structure that its format shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    /// What the content is, whatever the file is called.
    pub format: Format,
    /// The title that the document gives itself.
    pub title: Option<String>,
    /// The text; never empty, and no block in it is.
    pub blocks: Vec<Block>,
    /// The number of pages, for formats that have them.
    pub pages: Option<u32>,
}

/// A heading, a paragraph, a list item, a table or a stretch of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its text: a table has a line per row and ` | ` between cells.
    pub text: String,
    /// The page where it begins, counted from 1.
    pub page: Option<u32>,
}

impl Block {
    /// A block that is on no page.
    pub fn new(kind: BlockKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), page: None }
    }

    /// What parts two blocks in the text of a document: an empty line, between list items and parts of a table a line end.
    pub(super) fn between(before: BlockKind, after: BlockKind) -> &'static str {
        match (before, after) {
            (BlockKind::ListItem, BlockKind::ListItem) | (BlockKind::Table, BlockKind::Table) => "\n",
            _ => "\n\n",
        }
    }
}

/// The part that a block plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// A heading and its level, 1 for the highest.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// One item of a list.
    ListItem,
    /// A table, or some rows of one.
    Table,
    /// Text whose line breaks and spaces matter.
    Code,
}

/// How to read a file.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// The PDFium library to use; without it the usual places are searched.
    pub pdfium: Option<PathBuf>,
    /// The longest text to accept, in characters.
    pub max_characters: usize,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self { pdfium: None, max_characters: 20_000_000 }
    }
}

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

/// Reads a file: what it is by its content, its text, and that text mended.
///
/// `filename` helps where the content alone does not say (Markdown is plain text to a program).
/// An `Ok` always holds text. Hostile files can take any amount of time or memory, so a server
/// calls this in a process of its own: see [`super::child`].
pub fn extract(bytes: &[u8], filename: &str, options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ExtractError::new(
            ExtractErrorKind::EmptyFile,
            "The file is empty. Check that it was saved and uploaded completely.",
        ));
    }
    let format = format::detect(bytes, filename)?;
    let mut document = read(format, bytes, options).or_else(|error| {
        let no_pdf = format == Format::Pdf && error.kind() == ExtractErrorKind::DamagedFile;
        match format::quoting_pdf(bytes, filename).filter(|_| no_pdf) {
            Some(format) => read(format, bytes, options),
            None => Err(error),
        }
    })?;
    mend::mend_document(&mut document);
    document.blocks.retain(|block| !block.text.is_empty());
    document.title = document.title.filter(|title| !title.is_empty());
    check(&document, options)?;
    bounds::hold(&mut document)?;
    Ok(document)
}

fn read(format: Format, bytes: &[u8], options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    match format {
        Format::Pdf => pdf::read(bytes, options),
        Format::Html => Ok(html::read(bytes)),
        Format::Markdown => Ok(markdown::read(&text::decode(bytes)?)),
        Format::Text => Ok(text::read(&text::decode(bytes)?)),
    }
}

fn check(document: &Extracted, options: &ExtractOptions) -> Result<(), ExtractError> {
    let readable = |block: &Block| block.text.chars().any(char::is_alphanumeric);
    if !document.blocks.iter().any(readable) {
        return Err(ExtractError::new(
            ExtractErrorKind::NoText,
            match document.format {
                Format::Pdf => {
                    "The PDF holds no text; it seems to be scanned or made of pictures. Run it through OCR \
                     (for example `ocrmypdf in.pdf out.pdf`) and upload the result."
                }
                Format::Html => {
                    "The page holds no text; it may be filled in by scripts. Save it from a browser, or print it to PDF."
                }
                Format::Markdown | Format::Text => "The file holds no words. Check that it is the right one.",
            },
        ));
    }
    let texts = document.blocks.iter().map(|block| &block.text).chain(&document.title);
    let characters: usize = texts.map(|text| text.chars().count()).sum();
    if characters > options.max_characters {
        return Err(too_large(options.max_characters));
    }
    Ok(())
}

/// The error for more text than is accepted.
pub(super) fn too_large(max_characters: usize) -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::TooLarge,
        format!("The document has more than {max_characters} characters. Split it and upload the parts."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8], filename: &str) -> &'static str {
        match extract(bytes, filename, &ExtractOptions::default()) {
            Ok(_) => "ok",
            Err(error) => error.code(),
        }
    }

    #[test]
    fn nothing_readable_is_never_a_success() {
        assert_eq!(code(b"", "a.txt"), "empty_file");
        assert_eq!(code(b" \r\n\t ", "a.md"), "empty_file");
        assert_eq!(code("\u{feff}".as_bytes(), "a.txt"), "no_text");
        assert_eq!(code(b"* * *\n", "a.md"), "no_text");
        assert_eq!(code(b"<html><script>let a = 1</script></html>", "a.html"), "no_text");
        assert_eq!(code(b"", "a.pdf"), "empty_file");
    }

    #[test]
    fn a_text_that_quotes_a_pdf_is_a_text() {
        let wrapped: &[u8] =
            b"%PDF-1.7 is the first line. The word\nstartxref stands before the last number.\n";
        let source: &[u8] = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\nis how it begins.\n";
        for (bytes, name) in [(wrapped, "notes.txt"), (source, "notes.log"), (source, "notes")] {
            let read = extract(bytes, name, &ExtractOptions::default());
            assert_eq!(read.map(|document| document.format), Ok(Format::Text), "{name}");
        }
        assert_eq!(code(source, "notes.pdf"), "damaged_file");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let options = ExtractOptions { max_characters: 10, ..ExtractOptions::default() };
        let error = extract(b"more than ten characters", "a.txt", &options).expect_err("it cannot be read");
        assert_eq!(error.code(), "too_large");
        let page = "<title>more than ten characters</title><p>few";
        let error = extract(page.as_bytes(), "a.html", &options).expect_err("it cannot be read");
        assert_eq!(error.code(), "too_large");
    }

    #[test]
    fn results_cross_a_process_boundary_unchanged() {
        let document = extract("# Olá\n\ntexto".as_bytes(), "a.md", &ExtractOptions::default())
            .expect("the test input is good");
        let copy: Extracted =
            serde_json::from_str(&serde_json::to_string(&document).expect("the test input is good"))
                .expect("the test input is good");
        assert_eq!(copy, document);
        let error = extract(b"", "a.md", &ExtractOptions::default()).expect_err("it cannot be read");
        let copy: ExtractError =
            serde_json::from_str(&serde_json::to_string(&error).expect("the test input is good"))
                .expect("the test input is good");
        assert_eq!(copy, error);
    }
}
