//! What a document may consist of, whatever its file says: how much of it may be a title, a heading, or a block.
//!
//! The server multiplies some of what the parser gives it (a title stands over every chunk) and keeps an entry for each
//! block, so these are held before the text leaves the process that may run out of memory.

use super::document::{Block, BlockKind, Extracted, LONGEST_HEADING, cut};
use super::error::{ExtractError, ExtractErrorKind};

/// A heading of more characters is text that the page sets like one.
const HEADING_OR_TEXT: usize = 2 * LONGEST_HEADING;
/// With more blocks than this, small ones of a kind are put together,
const MANY_BLOCKS: usize = 20_000;
/// up to this many bytes,
const SMALL_BLOCK: usize = 4_000;
/// and what then still has more is refused.
const MOST_BLOCKS: usize = 250_000;

/// Cuts the title, makes text of headings that are none, and holds the number of blocks. No text is lost but the title's.
pub(super) fn hold(document: &mut Extracted) -> Result<(), ExtractError> {
    if let Some(title) = &mut document.title {
        *title = cut(title, LONGEST_HEADING);
    }
    for block in &mut document.blocks {
        let is_heading = matches!(block.kind, BlockKind::Heading(_));
        if is_heading && block.text.chars().nth(HEADING_OR_TEXT).is_some() {
            block.kind = BlockKind::Paragraph;
        }
    }
    if document.blocks.len() > MANY_BLOCKS {
        put_together(&mut document.blocks);
    }
    if document.blocks.len() > MOST_BLOCKS {
        return Err(ExtractError::new(
            ExtractErrorKind::TooLarge,
            format!(
                "The document has more than {MOST_BLOCKS} headings and paragraphs. Split it and upload the parts."
            ),
        ));
    }
    Ok(())
}

fn put_together(blocks: &mut Vec<Block>) {
    let mut kept: Vec<Block> = Vec::new();
    for block in blocks.drain(..) {
        match kept.last_mut() {
            Some(last)
                if last.kind == block.kind
                    && last.page == block.page
                    && !matches!(block.kind, BlockKind::Heading(_))
                    && last.text.len() + block.text.len() <= SMALL_BLOCK =>
            {
                last.text.push_str(Block::between(last.kind, block.kind));
                last.text.push_str(&block.text);
            }
            _ => kept.push(block),
        }
    }
    kept.shrink_to_fit();
    *blocks = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::document::{Format, linear_text};
    use BlockKind::{Code, Heading, ListItem, Paragraph};

    fn document(blocks: Vec<Block>) -> Extracted {
        Extracted { format: Format::Text, title: None, blocks, pages: None }
    }

    #[test]
    fn text_in_a_heading_is_text_again_and_titles_are_cut() {
        let text = "word ".repeat(300).trim().to_owned();
        let mut long = document(vec![Block::new(Heading(2), &text), Block::new(Heading(2), "Part")]);
        long.title = Some(text.clone());
        hold(&mut long).expect("it is small");
        assert_eq!((long.blocks[0].kind, &long.blocks[0].text), (Paragraph, &text));
        assert_eq!(long.blocks[1].kind, Heading(2));
        let title = long.title.expect("it has one");
        assert!(title.ends_with("word…") && title.chars().count() <= LONGEST_HEADING + 1, "{title}");
    }

    #[test]
    fn many_small_blocks_become_fewer_and_their_text_stays() {
        let kinds = [ListItem, ListItem, ListItem, Paragraph, Paragraph, Code];
        let blocks =
            |n: usize| (0..n).map(|n| Block::new(kinds[n / 500 % kinds.len()], format!("{n}"))).collect();
        let mut many = document(blocks(MANY_BLOCKS + 1));
        let text = linear_text(&many);
        hold(&mut many).expect("it has few enough");
        assert!(many.blocks.len() < 200, "{}", many.blocks.len());
        assert_eq!(linear_text(&many), text);
        let mut few = document(blocks(3_000));
        hold(&mut few).expect("it is small");
        assert_eq!(few.blocks.len(), 3_000);
    }

    #[test]
    fn headings_without_end_are_refused() {
        let mut endless = document(vec![Block::new(Heading(1), "a"); MOST_BLOCKS + 1]);
        assert_eq!(hold(&mut endless).expect_err("too many").code(), "too_large");
    }
}
