//! What to search for when a question leans on the turns before it: "and the second one?", "quanto custa?".
//!
//! No model is asked. A question that says itself what it is about is searched as it is. One that does not, by its
//! words, is searched together with the last question that did, less what the new one replaces: the aspect ("when
//! does it begin?" after "what does it cost?"), or the thing ("and the D60?" after "how long is the D40's warranty?").
//! An ordinal stands for its item of the list in the last answer.

mod words;

use std::borrow::Cow;

use crate::openai::{Role, Turn};
use crate::words::{asked, beginning, end, is_without_spaces, one_line};
use words::Word;

pub(super) use words::words;

/// Longer questions say what they are about, in bytes.
const LONGEST: usize = 240;
/// Of the beginning and the end of a long text, so many bytes are looked at.
const LOOKED_AT: usize = 16 << 10;
/// How many questions back the topic may lie.
const DEPTH: usize = 8;
/// A question with a sign of leaning on others leans if it names at most so many things.
const MOST_SUBJECTS: usize = 3;

/// A question and the answer to it.
struct Exchange<'a> {
    question: &'a str,
    answer: &'a str,
}

/// What to search for: the question, where it leans on earlier turns with what they add. Those are read only where the
/// question may lean on them.
pub(super) fn search_text(question: &str, earlier: impl FnOnce() -> Vec<Turn>) -> Cow<'_, str> {
    if question.len() > LONGEST {
        return question.into();
    }
    let earlier = earlier();
    let exchanges = exchanges(&earlier);
    let Some(last) = exchanges.last() else { return question.into() };
    let said = words(question);
    if !leans(question, &said, last) {
        return question.into();
    }
    let found = match item(question, &said, last) {
        Some(item) => vec![item.to_owned()],
        None => topic(question, &said, &exchanges),
    };
    let text = [&[question.trim().to_owned()], &found[..]].concat().join(" ");
    one_line(&text).into()
}

fn exchanges(earlier: &[Turn]) -> Vec<Exchange<'_>> {
    let mut exchanges: Vec<Exchange<'_>> = Vec::new();
    for turn in earlier {
        match (turn.role, exchanges.last_mut()) {
            (Role::User, _) => exchanges.push(Exchange { question: &turn.text, answer: "" }),
            (Role::Assistant, Some(exchange)) => exchange.answer = &turn.text,
            // A greeting.
            (Role::Assistant, None) => {}
        }
    }
    exchanges
}

/// Whether a question needs the turns before it to be understood.
fn leans(question: &str, said: &[Word], before: &Exchange<'_>) -> bool {
    let Some(first) = said.first() else { return false };
    if question.len() > LONGEST || question.chars().any(is_without_spaces) {
        return false;
    }
    let subjects = said.iter().filter(|word| word.is_subject()).count();
    let opens = first.opens() || is_reply(question, first) || begins_like_a_follow_up(said);
    if subjects == 0 {
        return true;
    }
    if opens || said.iter().any(Word::points) || refers_to_one_of_several(said, before) {
        return subjects <= MOST_SUBJECTS;
    }
    // A few words without a verb that asks: the answer to a question, or a word on the topic.
    let fragment = !first.asks() && (said.len() <= 2 || !question.trim_end().ends_with('?'));
    fragment && subjects <= if asked_back(before.answer).is_some() { 2 } else { 1 }
}

/// "No, ...": without the comma it is also Portuguese for "in the".
fn is_reply(question: &str, first: &Word) -> bool {
    first.folded == "no" && question[first.at.end..].starts_with([',', '.', '!', ';'])
}

const LIKE_FOLLOW_UPS: &[&str] = &["what about ", "how about ", "what if ", "que tal "];
const CORRECTIONS: &[&str] =
    &["i meant ", "i mean ", "quis dizer ", "quise decir ", "na verdade ", "en realidad "];

fn folded(said: &[Word]) -> String {
    said.iter().flat_map(|word| [word.folded.as_str(), " "]).collect()
}

fn begins_like_a_follow_up(said: &[Word]) -> bool {
    let text = folded(said);
    LIKE_FOLLOW_UPS.iter().any(|phrase| text.starts_with(phrase))
        || CORRECTIONS.iter().any(|phrase| text.contains(phrase))
}

/// Whether there is an ordinal that stands alone ("the second one?"), or before a word of the last question.
fn refers_to_one_of_several(said: &[Word], before: &Exchange<'_>) -> bool {
    said.iter().enumerate().any(|(n, word)| {
        word.ordinal().is_some()
            && match said.get(n + 1) {
                Some(next) if next.folded == "feira" => false,
                Some(next) if next.is_subject() => {
                    let start: String = next.folded.chars().take(4).collect();
                    words(asked(before.question)).iter().any(|word| word.folded.starts_with(&start))
                }
                _ => true,
            }
    })
}

/// The item of the last answer's list that an ordinal names.
fn item<'a>(question: &str, said: &[Word], before: &Exchange<'a>) -> Option<&'a str> {
    if !refers_to_one_of_several(said, before) {
        return None;
    }
    // "How long does it last?"
    let is_verb =
        |word: &Word| word.folded == "last" && !question[..word.at.start].trim_end().ends_with("the");
    let place = said.iter().filter(|word| !is_verb(word)).find_map(Word::ordinal)?;
    let items = items(before.answer);
    let place = if place < 0 { items.len().checked_sub(1)? } else { place as usize };
    items.get(place).copied()
}

