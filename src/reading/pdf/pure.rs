//! The engine that needs nothing installed: `unpdf`.

use unpdf::{ParseOptions, parse_bytes_with_options};

use std::collections::HashSet;

use super::furniture::{self, Candidate};
use super::{Engine, SCAN_CHARACTERS, SCAN_COVERAGE, damaged, encrypted};
use crate::reading::detect::pdf_header;
use crate::reading::document::{Block, BlockKind};
use crate::reading::error::{ExtractError, too_large};
use crate::reading::lines::numbered_heading;
use crate::reading::options::ExtractOptions;

/// Reads a PDF.
pub(super) fn read(bytes: &[u8], options: &ExtractOptions) -> Result<Engine, ExtractError> {
    // Threads of its own would each take address space, of which a limited process has little.
    let parse = ParseOptions::new().lenient().sequential().with_resources(false).with_ocr_suppression(false);
    // unpdf wants the header of the file at its start.
    let header = pdf_header(bytes).unwrap_or(0);
    let document = parse_bytes_with_options(&bytes[header..], parse).map_err(|error| match error {
        unpdf::Error::Encrypted | unpdf::Error::InvalidPassword => encrypted(),
        _ => damaged(),
    })?;
    if document.pages.is_empty() {
        return Err(damaged());
    }
    let pages: Vec<Vec<Block>> = document
        .pages
        .iter()
        .map(|page| page.elements.iter().filter_map(|element| block(element, page.number)).collect())
        .collect();
    let length: usize = pages.iter().flatten().map(|block| block.text.len()).sum();
    if length > options.max_characters.saturating_mul(4) {
        return Err(too_large(options.max_characters));
    }
    let count = document.metadata.page_count.max(u32::try_from(pages.len()).unwrap_or(0));
    // A stamp or a watermark on a picture of text is not the text.
    if length < SCAN_CHARACTERS * pages.len()
        && document.pages.iter().all(|page| page.image_coverage > SCAN_COVERAGE)
    {
        return Ok(Engine { title: None, blocks: Vec::new(), pages: count });
    }
    let mut blocks = without_furniture(pages);
    join_cut_words(&mut blocks);
    Ok(Engine { title: document.metadata.title, blocks, pages: count })
}

fn block(element: &unpdf::Block, page: u32) -> Option<Block> {
    let (kind, text) = match element {
        unpdf::Block::Paragraph(paragraph) => {
            let kind = match paragraph.heading_level() {
                Some(level) => BlockKind::Heading(numbered_heading(&paragraph.plain_text()).unwrap_or(level)),
                None if paragraph.is_list_item() => BlockKind::ListItem,
                None => BlockKind::Paragraph,
            };
            (kind, paragraph.plain_text())
        }
        unpdf::Block::Table(table) => {
            let row = |row: &unpdf::TableRow| {
                let cell = |cell: &unpdf::TableCell| crate::words::one_line(&cell.plain_text());
                row.cells.iter().map(cell).collect::<Vec<_>>().join(" | ")
            };
            (BlockKind::Table, table.rows.iter().map(row).collect::<Vec<_>>().join("\n"))
        }
        unpdf::Block::Code { content } => (BlockKind::Code, content.clone()),
        unpdf::Block::Raw { content } => (BlockKind::Paragraph, content.clone()),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(Block { kind, text, page: Some(page) })
}

/// Joined lines leave `infor- mação`; the document tells such words from `curto- e médio-prazo`.
fn join_cut_words(blocks: &mut [Block]) {
    let mut words: HashSet<String> = HashSet::new();
    for block in blocks.iter() {
        let whole = block.text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3);
        words.extend(whole.map(str::to_lowercase));
    }
    for block in blocks.iter_mut().filter(|block| block.kind != BlockKind::Code && block.text.contains("- "))
    {
        let mut out = String::with_capacity(block.text.len());
        let mut rest = block.text.as_str();
        while let Some(at) = rest.find("- ") {
            let (left, right) = (&rest[..at], &rest[at + 2..]);
            let stem = left.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or("");
            let end = right.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
            let lower = !stem.is_empty() && end.starts_with(char::is_lowercase);
            let join = lower && words.contains(&format!("{stem}{end}").to_lowercase());
            out.push_str(left);
            out.push_str(if join { "" } else { "- " });
            rest = right;
        }
        out.push_str(rest);
        block.text = out;
    }
}

fn without_furniture(pages: Vec<Vec<Block>>) -> Vec<Block> {
    // Places are not known here: the first and the last block of each page stand for its edges.
    let edges: Vec<Vec<Candidate<'_>>> = pages
        .iter()
        .map(|blocks| {
            let last = blocks.len().saturating_sub(1);
            let at = |index: usize| Candidate {
                index,
                text: &blocks[index].text,
                place: None,
                bottom: index == last,
            };
            let mut ends = vec![0, last];
            ends.dedup();
            ends.retain(|index| *index < blocks.len());
            ends.into_iter().map(at).collect()
        })
        .collect();
    let dropped = furniture::repeated(&edges, pages.iter().filter(|page| !page.is_empty()).count());
    if dropped.iter().map(Vec::len).sum::<usize>() == pages.iter().map(Vec::len).sum::<usize>() {
        return pages.into_iter().flatten().collect();
    }
    let kept = pages.into_iter().zip(dropped).flat_map(|(blocks, dropped)| {
        blocks
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| !dropped.contains(index))
            .map(|(_, block)| block)
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_the_document_knows_are_joined() {
        let mut blocks = vec![
            Block::new(BlockKind::Paragraph, "A infor- mação a curto- e médio-prazo - ou não."),
            Block::new(BlockKind::Paragraph, "Toda informação."),
        ];
        join_cut_words(&mut blocks);
        assert_eq!(blocks[0].text, "A informação a curto- e médio-prazo - ou não.");
    }
}
