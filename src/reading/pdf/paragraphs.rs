//! From lines back to paragraphs: which line breaks the page made and which the writer.

use std::collections::HashSet;

use super::layout::{Line, Page};
use crate::reading::document::BlockKind;
use crate::reading::lines::{has_leaders, starts_item};

/// Lines that belong together.
#[derive(Debug)]
pub(super) struct Paragraph {
    pub text: String,
    pub kind: BlockKind,
    pub page: u32,
    /// The size of its first line, in points.
    pub size: f32,
    /// Whether all of it is bold.
    pub bold: bool,
    pub lines: usize,
}

/// How a line follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Break {
    /// The page was not wide enough.
    Wrap,
    /// The line ends here, the paragraph goes on: an address, a listing, a table of contents.
    Line,
    Paragraph,
}

/// Joins the lines of each page to paragraphs; words cut at line ends are made whole.
pub(super) fn build(pages: &[Page]) -> Vec<Paragraph> {
    let words = vocabulary(pages);
    let mut paragraphs = Vec::new();
    for page in pages {
        let leading = leading(&page.lines);
        let rights = right_edges(&page.lines);
        let mut current: Vec<&Line> = Vec::new();
        for (index, line) in page.lines.iter().enumerate() {
            let following = match current.last() {
                None => Break::Paragraph,
                Some(before) => follow(before, line, current.len(), leading, rights[index - 1]),
            };
            if following == Break::Paragraph {
                current.clear();
                paragraphs.push(Paragraph {
                    text: line.text.clone(),
                    kind: if starts_item(&line.text) { BlockKind::ListItem } else { BlockKind::Paragraph },
                    page: page.number,
                    size: line.size,
                    bold: line.bold,
                    lines: 1,
                });
            } else if let (Some(paragraph), Some(before)) = (paragraphs.last_mut(), current.last()) {
                append(&mut paragraph.text, before, line, following, &words);
                paragraph.bold &= line.bold;
                paragraph.lines += 1;
            }
            current.push(line);
        }
    }
    paragraphs
}

fn follow(before: &Line, line: &Line, length: usize, leading: f32, right: f32) -> Break {
    let size = before.size.max(line.size);
    let down = before.y - line.y;
    if before.hyphen {
        return Break::Wrap;
    }
    // The same base line, further right: PDFium saw a gap.
    if down.abs() < 0.35 * size && line.x > before.x {
        return Break::Wrap;
    }
    let ended = ends_sentence(&before.text);
    if down < 0.0 || down > 4.0 * size {
        let goes_on = !ended && line.text.starts_with(char::is_lowercase) && same_face(before, line);
        return if goes_on { Break::Wrap } else { Break::Paragraph };
    }
    if !same_face(before, line) || down > leading * 1.35 * size || starts_item(&line.text) {
        return Break::Paragraph;
    }
    let is_entry = |line: &Line| has_leaders(&line.text) || line.text.ends_with(|c: char| c.is_ascii_digit());
    if has_leaders(&before.text) || (has_leaders(&line.text) && is_entry(before)) {
        return Break::Line;
    }
    if ends_with_hyphen(&before.text) {
        return Break::Wrap;
    }
    let indent = line.x - before.x;
    // Where the first word of this line would have fitted into the one before, the break was meant.
    let width = (before.end - before.x) / before.text.chars().count().max(1) as f32;
    let first_word = line.text.split(' ').next().map_or(0, |word| word.chars().count());
    let meant = right - before.end > (first_word + 2) as f32 * width;
    if meant {
        return if ended || indent.abs() > 0.8 * size || before.bold != line.bold {
            Break::Paragraph
        } else {
            Break::Line
        };
    }
    let indented = indent > 0.8 * size && indent < 6.0 * size && !starts_item(&before.text);
    let outdented = indent < -0.8 * size && length >= 2;
    if ended && (indented || outdented) { Break::Paragraph } else { Break::Wrap }
}

fn ends_with_hyphen(text: &str) -> bool {
    text.strip_suffix(['-', '\u{2010}', '\u{ad}']).is_some_and(|stem| stem.ends_with(char::is_alphabetic))
}

fn same_face(a: &Line, b: &Line) -> bool {
    (a.size - b.size).abs() <= 0.12 * a.size.max(b.size)
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '’', '»', ')', ']'])
        .ends_with(['.', '!', '?', ':', ';', '。', '！', '？'])
}

/// The usual distance between base lines, as a multiple of the size of the font.
fn leading(lines: &[Line]) -> f32 {
    let ratio = |pair: &[Line]| {
        let ratio = (pair[0].y - pair[1].y) / pair[0].size;
        (same_face(&pair[0], &pair[1]) && (0.8..2.6).contains(&ratio)).then_some(ratio)
    };
    const USUAL: f32 = 1.25;
    const ENOUGH: usize = 5;
    let mut ratios: Vec<f32> = lines.windows(2).filter_map(ratio).collect();
    ratios.sort_by(f32::total_cmp);
    if ratios.len() < ENOUGH {
        return USUAL;
    }
    // Below the median, since the gaps between paragraphs are among them.
    ratios.get(ratios.len() * 2 / 5).copied().unwrap_or(USUAL)
}

