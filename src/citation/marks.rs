//! `[n]` marks in an answer, found as its text comes.

/// Once so many sources were named, more marks are not cited.
const MOST: usize = 1_000;
/// A longer bracket is no mark.
const LONGEST: usize = 64;

/// A mark and the sources that it names.
#[derive(Debug, PartialEq)]
pub(super) struct Mark {
    /// Code points of the text before it.
    pub start: usize,
    /// The same with it.
    pub end: usize,
    /// Numbers of sources that exist, each once.
    pub numbers: Vec<usize>,
}

/// The marks of one text: `[1]`, `[1][2]`, `[1, 2]`, `[1-3]`.
#[derive(Debug)]
pub(super) struct Marks {
    /// How many sources there are: 1 to this.
    known: usize,
    /// Code points of the text so far.
    length: usize,
    /// Where a bracket opened, and what stands in it so far.
    open: Option<(usize, String)>,
    found: Vec<Mark>,
    /// Sources named by all of them together.
    named: usize,
}

impl Marks {
    /// In an answer from so many sources.
    pub(super) fn of(known: usize) -> Self {
        Self { known, length: 0, open: None, found: Vec::new(), named: 0 }
    }

    /// The next part of the text.
    pub(super) fn push(&mut self, text: &str) {
        for c in text.chars() {
            let at = self.length;
            self.length += 1;
            match (c, &mut self.open) {
                ('[', open) => *open = Some((at, String::new())),
                (']', open) => {
                    if let Some((start, inside)) = open.take() {
                        self.close(start, &inside);
                    }
                }
                (c, Some((_, inside))) if may_stand_in_a_mark(c) && inside.len() < LONGEST => inside.push(c),
                (_, open) => *open = None,
            }
        }
    }

    fn close(&mut self, start: usize, inside: &str) {
        if self.named < MOST
            && let Some(numbers) = numbers(inside, self.known)
            && !numbers.is_empty()
        {
            self.named += numbers.len();
            self.found.push(Mark { start, end: self.length, numbers });
        }
    }

    /// Code points of the text so far.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The marks so far that name a source.
    pub(super) fn found(&self) -> &[Mark] {
        &self.found
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2014}')
}

fn may_stand_in_a_mark(c: char) -> bool {
    c.is_ascii_digit() || is_dash(c) || matches!(c, ',' | ';' | ' ')
}

/// The numbers up to `known` that the inside of a bracket names; `None` where it is no mark.
fn numbers(inside: &str, known: usize) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for item in inside.split([',', ';']) {
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (from, to) = match item.split_once(is_dash) {
            None => (number(item)?, number(item)?),
            Some((from, to)) => (number(from)?, number(to)?),
        };
        let (from, to) = (from.max(1), to.min(known));
        numbers.extend((from..=to).filter(|n| !numbers.contains(n)).collect::<Vec<_>>());
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(parts: &[&str]) -> Vec<(usize, usize, Vec<usize>)> {
        let mut marks = Marks::of(4);
        parts.iter().for_each(|part| marks.push(part));
        marks.found().iter().map(|mark| (mark.start, mark.end, mark.numbers.clone())).collect()
    }

    #[test]
    fn marks_of_every_spelling_are_found() {
        for (text, found) in [
            ("Noon [1].", vec![(5, 8, vec![1])]),
            ("[1][2]", vec![(0, 3, vec![1]), (3, 6, vec![2])]),
            ("a [1, 2]", vec![(2, 8, vec![1, 2])]),
            ("[ 3 ;1,3 ]", vec![(0, 10, vec![3, 1])]),
            ("[1-3]", vec![(0, 5, vec![1, 2, 3])]),
            ("[2\u{2013}9, 1]", vec![(0, 8, vec![2, 3, 4, 1])]),
            ("ação €👋🏽 [2]", vec![(9, 12, vec![2])]),
            ("[[3]]", vec![(1, 4, vec![3])]),
            ("[1, 9]", vec![(0, 6, vec![1])]),
            ("[01]", vec![(0, 4, vec![1])]),
            ("[x [4]", vec![(3, 6, vec![4])]),
        ] {
            assert_eq!(marks(&[text]), found, "{text}");
            // However it is cut.
            for (at, _) in text.char_indices() {
                assert_eq!(marks(&[&text[..at], "", &text[at..]]), found, "{text} at {at}");
            }
        }
    }

    #[test]
    fn other_brackets_are_no_marks() {
        for text in [
            "[0]",
            "[5]",
            "[]",
            "[ ]",
            "[,]",
            "[1,]",
            "[-1]",
            "[3-1]",
            "[1-]",
            "[1.5]",
            "[a1]",
            "[1 2]",
            "1]",
            "[1",
            "[1\n]",
            "[99999999999999999999999]",
            "[1-2-3]",
            "(1)",
            "[²]",
        ] {
            assert_eq!(marks(&[text]), [], "{text}");
        }
        assert_eq!(marks(&[&format!("[{}1]", " ".repeat(64))]), []);
    }

    #[test]
    fn a_model_that_repeats_itself_fills_no_memory() {
        let mut marks = Marks::of(2);
        (0..5_000).for_each(|_| marks.push("[1-99999999999999]"));
        assert_eq!((marks.found().len(), marks.length()), (MOST / 2, 90_000));
    }
}
