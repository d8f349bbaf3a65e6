//! The headings that a chunk stands under, short enough to leave the room to its own text.
//!
//! A path is stored, embedded and searched with every chunk below it, so what a document calls a heading is multiplied
//! by its chunks: title and headings are cut first, and their sum is then held to a number of tokens.

use super::tokens::Tokens;
use super::units::{Limit, floor};
use crate::reading::{BlockKind, Extracted, LONGEST_HEADING, cut, shortened};

/// Headings that are looked at for one path, from the chunk upwards.
const MOST_LEVELS: usize = 8;
/// Cut to fewer tokens than this a title says nothing.
const LEAST_TOKENS: usize = 6;

/// The headings of a document as a tree: a section for each, below the section that it stands in.
pub(super) struct Sections<'a> {
    document: &'a Extracted,
    /// The first is the document itself.
    sections: Vec<Section>,
    of_block: Vec<usize>,
}

struct Section {
    /// Always less than its own number, except for the first.
    parent: usize,
    /// The block that is its heading.
    heading: Option<usize>,
}

impl<'a> Sections<'a> {
    pub fn of(document: &'a Extracted) -> Self {
        let mut sections = vec![Section { parent: 0, heading: None }];
        let mut of_block = Vec::with_capacity(document.blocks.len());
        let mut open: Vec<(u8, usize)> = Vec::new();
        for (number, block) in document.blocks.iter().enumerate() {
            if let BlockKind::Heading(level) = block.kind {
                open.retain(|(above, _)| *above < level);
                let parent = open.last().map_or(0, |(_, section)| *section);
                open.push((level, sections.len()));
                sections.push(Section { parent, heading: Some(number) });
            }
            of_block.push(sections.len() - 1);
        }
        Self { document, sections, of_block }
    }

    pub fn of_block(&self, block: usize) -> usize {
        self.of_block[block]
    }

    /// The section that two sections and all between them stand in.
    pub fn common(&self, mut a: usize, mut b: usize) -> usize {
        while a != b {
            let later = if a > b { &mut a } else { &mut b };
            *later = self.sections[*later].parent;
        }
        a
    }

    /// The title and the headings of a section, the highest first, within `room`. The nearest heading stays before
    /// the title, the title before what is between; what has no room is cut or left out.
    pub fn path(&self, section: usize, tokens: &dyn Tokens, room: Limit) -> Vec<String> {
        let mut above = Vec::new();
        let mut at = section;
        while let (Some(heading), true) = (self.sections[at].heading, above.len() < MOST_LEVELS) {
            above.push(cut(&self.document.blocks[heading].text, LONGEST_HEADING));
            at = self.sections[at].parent;
        }
        let title = self.document.title.as_deref().filter(|title| !title.is_empty());
        let title =
            title.map(|title| cut(title, LONGEST_HEADING)).filter(|title| above.last() != Some(title));
        let has_title = title.is_some();
        above.extend(title);
        // By weight: the nearest heading, the title, the others from the chunk upwards.
        let mut order: Vec<usize> = (0..above.len()).collect();
        if has_title && order.len() > 1 {
            order[1..].rotate_right(1);
        }
        let mut left = room;
        let mut kept: Vec<Option<String>> = vec![None; above.len()];
        for (weight, number) in order.into_iter().enumerate() {
            let may_be_cut =
                weight == 0 || (has_title && number == above.len() - 1 && left.tokens >= LEAST_TOKENS);
            if let Some((text, count)) = fitted(&above[number], tokens, left, may_be_cut) {
                left = Limit { tokens: left.tokens - count, bytes: left.bytes - text.len() };
                kept[number] = Some(text);
            }
        }
        kept.into_iter().rev().flatten().collect()
    }
}

/// A heading within `room`, and how many tokens it takes with the mark that parts it from the next.
fn fitted(text: &str, tokens: &dyn Tokens, room: Limit, may_be_cut: bool) -> Option<(String, usize)> {
    let spans = tokens.spans(text);
    if spans.len() < room.tokens && text.len() <= room.bytes {
        return Some((text.to_owned(), spans.len() + 1));
    }
    if !may_be_cut {
        return None;
    }
    // One for the mark, one for the ellipsis.
    let by_tokens = spans.get(room.tokens.checked_sub(2)?).map_or(text.len(), |span| span.start);
    let end = floor(text, by_tokens.min(room.bytes.saturating_sub('…'.len_utf8())));
    let text = shortened(text, Some(end).filter(|end| *end > 0)?);
    let count = tokens.spans(&text).len() + 1;
    (count <= room.tokens).then_some((text, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunking::ApproximateTokens;
    use crate::reading::{Block, Format};

    fn document(title: &str, headings: &[(u8, &str)]) -> Extracted {
        let blocks = headings.iter().map(|(level, text)| Block::new(BlockKind::Heading(*level), *text));
        Extracted { format: Format::Html, title: Some(title.into()), blocks: blocks.collect(), pages: None }
    }

    fn path(document: &Extracted, tokens: usize) -> Vec<String> {
        let room = Limit { tokens, bytes: 1_000 };
        let sections = Sections::of(document);
        sections.path(sections.of_block(document.blocks.len() - 1), &ApproximateTokens, room)
    }

    #[test]
    fn what_has_no_room_is_left_out_from_the_middle() {
        let document = document("Guide", &[(1, "First part"), (2, "Second part"), (3, "Third part")]);
        assert_eq!(path(&document, 100), ["Guide", "First part", "Second part", "Third part"]);
        assert_eq!(path(&document, 12), ["Guide", "Second part", "Third part"]);
        assert_eq!(path(&document, 8), ["Guide", "Third part"]);
        assert_eq!(path(&document, 5), ["Third part"]);
        assert_eq!(path(&document, 3), ["Thir…"]);
        assert_eq!(path(&document, 0), Vec::<String>::new());
    }

    #[test]
    fn a_title_that_is_the_first_heading_is_said_once() {
        let long = "word ".repeat(100);
        for title in ["Guide", long.trim()] {
            let document = document(title, &[(1, title), (2, "Part")]);
            assert_eq!(path(&document, 500), [cut(title, LONGEST_HEADING), "Part".to_owned()]);
        }
    }

    #[test]
    fn no_heading_is_long_whatever_it_is_made_of() {
        for text in
            ["x".repeat(100_000), "a \u{301}".repeat(50_000), "e\u{301}".repeat(50_000), " 語".repeat(50_000)]
        {
            assert!(cut(&text, LONGEST_HEADING).chars().count() <= LONGEST_HEADING + 1);
            let document = document(&text, &[(1, &text), (2, &text), (3, "end")]);
            let path = path(&document, 32);
            assert_eq!(path.last().map(String::as_str), Some("end"));
            let tokens: usize = path.iter().map(|text| ApproximateTokens.spans(text).len() + 1).sum();
            assert!(tokens <= 32, "{path:?}");
        }
    }

    #[test]
    fn sections_share_what_both_stand_in() {
        let document = document("", &[(1, "a"), (2, "a1"), (2, "a2"), (1, "b"), (3, "b1")]);
        let sections = Sections::of(&document);
        for (a, b, common) in [(2, 3, 1), (2, 4, 0), (4, 5, 4), (3, 3, 3), (0, 5, 0)] {
            assert_eq!(sections.common(a, b), common, "{a} {b}");
        }
    }
}
