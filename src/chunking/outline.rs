//! A document at a glance: its title, how it opens, its headings.

use std::path::Path;

use super::units::floor;
use crate::reading::{Block, BlockKind, Extracted, LONGEST_HEADING, cut};
use crate::store::{Outline, OutlineHeading};
use crate::words::{one_line, sentences};

/// The opening ends with the sentence that passes this, in characters.
const OPENING: usize = 600;
/// Headings that are kept.
const MAX_HEADINGS: usize = 200;
/// Shorter paragraphs (names, dates, addresses) are no prose.
const MIN_PROSE: usize = 60;
/// Bytes of a block that are looked at for the opening.
const LOOKED_AT: usize = 8 << 10;

/// Makes the outline of a document. Of too many headings the lowest levels are left out first.
pub fn outline(document: &Extracted, filename: &str) -> Outline {
    let all = || {
        document.blocks.iter().filter_map(|block| match block.kind {
            BlockKind::Heading(level) => Some((level, block)),
            _ => None,
        })
    };
    let mut counts = [0_usize; 256];
    for (level, _) in all() {
        counts[usize::from(level)] += 1;
    }
    let mut sum = 0;
    let fits = |count: &&usize| {
        sum += **count;
        sum <= MAX_HEADINGS
    };
    let deepest = counts.iter().take_while(fits).count();
    let kept = all().filter(|(level, _)| usize::from(*level) < deepest.max(2)).take(MAX_HEADINGS);
    let heading = |(level, block): (u8, &Block)| OutlineHeading {
        level,
        text: cut(&block.text, LONGEST_HEADING),
        page: block.page,
    };
    let title = document.title.clone().map(|title| cut(&title, LONGEST_HEADING)).or_else(|| {
        let stem = Path::new(filename).file_stem()?.to_string_lossy().replace(['_', '-'], " ");
        Some(stem.trim().to_owned()).filter(|stem| !stem.is_empty())
    });
    Outline { title, opening: opening(&document.blocks), headings: kept.map(heading).collect() }
}

fn opening(blocks: &[Block]) -> String {
    let is_prose = |block: &&Block| {
        let text = start(block);
        block.kind == BlockKind::Paragraph
            && text.chars().count() >= MIN_PROSE
            && text.contains(['.', '!', '?', '。'])
            && !text.contains('…')
            && text.chars().filter(|c| c.is_alphabetic() || *c == ' ').count() * 4 > text.chars().count() * 3
    };
    let mut prose = blocks.iter().filter(is_prose).peekable();
    // Lists and notes without prose still open with something.
    let chosen: Vec<&Block> = if prose.peek().is_some() {
        prose.take(20).collect()
    } else {
        blocks.iter().filter(|block| !matches!(block.kind, BlockKind::Heading(_))).take(20).collect()
    };
    let mut opening = String::new();
    let mut length = 0;
    'blocks: for block in chosen {
        for sentence in sentences(start(block)).filter(|text| text.contains(char::is_alphanumeric)) {
            let sentence = one_line(sentence);
            let more = sentence.chars().count() + 1;
            if length + more > OPENING {
                break 'blocks;
            }
            if length > 0 {
                opening.push(' ');
            }
            opening.push_str(&sentence);
            length += more;
        }
    }
    if opening.is_empty() {
        opening = blocks.first().map(|block| cut(start(block), OPENING)).unwrap_or_default();
    }
    opening
}

fn start(block: &Block) -> &str {
    &block.text[..floor(&block.text, LOOKED_AT)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Format;

    fn document(blocks: Vec<Block>) -> Extracted {
        Extracted { format: Format::Pdf, title: None, blocks, pages: Some(1) }
    }

    #[test]
    fn the_opening_is_prose_and_ends_with_a_sentence() {
        let sentence = "Esta frase tem um tamanho razoável para que se possa contar. ";
        let outline = outline(
            &document(vec![
                Block::new(BlockKind::Heading(1), "Manual"),
                Block::new(BlockKind::Paragraph, "Lisboa, 2024"),
                Block::new(
                    BlockKind::Paragraph,
                    "1 Introdução … 1\n2 Instalação … 9\n3 Conclusão … 77 e mais texto ainda.",
                ),
                Block::new(BlockKind::Paragraph, sentence.repeat(30)),
            ]),
            "manual_de-uso.pdf",
        );
        assert!(outline.opening.starts_with("Esta frase"));
        assert!(outline.opening.ends_with('.') && outline.opening.chars().count() <= OPENING);
        assert!(outline.opening.chars().count() > OPENING - 100);
        assert_eq!(outline.title.as_deref(), Some("manual de uso"));
        assert_eq!(outline.headings[0].text, "Manual");
    }

    #[test]
    fn the_highest_levels_are_kept_when_there_are_too_many() {
        let mut blocks = Vec::new();
        for chapter in 0..50 {
            blocks.push(Block::new(BlockKind::Heading(1), format!("c{chapter}")));
            blocks.extend((0..20).map(|section| Block::new(BlockKind::Heading(2), format!("s{section}"))));
        }
        let found = outline(&document(blocks), "a.pdf").headings;
        assert_eq!(found.len(), 50);
        assert!(found.iter().all(|heading| heading.level == 1));
    }

    #[test]
    fn a_document_of_one_endless_word_has_an_opening() {
        let blocks = vec![Block::new(BlockKind::Paragraph, "a".repeat(5000))];
        let opening = outline(&document(blocks), "").opening;
        assert!(!opening.is_empty() && opening.chars().count() <= OPENING + 1);
    }
}
