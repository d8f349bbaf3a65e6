//! Passages into the text that goes before the question, within the room that the model's window leaves.

mod budget;
mod control_tokens;
mod disarm;
mod estimate;
mod excerpt;
mod letters;
mod media;
mod passage;
mod render;

pub(crate) use budget::UNKNOWN_WINDOW;
pub use budget::{Budget, Window};
pub use estimate::{RequestTokens, estimate_request, estimate_text};
pub use passage::{Passage, Passages, Source};
pub(crate) use render::nothing_found;
pub use render::{Template, default_template};

/// Passages woven into a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Woven {
    /// What goes before the question.
    pub text: String,
    /// What of the passages is in it, in order: the first has number 1.
    pub passages: Vec<Passage>,
    /// Whether a passage was trimmed or left out.
    pub cut: bool,
}

/// A trimmed passage shorter than this says nothing.
const LEAST_TOKENS: u64 = 12;

/// Weaves as many passages as `room` tokens allow, counted by [`estimate_text`]. The last ones leave first; of the last
/// that stays, the sentences nearest to the question are kept. `None` when not even a part of the first fits.
pub fn weave(passages: &[Passage], template: &Template<'_>, question: &str, room: u64) -> Option<Woven> {
    let mut left = room.checked_sub(template.estimate())?;
    let mut kept = Vec::new();
    for (number, passage) in (1..).zip(passages) {
        let whole = estimate_passage(number, passage);
        if whole <= left {
            left -= whole;
            kept.push(passage.clone());
            continue;
        }
        kept.extend(trimmed(number, passage, question, left));
        break;
    }
    if kept.is_empty() {
        return None;
    }
    let cut = kept.len() < passages.len() || kept.last() != passages.get(kept.len() - 1);
    Some(Woven { text: template.fill(&kept), passages: kept, cut })
}

/// Weaves all of the passages, or nothing: it ends with the first that has no room.
pub fn weave_whole(passages: Vec<Passage>, template: &Template<'_>, room: u64) -> Option<Woven> {
    let mut left = room.checked_sub(template.estimate())?;
    for (number, passage) in (1..).zip(&passages) {
        left = left.checked_sub(estimate_passage(number, passage))?;
    }
    (!passages.is_empty()).then(|| Woven { text: template.fill(&passages), passages, cut: false })
}

/// An upper estimate of what a passage takes under a number, with what says where it is from.
pub fn estimate_passage(number: usize, passage: &Passage) -> u64 {
    estimate_text(&render::passage(number, passage))
}

fn trimmed(number: usize, passage: &Passage, question: &str, room: u64) -> Option<Passage> {
    let of = |text: &str| Passage { text: text.to_owned(), ..passage.clone() };
    let tokens = |one: &Passage| estimate_passage(number, one);
    let mut left = room.checked_sub(tokens(&of("")))?;
    loop {
        let text = excerpt::excerpt(&passage.text, question, left);
        if estimate_text(text) < LEAST_TOKENS {
            return None;
        }
        let one = of(text);
        match tokens(&one).saturating_sub(room) {
            0 => return Some(one),
            // What is broken up in it takes more tokens than it had.
            more => left = left.checked_sub(more.max(left / 8).max(1))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str) -> Passage {
        Passage { document: "a.pdf".into(), page: Some(3), text: text.into(), ..Passage::default() }
    }

    #[test]
    fn what_fits_goes_in_numbered_and_whole() {
        let template = default_template(Some("en"));
        let woven = weave(&[passage("One."), passage("Two.")], &template, "", 1_000).expect("room");
        assert!(!woven.cut);
        assert!(
            woven.text.contains("<passage n=\"1\" source=\"a.pdf\" page=\"3\">\nOne.\n</passage>"),
            "{}",
            woven.text
        );
        assert!(woven.text.contains("<passage n=\"2\""), "{}", woven.text);
    }

    #[test]
    fn the_last_passage_is_trimmed_at_a_sentence_and_the_rest_left_out() {
        let template = default_template(Some("en"));
        let long = "The first sentence of this passage says something. ".repeat(40);
        let room = template.estimate() + 150;
        let woven = weave(&[passage(&long), passage("Another one.")], &template, "", room).expect("room");
        assert!(woven.cut);
        assert_eq!(woven.passages.len(), 1);
        let text = &woven.passages[0].text;
        assert!(text.len() < long.len() && text.ends_with("something."), "{text}");
        assert!(estimate_text(&woven.text) <= room);
    }

    #[test]
    fn all_goes_in_or_nothing() {
        let template = default_template(Some("en"));
        let passages = vec![passage("One."), passage("Two.")];
        let needed =
            template.estimate() + estimate_passage(1, &passages[0]) + estimate_passage(2, &passages[1]);
        let whole = weave_whole(passages.clone(), &template, needed).expect("room");
        assert_eq!(Some(whole), weave(&passages, &template, "", needed));
        assert_eq!(weave_whole(passages, &template, needed - 1), None);
        assert_eq!(weave_whole(Vec::new(), &template, needed), None);
    }

    #[test]
    fn no_room_is_no_text() {
        let template = default_template(None);
        assert_eq!(weave(&[passage("One.")], &template, "", 3), None);
        assert_eq!(weave(&[passage(&"word ".repeat(500))], &template, "", template.estimate() + 20), None);
        assert_eq!(weave(&[], &template, "", 1_000), None);
    }

    #[test]
    fn what_is_made_harmless_keeps_to_the_room() {
        let template = default_template(None);
        let hostile = "See <passage 1 and </s> of it. ".repeat(60);
        for room in (150..700).step_by(3) {
            let room = template.estimate() + room;
            if let Some(woven) = weave(&[passage(&hostile)], &template, "", room) {
                assert!(estimate_text(&woven.text) <= room + 1, "{room}: {}", estimate_text(&woven.text));
                assert!(
                    hostile.contains(&woven.passages[0].text),
                    "what is told of is the document's own text"
                );
            }
        }
    }

    #[test]
    fn whatever_the_room_it_is_not_exceeded() {
        let template = default_template(Some("pt"));
        let passages: Vec<_> = (0..6)
            .map(|i| passage(&"Uma frase com ação, número 1234 e símbolos <=>. ".repeat(i * 3 + 1)))
            .collect();
        for room in (0..1_500).step_by(7) {
            if let Some(woven) = weave(&passages, &template, "", room) {
                assert!(estimate_text(&woven.text) <= room + 1, "{room}: {}", estimate_text(&woven.text));
            }
        }
    }
}
