//! The part of a passage that is kept where the whole has no room.

use unicode_segmentation::UnicodeSegmentation;

use super::estimate_text;
use crate::words::{folded, sentences};

/// Words that share so many letters at their beginning are taken for forms of one word.
const STEM: usize = 5;
/// Shorter words are articles and the like in the languages written with spaces.
const SHORTEST_WORD: usize = 3;

/// The run of whole sentences within `room` tokens that holds most different words of the question; the first such run,
/// so that without any it is the beginning. A sentence that is longer than the room is cut between words.
pub(super) fn excerpt<'a>(text: &'a str, question: &str, room: u64) -> &'a str {
    let sentences: Vec<&str> = sentences(text).collect();
    let tokens: Vec<u64> = sentences.iter().map(|s| estimate_text(s)).collect();
    let asked = stems(question);
    let words: Vec<Vec<usize>> = sentences
        .iter()
        .map(|s| stems(s).iter().filter_map(|stem| asked.binary_search(stem).ok()).collect())
        .collect();
    let (mut best, mut best_words) = (0..0, None);
    for start in 0..sentences.len() {
        let (mut end, mut used, mut found) = (start, 0, vec![false; asked.len()]);
        while end < sentences.len() && used + tokens[end] <= room {
            used += tokens[end];
            words[end].iter().for_each(|word| found[*word] = true);
            end += 1;
        }
        let count = found.iter().filter(|f| **f).count();
        if end > start && best_words.is_none_or(|most| count > most) {
            (best, best_words) = (start..end, Some(count));
        }
    }
    if best.is_empty() {
        return first_words(text, room);
    }
    // Sentences follow each other without gaps: lengths are offsets.
    let start: usize = sentences[..best.start].iter().map(|s| s.len()).sum();
    let length: usize = sentences[best].iter().map(|s| s.len()).sum();
    text[start..start + length].trim()
}

fn first_words(text: &str, room: u64) -> &str {
    let (mut end, mut used) = (0, 0);
    for (start, word) in text.split_word_bound_indices() {
        used += estimate_text(word);
        if used > room {
            break;
        }
        end = start + word.len();
    }
    text[..end].trim()
}

fn stems(text: &str) -> Vec<String> {
    let mut stems: Vec<String> = text
        .unicode_words()
        .map(|word| folded(word).collect::<String>())
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        // Numbers and codes have no forms.
        .map(|word| match word.contains(char::is_numeric) {
            true => word,
            false => word.chars().take(STEM).collect(),
        })
        .collect();
    stems.sort();
    stems.dedup();
    stems
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    const TEXT: &str = "The hall opens at nine. Pumps are checked in March. The maintenance code of the pump is KX-4471. Visitors sign the book.";

    #[test]
    fn the_sentences_that_answer_are_kept() {
        let kept = excerpt(TEXT, "What is the pump's maintenance code?", 24);
        assert!(kept.contains("KX-4471") && kept.len() < TEXT.len(), "{kept}");
        assert!(
            excerpt("Abre às nove. As declarações vão à secretaria.", "declaracao?", 20)
                .contains("secretaria")
        );
    }

    #[test]
    fn without_a_word_in_common_it_is_the_beginning() {
        assert_eq!(excerpt(TEXT, "xyz", 9), "The hall opens at nine.");
        assert_eq!(excerpt(TEXT, "", 100_000), TEXT);
    }

    #[test]
    fn a_long_sentence_is_cut_between_words_and_nothing_is_nothing() {
        assert_eq!(excerpt("one two three four five six", "", 4), "one two three");
        assert_eq!(excerpt("one two", "", 0), "");
        assert_eq!(excerpt("", "q", 10), "");
    }
}
