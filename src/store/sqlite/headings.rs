//! The path of headings above a chunk, within bounds.
//!
//! Chunks are cut with short paths. Older ones may hold a whole page in a heading, repeated in each chunk of a document:
//! they are cut when they are read, so that what indexes, embeds or shows them needs no bounds of its own.

/// Longest heading, in characters: longer than any that is written.
const LONGEST_HEADING: usize = 256;
/// Longest path of them, in characters.
const LONGEST_PATH: usize = 1_024;

/// A path of bounded headings and bounded length, from the title down. What leaves first is what stands between the title
/// and the nearest headings.
pub(super) fn bounded(mut headings: Vec<String>) -> Vec<String> {
    if headings.iter().map(String::len).sum::<usize>() <= LONGEST_HEADING {
        return headings;
    }
    headings.iter_mut().for_each(cut);
    let mut length: usize = headings.iter().map(|heading| heading.chars().count()).sum();
    let mut out = 1;
    while length > LONGEST_PATH && out + 1 < headings.len() {
        length -= headings[out].chars().count();
        out += 1;
    }
    headings.drain(1..out);
    headings
}

/// Cuts one that is too long; it ends in "…" then.
pub(super) fn cut(heading: &mut String) {
    if heading.char_indices().nth(LONGEST_HEADING).is_none() {
        return;
    }
    let end = heading.char_indices().nth(LONGEST_HEADING - 1).map_or(0, |(at, _)| at);
    heading.truncate(end);
    heading.truncate(heading.trim_end().len());
    heading.push('…');
    heading.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(path: &[String]) -> usize {
        path.iter().map(|heading| heading.chars().count()).sum()
    }

    #[test]
    fn an_ordinary_path_stays_as_it_is() {
        let path: Vec<String> = ["Lei nº 13.709", "Capítulo II", "Art. 7º"].map(str::to_owned).into();
        assert_eq!(bounded(path.clone()), path);
        assert_eq!(bounded(Vec::new()), Vec::<String>::new());
        let longest = vec!["ã".repeat(LONGEST_HEADING)];
        assert_eq!(bounded(longest.clone()), longest);
    }

    #[test]
    fn long_headings_are_cut_between_characters() {
        for heading in ["ã".repeat(300_000), "word ".repeat(100_000), "\u{1F4C4}".repeat(257)] {
            let cut = &bounded(vec![heading.clone()])[0];
            assert!(cut.ends_with('…') && cut.chars().count() <= LONGEST_HEADING, "{cut}");
            assert!(heading.starts_with(cut.trim_end_matches('…')));
        }
    }

    #[test]
    fn a_long_path_keeps_its_title_and_what_is_nearest() {
        let path: Vec<String> = (0..10_000).map(|n| format!("{n} {}", "long ".repeat(100))).collect();
        let kept = bounded(path.clone());
        assert!(length(&kept) <= LONGEST_PATH && kept.len() >= 2, "{}", kept.len());
        assert!(kept[0].starts_with("0 ") && kept.last().is_some_and(|last| last.starts_with("9999 ")));
        let short: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        assert!(length(&bounded(short)) <= LONGEST_PATH);
    }
}
