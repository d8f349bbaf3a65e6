//! The text of a document with the structure that its format shows, and what is measured on it.

use serde::{Deserialize, Serialize};

/// Characters of a title or a heading that are kept where it stands for what is below it.
pub const LONGEST_HEADING: usize = 200;

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
    pub fn between(before: BlockKind, after: BlockKind) -> &'static str {
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

/// The text of a document in one string: blocks apart by an empty line, list items and the parts of a
/// table by a line end. Chunks are stretches of it, so that neighbours can be put together again.
pub fn linear_text(document: &Extracted) -> String {
    let mut text = String::new();
    let mut before = None;
    for block in &document.blocks {
        if let Some(before) = before {
            text.push_str(Block::between(before, block.kind));
        }
        text.push_str(&block.text);
        before = Some(block.kind);
    }
    text
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// HTML and XHTML.
    Html,
    /// CommonMark with tables and front matter.
    Markdown,
    /// Plain text in any encoding.
    Text,
}

/// The start of a text, cut at a word's end.
pub fn cut(text: &str, characters: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(characters) else { return text.to_owned() };
    shortened(text, end)
}

/// What of a text is before `end`, without the word that it ends in.
pub fn shortened(text: &str, end: usize) -> String {
    let end = text[..end].rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(end);
    format!("{}…", text[..end].trim_end())
}
