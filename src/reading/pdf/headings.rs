//! Which paragraphs of a PDF are headings: those that its bookmarks name, and those set larger or bolder.

use std::collections::HashMap;

use super::paragraphs::Paragraph;
use crate::reading::document::{Block, BlockKind};
use crate::reading::lines::{has_leaders, numbered_heading};

/// An entry of the outline that some PDFs carry.
pub(super) struct Bookmark {
    pub title: String,
    /// 1 for the highest.
    pub level: u8,
    /// Counted from 1.
    pub page: u32,
}

/// Larger than the body by this factor is a heading.
const LARGER: f32 = 1.15;
const MAX_CHARACTERS: usize = 160;
const MAX_LEVELS: usize = 4;

/// Turns paragraphs into blocks, headings found.
pub(super) fn mark(paragraphs: Vec<Paragraph>, bookmarks: &[Bookmark]) -> Vec<Block> {
    let body = body_size(&paragraphs);
    let mut sizes: Vec<i32> =
        paragraphs.iter().filter(|it| is_larger(it, body)).map(|it| step(it.size)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes.truncate(MAX_LEVELS);
    let mut named: HashMap<u32, Vec<(String, u8)>> = HashMap::new();
    for bookmark in bookmarks {
        let title = letters(&bookmark.title);
        if title.len() >= 3 {
            named.entry(bookmark.page).or_default().push((title, bookmark.level));
        }
    }
    let kinds: Vec<BlockKind> = paragraphs
        .iter()
        .map(|paragraph| {
            let by_bookmark = named.get(&paragraph.page).and_then(|titles| bookmark_level(paragraph, titles));
            let level = by_bookmark.or_else(|| {
                if is_larger(paragraph, body) {
                    let at =
                        sizes.iter().position(|size| *size == step(paragraph.size)).unwrap_or(MAX_LEVELS);
                    u8::try_from(at + 1).ok()
                } else if is_bold_heading(paragraph, body) {
                    u8::try_from(sizes.len() + 1).ok()
                } else {
                    None
                }
            });
            level.map_or(paragraph.kind, |level| {
                BlockKind::Heading(
                    numbered_heading(&paragraph.text).filter(|_| by_bookmark.is_none()).unwrap_or(level),
                )
            })
        })
        .collect();
    let (paragraphs, kinds) = join_chapters(paragraphs, kinds);
    let block = |(paragraph, kind): (Paragraph, BlockKind)| Block {
        kind,
        text: paragraph.text,
        page: Some(paragraph.page),
    };
    paragraphs.into_iter().zip(kinds).map(block).collect()
}

/// `Capítulo 2` above `Requisitos do sistema` is one heading.
fn join_chapters(paragraphs: Vec<Paragraph>, kinds: Vec<BlockKind>) -> (Vec<Paragraph>, Vec<BlockKind>) {
    let mut joined: Vec<(Paragraph, BlockKind)> = Vec::with_capacity(paragraphs.len());
    for (paragraph, kind) in paragraphs.into_iter().zip(kinds) {
        if let (Some((above, BlockKind::Heading(_))), BlockKind::Heading(_)) = (joined.last_mut(), kind)
            && above.page == paragraph.page
            && numbered_heading(&above.text) == Some(1)
            && above.text.split_whitespace().count() == 2
        {
            above.text = format!("{}. {}", above.text.trim_end_matches(['.', ':']), paragraph.text);
            continue;
        }
        joined.push((paragraph, kind));
    }
    joined.into_iter().unzip()
}

/// The heading that stands highest on the first page, for a file that does not give a title.
pub(super) fn title(blocks: &[Block]) -> Option<String> {
    let first = blocks.iter().take_while(|block| block.page.is_none_or(|page| page == 1));
    let level = |block: &Block| match block.kind {
        BlockKind::Heading(level) => Some(level),
        _ => None,
    };
    let (_, best) = first.filter_map(|block| Some((level(block)?, block))).min_by_key(|(level, _)| *level)?;
    (best.text.chars().count() <= MAX_CHARACTERS).then(|| best.text.clone())
}

/// The size that most of the text is set in.
fn body_size(paragraphs: &[Paragraph]) -> f32 {
    let mut weights: HashMap<i32, usize> = HashMap::new();
    for paragraph in paragraphs {
        *weights.entry(step(paragraph.size)).or_default() += paragraph.text.len();
    }
    let most = weights.into_iter().max_by_key(|(size, weight)| (*weight, -*size));
    most.map_or(10.0, |(size, _)| size as f32 / 2.0)
}

/// Sizes within half a point are the same.
fn step(size: f32) -> i32 {
    (size * 2.0).round() as i32
}

fn could_be(paragraph: &Paragraph) -> bool {
    let text = paragraph.text.trim();
    paragraph.lines <= 3
        && text.chars().count() <= MAX_CHARACTERS
        && text.chars().filter(|c| c.is_alphabetic()).count() >= 2
        && !text.ends_with([',', ';', '-'])
        && !has_leaders(text)
}

fn is_larger(paragraph: &Paragraph, body: f32) -> bool {
    could_be(paragraph) && paragraph.size >= body * LARGER
}

fn is_bold_heading(paragraph: &Paragraph, body: f32) -> bool {
    paragraph.bold
        && could_be(paragraph)
        && paragraph.kind == BlockKind::Paragraph
        && paragraph.size >= body * 0.95
        && paragraph.text.chars().count() <= 100
        && !paragraph.text.ends_with(['.', ':'])
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A bookmark may lack the number that stands before the heading, or have one that the page sets apart.
fn bookmark_level(paragraph: &Paragraph, titles: &[(String, u8)]) -> Option<u8> {
    if paragraph.lines > 4 || paragraph.text.len() > 2 * MAX_CHARACTERS {
        return None;
    }
    let text = letters(&paragraph.text);
    let same = |title: &&(String, u8)| {
        let (long, short) = if title.0.len() > text.len() { (&title.0, &text) } else { (&text, &title.0) };
        long.ends_with(short.as_str()) && short.len() * 2 >= long.len()
    };
    titles.iter().find(same).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(text: &str, size: f32, bold: bool, page: u32) -> Paragraph {
        Paragraph { text: text.to_owned(), kind: BlockKind::Paragraph, page, size, bold, lines: 1 }
    }

    fn kinds(paragraphs: Vec<Paragraph>, bookmarks: &[Bookmark]) -> Vec<BlockKind> {
        mark(paragraphs, bookmarks).into_iter().map(|block| block.kind).collect()
    }

    #[test]
    fn size_and_weight_make_headings() {
        let body = "texto corrido que é a maior parte do documento, em tamanho normal. ".repeat(5);
        let found = kinds(
            vec![
                paragraph("Guia", 20.0, false, 1),
                paragraph("Introdução", 14.0, true, 1),
                paragraph(&body, 10.0, false, 1),
                paragraph("Passo a passo", 10.0, true, 1),
                paragraph("Nota: uma frase em negrito não é título.", 10.0, true, 1),
            ],
            &[],
        );
        use BlockKind::{Heading, Paragraph};
        assert_eq!(found, [Heading(1), Heading(2), Paragraph, Heading(3), Paragraph]);
    }

    #[test]
    fn bookmarks_name_headings_on_their_page() {
        let bookmarks = [Bookmark { title: "Antes de instalar".into(), level: 2, page: 3 }];
        let line = |page| paragraph("3.1 Antes de instalar", 10.0, false, page);
        assert_eq!(kinds(vec![line(1), line(3)], &bookmarks), [BlockKind::Paragraph, BlockKind::Heading(2)]);
    }
}