/// The items of a text's list: of its lines, else of the first sentence that names several things.
fn items(text: &str) -> Vec<&str> {
    let text = beginning(text, LOOKED_AT);
    let lines: Vec<&str> = text.lines().filter_map(listed).collect();
    if lines.len() > 1 {
        return lines;
    }
    sentences(text).find_map(several).unwrap_or_default()
}

/// The things that a sentence names, if it does: "There are two: the red and the blue one."
fn several(sentence: &str) -> Option<Vec<&str>> {
    let mut items = vec![sentence.split_once(':').map_or(sentence, |(_, list)| list)];
    for joint in [",", " and ", " or ", " e ", " ou ", " y ", " o "] {
        items = items.into_iter().flat_map(|part| part.split(joint)).collect();
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '.' | '?' | '!');
    let items: Vec<&str> =
        items.into_iter().map(|item| item.trim_matches(ends)).filter(|item| !item.is_empty()).collect();
    (items.len() > 1).then_some(items)
}

/// What a line of a list says.
fn listed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match numbered.len() < line.len() {
        true => numbered.strip_prefix(['.', ')']),
        false => line.strip_prefix(['-', '*', '•']),
    };
    rest.filter(|rest| rest.starts_with(' ')).map(str::trim)
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '?', '!', '\n']).map(str::trim).filter(|sentence| !sentence.is_empty())
}

/// The question that an answer ends with.
fn asked_back(answer: &str) -> Option<&str> {
    sentences(end(answer, LOOKED_AT)).last().filter(|sentence| sentence.ends_with('?'))
}

/// What the turns before add to a question: the last one that says what it is about, and what was added since.
fn topic(question: &str, said: &[Word], exchanges: &[Exchange<'_>]) -> Vec<String> {
    let mut parts = Vec::new();
    for (n, exchange) in exchanges.iter().enumerate().rev().take(DEPTH) {
        let part = asked(exchange.question);
        let words = words(part);
        let leans = n > 0 && leans(part, &words, &exchanges[n - 1]);
        if !leans || words.iter().any(Word::is_subject) {
            parts.push(without(part, &words, question, said));
        }
        if !leans {
            break;
        }
    }
    parts.reverse();
    // "Yes, please": what was offered.
    let says_nothing = !said.iter().any(|word| word.is_subject() || word.is_aspect());
    if says_nothing && let Some(offer) = exchanges.last().and_then(|last| asked_back(last.answer)) {
        parts.push(offer.to_owned());
    }
    parts
}

/// An earlier question without what the new one replaces.
fn without(part: &str, words: &[Word], question: &str, said: &[Word]) -> String {
    let mut gone = vec![false; words.len()];
    let has = |word: &Word| said.iter().any(|other| other.folded == word.folded);
    let subjects = said.iter().any(Word::is_subject);
    // Another aspect of the same thing.
    if !subjects && said.iter().any(Word::is_aspect) {
        let chosen = |n: usize| n > 0 && words[n - 1].chooses();
        // "Which pumps are there?" speaks of nothing but the pumps.
        let others = (0..words.len()).any(|n| words[n].is_subject() && !chosen(n));
        for (n, word) in words.iter().enumerate() {
            gone[n] = word.is_aspect() || (others && word.is_subject() && chosen(n));
        }
    }
    // The same of another thing: of a code of the same kind,
    let shapes: Vec<String> = said.iter().filter_map(Word::code_shape).collect();
    for (n, word) in words.iter().enumerate() {
        gone[n] |= !has(word) && word.code_shape().is_some_and(|shape| shapes.contains(&shape));
    }
    // of another name, or of what tells it from others, which Portuguese and Spanish put last.
    if subjects && contrasts(question, said) {
        let is_name = |text: &str, word: &Word| {
            word.at.start > 0 && word.is_subject() && text[word.at.clone()].starts_with(char::is_uppercase)
        };
        let names: Vec<usize> =
            (0..words.len()).filter(|n| is_name(part, &words[*n]) && !has(&words[*n])).collect();
        if !names.is_empty() && said.iter().any(|word| is_name(question, word)) {
            names.into_iter().for_each(|n| gone[n] = true);
        } else if said
            .iter()
            .any(|word| ["o", "os", "as", "el", "los", "las", "a", "la"].contains(&word.folded.as_str()))
            && let Some(last) = words.iter().rposition(Word::is_subject)
        {
            gone[last] = true;
        }
    }
    let mut kept = String::with_capacity(part.len());
    let mut at = 0;
    for (word, _) in words.iter().zip(&gone).filter(|(_, gone)| **gone) {
        kept.push_str(&part[at..word.at.start]);
        at = word.at.end;
    }
    kept.push_str(&part[at..]);
    kept
}

/// Whether a question puts one thing in another's place: "sorry, I meant ...", "e o de trabalho?".
fn contrasts(question: &str, said: &[Word]) -> bool {
    let Some(first) = said.first() else { return false };
    let text = folded(said);
    let corrects = is_reply(question, first)
        || ["nao", "sorry", "desculpa", "desculpe", "perdon", "actually"].contains(&first.folded.as_str())
        || CORRECTIONS.iter().any(|phrase| text.contains(phrase));
    let article =
        |word: &Word| ["o", "a", "os", "as", "el", "la", "los", "las"].contains(&word.folded.as_str());
    let joins = |word: &Word| ["de", "do", "da", "dos", "das", "del", "para"].contains(&word.folded.as_str());
    corrects || said.windows(2).any(|pair| article(&pair[0]) && joins(&pair[1]))
}

#[cfg(test)]
mod tests;