/// For each line the right edge of the column that it stands in: the furthest end of the lines near it
/// that begin at about the same place.
fn right_edges(lines: &[Line]) -> Vec<f32> {
    const NEAR: usize = 25;
    let edge = |at: usize| {
        let line = &lines[at];
        let near = &lines[at.saturating_sub(NEAR)..lines.len().min(at + NEAR)];
        let column =
            near.iter().filter(|other| (other.x - line.x).abs() < 2.0 * line.size && same_face(line, other));
        column.map(|other| other.end).fold(0.0, f32::max)
    };
    (0..lines.len()).map(edge).collect()
}

fn append(text: &mut String, before: &Line, line: &Line, following: Break, words: &HashSet<String>) {
    let next = line.text.as_str();
    if following == Break::Line {
        text.push('\n');
        text.push_str(next);
        return;
    }
    let cut = before.hyphen || text.ends_with(['-', '\u{2010}', '\u{ad}']);
    if !cut {
        text.push(' ');
        text.push_str(next);
        return;
    }
    let stem_length = text.trim_end_matches(['-', '\u{2010}', '\u{ad}']).len();
    let left = last_word(&text[..stem_length]).to_lowercase();
    let right = first_word(next).to_lowercase();
    let letters = text[..stem_length].ends_with(char::is_alphabetic) && next.starts_with(char::is_lowercase);
    let whole = format!("{left}{right}");
    let compound = format!("{left}-{right}");
    let known = |word: &String| words.contains(word);
    // `high-dimensional`, where both parts are words and their sum is not.
    let of_words = known(&left) && known(&right);
    text.truncate(stem_length);
    if !letters || (!known(&whole) && (known(&compound) || of_words)) {
        text.push('-');
    }
    text.push_str(next);
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !c.is_alphabetic() && c != '-').next().unwrap_or("")
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphabetic() && c != '-').next().unwrap_or("")
}

/// The words that stand whole somewhere in the document, to tell `bem-\nestar` from `infor-\nmação`.
fn vocabulary(pages: &[Page]) -> HashSet<String> {
    let mut words = HashSet::new();
    if !pages
        .iter()
        .flat_map(|page| &page.lines)
        .any(|line| line.hyphen || line.text.ends_with(['-', '\u{2010}']))
    {
        return words;
    }
    for line in pages.iter().flat_map(|page| &page.lines) {
        let mut found: Vec<&str> = line.text.split(|c: char| !c.is_alphabetic() && c != '-').collect();
        // The first and the last may be parts of words.
        found.pop();
        for word in found.into_iter().skip(1).filter(|word| word.len() > 3) {
            words.insert(word.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        let page = Page { number: 1, height: 800.0, lines };
        build(&[page]).into_iter().map(|paragraph| paragraph.text).collect()
    }

    #[test]
    fn wrapped_lines_become_paragraphs() {
        let found = texts(vec![
            Line::at(700.0, "O sistema de manutenção de pacotes pode ser"),
            Line::at(688.0, "actualizado no lugar sem perder ficheiros."),
            Line::at(664.0, "Um segundo parágrafo começa depois do espaço"),
            Line::at(652.0, "e acaba aqui."),
        ]);
        assert_eq!(
            found,
            [
                "O sistema de manutenção de pacotes pode ser actualizado no lugar sem perder ficheiros.",
                "Um segundo parágrafo começa depois do espaço e acaba aqui."
            ]
        );
    }

    #[test]
    fn words_cut_at_line_ends_are_whole_again() {
        let cut = |y, text: &str| Line { hyphen: true, ..Line::at(y, text) };
        let found = texts(vec![
            cut(700.0, "Aqui se fala do bem-estar geral e do soft"),
            Line::at(688.0, "ware livre, que traz mais segurança e bem-"),
            Line::at(676.0, "estar a todos, segundo o mapa Norte-"),
            Line::at(664.0, "Sul do ano passado que foi publicado ontem."),
        ]);
        assert_eq!(found.len(), 1);
        for part in ["software livre", "bem-estar a todos", "Norte-Sul do"] {
            assert!(found[0].contains(part), "{}", found[0]);
        }
    }

    #[test]
    fn lists_and_tables_of_contents_keep_their_lines() {
        let found = texts(vec![
            Line::at(700.0, "• primeiro item da lista que é bem comprido e"),
            Line { x: 62.0, ..Line::at(688.0, "continua na outra linha") },
            Line::at(676.0, "• segundo"),
            Line::at(640.0, "1 Introdução . . . . . . . . . . . . . . . 1"),
            Line::at(628.0, "2 Instalação . . . . . . . . . . . . . . . 9"),
        ]);
        assert_eq!(
            found,
            [
                "• primeiro item da lista que é bem comprido e continua na outra linha",
                "• segundo",
                "1 Introdução . . . . . . . . . . . . . . . 1\n2 Instalação . . . . . . . . . . . . . . . 9"
            ]
        );
    }

    #[test]
    fn a_sentence_goes_on_in_the_next_column() {
        let right = |y, text: &str| Line { x: 320.0, end: 560.0, ..Line::at(y, text) };
        let found = texts(vec![
            Line::at(100.0, "uma frase que não acaba nesta coluna porque a"),
            right(700.0, "outra começa em cima."),
            right(676.0, "Novo parágrafo."),
        ]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("porque a outra"));
    }
}
