//! Running heads, running feet and page numbers: text of the pages, not of the document.

use std::collections::{HashMap, HashSet};

use super::layout::Page;

/// Text at an edge that is on this share of the pages belongs to the pages.
const MOST: f32 = 0.35;
/// Fewer pages than this prove nothing.
const ENOUGH: usize = 3;
/// Longer texts are no furniture, in bytes.
const LONGEST: usize = 200;
/// Base lines at each edge that may be furniture.
const EDGE_LINES: usize = 2;
/// The part of the page's height at each edge where furniture stands.
const EDGE_SHARE: f32 = 0.13;

/// Removes the lines at the top and bottom of pages that repeat from page to page. Heads of chapters,
/// which repeat on some pages only, stay where they appear first.
pub(super) fn remove(pages: &mut [Page]) {
    let edges: Vec<Vec<(usize, bool)>> = pages.iter().map(edge_lines).collect();
    let candidates: Vec<Vec<Candidate<'_>>> = pages
        .iter()
        .zip(&edges)
        .map(|(page, edges)| {
            let candidate = |&(index, bottom): &(usize, bool)| {
                let line = &page.lines[index];
                Candidate { index, text: &line.text, place: Some((line.y / 3.0).round() as i32), bottom }
            };
            edges.iter().map(candidate).collect()
        })
        .collect();
    let with_text = pages.iter().filter(|page| !page.lines.is_empty()).count();
    let dropped = repeated(&candidates, with_text);
    // Where the edges are all that most pages hold, they are the text.
    let emptied = pages
        .iter()
        .zip(&dropped)
        .filter(|(page, dropped)| !page.lines.is_empty() && page.lines.len() == dropped.len());
    if emptied.count() * 2 > with_text {
        return;
    }
    for (page, dropped) in pages.iter_mut().zip(dropped) {
        let mut index = 0;
        page.lines.retain(|_| {
            index += 1;
            !dropped.contains(&(index - 1))
        });
    }
}

/// A text at the edge of a page.
pub(super) struct Candidate<'a> {
    /// Its index on the page.
    pub index: usize,
    pub text: &'a str,
    /// How high it stands, coarsely, where that is known.
    pub place: Option<i32>,
    pub bottom: bool,
}

/// For each page the indexes of the candidates that are furniture.
pub(super) fn repeated(pages: &[Vec<Candidate<'_>>], with_text: usize) -> Vec<Vec<usize>> {
    let mut by_text: HashMap<String, usize> = HashMap::new();
    let mut by_place: HashMap<(String, Option<i32>), usize> = HashMap::new();
    let mut numbers = [0_usize; 2];
    for page in pages {
        for candidate in page {
            let key = key(candidate.text);
            *by_text.entry(key.clone()).or_default() += 1;
            *by_place.entry((key, candidate.place)).or_default() += 1;
        }
        for bottom in [false, true] {
            let found = page.iter().any(|it| it.bottom == bottom && is_page_number(it.text));
            numbers[usize::from(bottom)] += usize::from(found);
        }
    }
    let most = ENOUGH.max((with_text as f32 * MOST).ceil() as usize);
    let running = running_places(pages, most);
    let mut seen: HashMap<(String, Option<i32>), usize> = HashMap::new();
    let mut drop = |candidate: &&Candidate<'_>| {
        if candidate.text.len() > LONGEST {
            return false;
        }
        let key = key(candidate.text);
        let place = (key.clone(), candidate.place);
        if is_page_number(candidate.text) && numbers[usize::from(candidate.bottom)] >= most {
            return true;
        }
        if by_text.get(&key).is_some_and(|count| *count >= most) {
            return true;
        }
        if running.contains(&(start(&key), candidate.place)) {
            return true;
        }
        let before = seen.entry(place.clone()).or_default();
        *before += 1;
        *before > 1 && candidate.place.is_some() && by_place.get(&place).is_some_and(|count| *count >= ENOUGH)
    };
    pages
        .iter()
        .map(|page| page.iter().filter(&mut drop).map(|candidate| candidate.index).collect())
        .collect()
}

/// The starts of texts that share a place, where a running head with the names of chapters and sections
/// changes from page to page: on most pages something stands there, and mostly it begins like another.
fn running_places(pages: &[Vec<Candidate<'_>>], most: usize) -> HashSet<(String, Option<i32>)> {
    let mut by_place: HashMap<Option<i32>, HashMap<String, usize>> = HashMap::new();
    for candidate in pages.iter().flatten().filter(|candidate| candidate.place.is_some()) {
        *by_place.entry(candidate.place).or_default().entry(start(&key(candidate.text))).or_default() += 1;
    }
    let mut running = HashSet::new();
    for (place, starts) in by_place {
        let all: usize = starts.values().sum();
        let shared: usize = starts.values().filter(|count| **count > 1).sum();
        if all >= most && shared * 10 >= all * 6 {
            running
                .extend(starts.into_iter().filter(|(_, count)| *count > 1).map(|(start, _)| (start, place)));
        }
    }
    running
}

fn start(key: &str) -> String {
    key.chars().take(12).collect()
}

/// Texts that differ in their numbers only are the same text.
fn key(text: &str) -> String {
    let mut key = String::new();
    for c in text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase) {
        if !c.is_numeric() {
            key.push(c);
        } else if !key.ends_with('#') {
            key.push('#');
        }
    }
    key
}

