//! Small talk: what is said to an assistant and asks nothing of the documents.
//!
//! "Oi, tudo bem?" has passages in every collection, since some text is always nearest; none of them has to do with it.
//! A message is small talk if nothing of it is left without the phrases of [`phrases`]: "oi, qual é o prazo?" is a
//! question. What may take up something that the assistant said ("ok", "sim", a thumb) is looked at beside it.

mod phrases;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::openai::{Role, Turn};
use crate::words::folded;
use phrases::{Kind, PHRASES};

/// Longer messages say something, in bytes.
const LONGEST: usize = 160;
/// Of the assistant's last message, so many bytes of its end are looked at for a question.
const ASKED_WITHIN: usize = 400;

static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| {
    let phrases =
        PHRASES.iter().flat_map(|(kind, list)| list.split(',').map(|phrase| (phrase.trim(), *kind)));
    // What stands twice is what it is first.
    phrases.rev().collect()
});
static MOST_WORDS: LazyLock<usize> =
    LazyLock::new(|| KINDS.keys().map(|phrase| phrase.split(' ').count()).max().unwrap_or_default());

/// What was said before a message, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The assistant said something.
    Said,
    /// It asked something, or may have: upstream keeps the turns itself.
    Asked,
}

/// Whether a message asks nothing of the documents. What was said before is read only where that decides; it is none
/// where it is not known.
pub(super) fn is_small_talk(message: &str, earlier: impl FnOnce() -> Option<Vec<Turn>>) -> bool {
    if message.len() > LONGEST || message.trim().is_empty() {
        return false;
    }
    let words = words(message);
    if is_of(&words, &|kind| kind == Kind::Social) {
        return true;
    }
    let may_be = |kind| kind != Kind::Filler;
    if !is_of(&words, &may_be) {
        return false;
    }
    // "Certo?" asks whether it is so.
    let doubts = !words.is_empty() && message.contains('?');
    let before = earlier().map_or(Before::Asked, |earlier| before(&earlier));
    is_of(&words, &|kind| match kind {
        Kind::Social => true,
        Kind::Reply => before == Before::Nothing || (before == Before::Said && !doubts),
        Kind::Reaction => before == Before::Said && !doubts,
        Kind::First => before == Before::Nothing,
        Kind::Filler => false,
    })
}

fn before(earlier: &[Turn]) -> Before {
    let Some(last) = earlier.iter().rfind(|turn| turn.role == Role::Assistant) else {
        return Before::Nothing;
    };
    let from = (last.text.len().saturating_sub(ASKED_WITHIN)..).find(|at| last.text.is_char_boundary(*at));
    let end = &last.text[from.unwrap_or_default()..];
    if end.contains(['?', '？', '؟']) { Before::Asked } else { Before::Said }
}

/// Whether phrases of these kinds make up all the words, with fillers beside at least one of them.
fn is_of(words: &[String], admits: &dyn Fn(Kind) -> bool) -> bool {
    if words.is_empty() {
        // A thumb, a smile, "?!": as much as "ok".
        return admits(Kind::Reply);
    }
    // What the words before each place can be: nothing, fillers alone, more.
    let mut reached = vec![(false, false); words.len() + 1];
    reached[0] = (true, false);
    for from in 0..words.len() {
        let (fillers, more) = reached[from];
        if !fillers && !more {
            continue;
        }
        for to in from + 1..=words.len().min(from + *MOST_WORDS) {
            match kind(&words[from..to]) {
                Some(Kind::Filler) => {
                    reached[to].0 |= fillers;
                    reached[to].1 |= more;
                }
                Some(kind) if admits(kind) => reached[to].1 = true,
                _ => {}
            }
        }
    }
    reached[words.len()].1
}

fn kind(words: &[String]) -> Option<Kind> {
    if let [word] = words
        && is_noise(word)
    {
        return Some(Kind::Reply);
    }
    let phrase = words.join(" ");
    KINDS.get(phrase.as_str()).copied().or_else(|| KINDS.get(unstretched(&phrase)?.as_str()).copied())
}

/// Faces with letters or digits in them, in lower case.
const FACES: &[&str] =
    &[":d", ":-d", "=d", ";d", ":p", ":-p", ";p", "=p", ":o", ":-o", ":v", ":3", ":s", "<3"];

/// The words of a message, folded, without faces.
fn words(message: &str) -> Vec<String> {
    let spoken = message.split_whitespace().filter(|part| !FACES.contains(&part.to_lowercase().as_str()));
    let folded: String = spoken
        .flat_map(|part| folded(part).map(|c| if c.is_alphanumeric() { c } else { ' ' }).chain([' ']))
        .collect();
    folded.split_whitespace().map(str::to_owned).collect()
}

/// Each run of three or more of a letter as one: "oiiii", "obrigadaaa". None where there is no such run.
fn unstretched(phrase: &str) -> Option<String> {
    let mut kept = String::with_capacity(phrase.len());
    let chars: Vec<char> = phrase.chars().collect();
    for run in chars.chunk_by(|a, b| a == b) {
        let times = if run.len() >= 3 { 1 } else { run.len() };
        kept.extend(run.iter().take(times));
    }
    (kept.len() < phrase.len()).then_some(kept)
}

const LAUGHS: &[&str] = &["ha", "he", "hi", "hua", "ja", "je", "ji", "rs", "k", "z"];
const KEYS: &[&str] = &["qwertyuiop", "asdfghjkl", "zxcvbnm"];
/// Fewer neighbouring keys are a word of some language.
const FEWEST_KEYS: usize = 4;

/// Whether it is laughter, or what comes of a hand on the keyboard.
fn is_noise(word: &str) -> bool {
    let laughs = |unit: &&str| word.len() >= 2 * unit.len() && word.replace(*unit, "").is_empty();
    if LAUGHS.iter().any(laughs) {
        return true;
    }
    // The layout has its name from its first keys.
    let is_hit = |word: &str| word.len() >= FEWEST_KEYS && KEYS.iter().any(|row| row.contains(word));
    let (first, second) = word.split_at_checked(word.len() / 2).unwrap_or((word, ""));
    word != "qwerty" && (is_hit(word) || (is_hit(first) && second.starts_with(first)))
}

#[cfg(test)]
mod tests;