/// `7`, `- 7 -`, `Page 7 of 12`, `Página 7/12`, `vii`.
fn is_page_number(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| c.is_whitespace() || "-–—/|.()[]".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let number = |word: &str| word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let roman = |word: &str| word.len() <= 7 && word.bytes().all(|byte| b"ivxlc".contains(&byte));
    let label = |word: &str| {
        ["page", "página", "pagina", "pág", "pag", "p", "of", "de", "seite", "von", "sur"].contains(&word)
    };
    let numbers = words.iter().filter(|word| number(word) || roman(word)).count();
    (1..=2).contains(&numbers) && words.iter().all(|word| number(word) || roman(word) || label(word))
}

/// Indexes of the lines on the outermost base lines, and whether they are at the bottom.
fn edge_lines(page: &Page) -> Vec<(usize, bool)> {
    let mut order: Vec<usize> = (0..page.lines.len()).collect();
    order.sort_by(|a, b| page.lines[*b].y.total_cmp(&page.lines[*a].y));
    let mut found = Vec::new();
    let (low, high) = (page.height * EDGE_SHARE, page.height * (1.0 - EDGE_SHARE));
    let mut take = |order: &mut dyn Iterator<Item = usize>, bottom: bool| {
        let mut last: Option<f32> = None;
        let mut levels = 0;
        for index in order {
            let y = page.lines[index].y;
            if last.is_none_or(|last| (last - y).abs() > 3.0) {
                levels += 1;
                last = Some(y);
            }
            if levels > EDGE_LINES || if bottom { y > low } else { y < high } {
                break;
            }
            found.push((index, bottom));
        }
    };
    take(&mut order.iter().copied(), false);
    take(&mut order.iter().rev().copied(), true);
    found
}

#[cfg(test)]
mod tests {
    use super::super::layout::Line;
    use super::*;

    fn page(number: u32, lines: &[(f32, &str)]) -> Page {
        let lines = lines.iter().map(|(y, text)| Line::at(*y, text)).collect();
        Page { number, height: 800.0, lines }
    }

    fn texts(pages: &[Page]) -> Vec<Vec<&str>> {
        pages.iter().map(|page| page.lines.iter().map(|line| line.text.as_str()).collect()).collect()
    }

    #[test]
    fn repeated_edges_go_and_the_body_stays() {
        let mut pages: Vec<Page> = (1..=6)
            .map(|n| {
                page(
                    n,
                    &[
                        (780.0, "Manual 2024"),
                        (650.0, "igual"),
                        (600.0, ["a", "b"][n as usize % 2]),
                        (30.0, &format!("{n}")),
                    ],
                )
            })
            .collect();
        remove(&mut pages);
        for (index, lines) in texts(&pages).into_iter().enumerate() {
            assert_eq!(lines, ["igual", ["a", "b"][(index + 1) % 2]]);
        }
    }

    #[test]
    fn running_heads_that_change_go_too() {
        let heads = [
            "1 Introdução 1.1 A",
            "1 Introdução 1.2 B",
            "2 Instalação 2.1 C",
            "2 Instalação 2.2 D",
            "3 Utilização",
            "3 Utilização",
        ];
        let mut pages: Vec<Page> = heads
            .iter()
            .zip(1..)
            .map(|(head, n)| page(n, &[(780.0, head), (400.0, &"x".repeat(n as usize))]))
            .collect();
        remove(&mut pages);
        assert!(texts(&pages).iter().all(|lines| lines.len() == 1 && lines[0].starts_with('x')));
    }

    #[test]
    fn titles_of_slides_stay() {
        let titles = ["Agenda", "Motivação", "Método", "Método (2)", "Resultados", "Conclusão"];
        let mut pages: Vec<Page> = titles
            .iter()
            .zip(1..)
            .map(|(title, n)| page(n, &[(780.0, title), (400.0, "x"), (20.0, &n.to_string())]))
            .collect();
        remove(&mut pages);
        assert!(texts(&pages).iter().zip(titles).all(|(lines, title)| lines == &[title, "x"]));
    }

    #[test]
    fn a_document_of_numbers_keeps_them() {
        let mut pages: Vec<Page> = (1..=5).map(|n| page(n, &[(780.0, &n.to_string())])).collect();
        remove(&mut pages);
        assert!(pages.iter().all(|page| page.lines.len() == 1));
    }

    #[test]
    fn page_numbers_are_known() {
        for text in ["7", "- 12 -", "Página 3 de 10", "Page 3/10", "xiv", "[4]"] {
            assert!(is_page_number(text), "{text}");
        }
        for text in ["2024 foi um ano", "Capítulo 3", "12345", "de", ""] {
            assert!(!is_page_number(text), "{text}");
        }
    }
}
