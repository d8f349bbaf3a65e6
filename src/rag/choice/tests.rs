use super::*;

/// A piece of a document's text.
fn piece(text: &str, start: usize, end: usize) -> NewChunk {
    NewChunk {
        text: text[start..end].to_owned(),
        page: Some(1),
        last_page: Some(1),
        headings: Vec::new(),
        start: start as u64,
        end: end as u64,
        tokens: 0,
    }
}

fn whole(text: &str) -> NewChunk {
    piece(text, 0, text.len())
}

/// A sentence of words of its own.
fn sentence(n: usize) -> String {
    let word = |k: usize| {
        format!("w{}x", "abcdefghij".chars().cycle().skip(n * 7 + k * 3).take(4 + k).collect::<String>())
    };
    (0..12).map(|k| format!("{}{n}", word(k))).collect::<Vec<_>>().join(" ")
}

fn chosen(hits: &[(DocumentKey, &NewChunk, f32)], wanted: Wanted) -> Choice {
    let hits: Vec<Candidate<'_>> = hits
        .iter()
        .map(|(document, chunk, score)| Candidate { document: *document, chunk, score: *score })
        .collect();
    choose("", &hits, wanted)
}

#[test]
fn each_hit_is_a_passage_and_the_best_come_first() {
    let chunks: Vec<NewChunk> = (0..5).map(|n| whole(&sentence(n))).collect();
    let hits: Vec<_> = chunks.iter().zip(1..).map(|(chunk, n)| (n, chunk, 1.0 - n as f32 / 10.0)).collect();
    let choice = chosen(&hits, Wanted::Exactly(3));
    assert_eq!(choice.passages, [[0], [1], [2]]);
    assert_eq!(choice.considered, Considered { found: 5, beyond: 2, ..Considered::default() });
    assert!(!choice.is_short);
    let choice = chosen(&hits, Wanted::Exactly(9));
    assert_eq!((choice.passages.len(), choice.is_short), (5, true));
    assert_eq!(chosen(&[], Wanted::Exactly(1)).passages, Vec::<Vec<usize>>::new());
}

#[test]
fn copies_make_room_for_others_and_the_newest_of_equals_stays() {
    let (text, other) = (whole(&sentence(1)), whole(&sentence(2)));
    let hits = [(4, &text, 0.9), (9, &text, 0.9), (2, &text, 0.89), (1, &other, 0.2)];
    let choice = chosen(&hits, Wanted::Exactly(2));
    assert_eq!(choice.passages, [[1], [3]]);
    assert_eq!(choice.considered, Considered { found: 4, copies: 2, ..Considered::default() });
    // A newer one that stands far behind, as under another heading, is no better.
    assert_eq!(chosen(&[(4, &text, 0.9), (9, &text, 0.5)], Wanted::Exactly(2)).passages, [[0]]);
}

#[test]
fn neighbours_are_one_passage_in_the_order_of_the_document() {
    let text = (0..6).map(sentence).collect::<Vec<_>>().join("\n\n");
    let at = |n: usize| text.find(&sentence(n)).expect("a sentence");
    let end = |n: usize| at(n) + sentence(n).len();
    let (first, second, third) =
        (piece(&text, at(0), end(1)), piece(&text, at(1), end(2)), piece(&text, at(3), end(3)));
    let last = piece(&text, at(5), end(5));
    let other = whole(&sentence(9));
    let hits = [(1, &third, 0.9), (2, &other, 0.8), (1, &first, 0.7), (1, &last, 0.6), (1, &second, 0.5)];
    let choice = chosen(&hits, Wanted::Exactly(5));
    // The second connects the first and the third, which is the best.
    assert_eq!(choice.passages, [vec![2, 4, 0], vec![1], vec![3]]);
    assert_eq!(choice.considered, Considered { found: 5, joined: 2, ..Considered::default() });
    // The same offsets in another document, another section, another page.
    assert_eq!(chosen(&[(1, &first, 0.9), (2, &second, 0.8)], Wanted::Exactly(5)).passages, [[0], [1]]);
    let mut section = second.clone();
    section.headings = vec!["A section".to_owned()];
    assert_eq!(chosen(&[(1, &section, 0.9), (1, &third, 0.8)], Wanted::Exactly(5)).passages, [[0], [1]]);
    assert_eq!(chosen(&[(1, &first, 0.9), (1, &section, 0.8)], Wanted::Exactly(5)).passages, [[0, 1]]);
    let mut page = third.clone();
    (page.page, page.last_page) = (Some(2), Some(2));
    assert_eq!(chosen(&[(1, &second, 0.9), (1, &page, 0.8)], Wanted::Exactly(5)).passages, [[0], [1]]);
}

#[test]
fn a_passage_does_not_grow_without_end() {
    let text = (0..90).map(sentence).collect::<Vec<_>>().join("\n\n");
    let mut chunks = Vec::new();
    for n in (0..90).step_by(10) {
        let (start, last) = (text.find(&sentence(n)).expect("a sentence"), sentence(n + 9));
        chunks.push(piece(&text, start, text.find(&last).expect("a sentence") + last.len()));
    }
    let hits: Vec<_> = chunks.iter().zip(1..).map(|(chunk, n)| (1, chunk, 1.0 / n as f32)).collect();
    let choice = chosen(&hits, Wanted::Exactly(9));
    assert!(choice.passages.len() > 1 && choice.passages.iter().map(Vec::len).sum::<usize>() == 9);
    for hits in &choice.passages {
        let bytes = hits.iter().map(|hit| chunks[*hit].text.len()).sum::<usize>();
        assert!(bytes <= LONGEST_JOINED && hits.is_sorted(), "{hits:?}");
    }
}

#[test]
fn a_document_leaves_room_for_others_unless_they_are_much_worse() {
    let chunks: Vec<NewChunk> = (0..8)
        .map(|n| NewChunk { start: 1_000 * n as u64, end: 1_000 * n as u64 + 100, ..whole(&sentence(n)) })
        .collect();
    let scores = [0.9, 0.88, 0.86, 0.84, 0.82, 0.8];
    let with = |other: f32| {
        let mut hits: Vec<_> = chunks.iter().zip(scores).map(|(chunk, score)| (1, chunk, score)).collect();
        hits.extend([(2, &chunks[6], other), (3, &chunks[7], other)]);
        chosen(&hits, Wanted::Exactly(4)).passages
    };
    assert_eq!(with(0.7), [[0], [1], [6], [7]]);
    assert_eq!(with(0.5), [[0], [1], [2], [3]]);
}

#[test]
fn texts_of_one_pattern_leave_room_for_others() {
    let pattern = |n: usize| whole(&format!("{} {n}", sentence(1)));
    let (forms, other): (Vec<NewChunk>, _) = ((0..6).map(pattern).collect(), whole(&sentence(2)));
    let mut hits: Vec<_> = forms.iter().zip(1..).map(|(chunk, n)| (n, chunk, 0.9)).collect();
    hits.push((9, &other, 0.7));
    assert_eq!(chosen(&hits, Wanted::Exactly(4)).passages, [[0], [1], [6], [2]]);
}

fn asked(question: &str, hits: &[(&str, f32)], wanted: Wanted) -> Choice {
    let chunks: Vec<NewChunk> = hits.iter().map(|(text, _)| whole(text)).collect();
    let hits: Vec<_> = (1..)
        .zip(&chunks)
        .zip(hits)
        .map(|((n, chunk), (_, score))| Candidate { document: n, chunk, score: *score })
        .collect();
    choose(question, &hits, wanted)
}

const ENROLMENT: &str = "A matrícula é feita em fevereiro. O prazo de matrícula é de dez dias.";
const RENEWAL: &str = "A renovação da matrícula segue o calendário da secretaria.";
const DIPLOMA: &str = "A segunda via do diploma custa noventa reais.";
const LIBRARY: &str = "A biblioteca abre cedo e fecha tarde.";

#[test]
fn it_ends_where_the_next_adds_little() {
    let hits = [(ENROLMENT, 0.9), (RENEWAL, 0.4), (DIPLOMA, 0.3), (LIBRARY, 0.3)];
    let choice = asked("Qual é o prazo de matrícula?", &hits, Wanted::AtMost(8));
    assert_eq!(choice.passages, [[0]]);
    assert_eq!(choice.considered, Considered { found: 4, adds_little: 3, ..Considered::default() });
    assert!(!choice.is_short);
    // So many were asked for.
    assert_eq!(asked("Qual é o prazo de matrícula?", &hits, Wanted::Exactly(3)).passages, [[0], [1], [2]]);
    // None stands out.
    let alike = [(ENROLMENT, 0.5), (RENEWAL, 0.5), (DIPLOMA, 0.45), (LIBRARY, 0.4)];
    assert_eq!(asked("xyz?", &alike, Wanted::AtMost(8)).passages.len(), 4);
}

#[test]
fn what_answers_another_part_of_the_question_is_kept() {
    let hits = [(ENROLMENT, 0.9), (RENEWAL, 0.45), (DIPLOMA, 0.42), (LIBRARY, 0.4)];
    let question = "Qual é o prazo de matrícula, e quanto custa a segunda via do diploma?";
    assert_eq!(asked(question, &hits, Wanted::AtMost(8)).passages, [[0], [2]]);
    // Far behind it is no answer, whatever words it has.
    let far = [(ENROLMENT, 0.9), (DIPLOMA, 0.1)];
    assert_eq!(asked(question, &far, Wanted::AtMost(8)).passages, [[0]]);
}

#[test]
fn of_two_as_good_the_one_that_says_it_in_one_sentence_comes_first() {
    let scattered = "O prazo é longo. Há recursos. A matrícula custa pouco. Isto é tudo.";
    let choice = asked("prazo de matrícula", &[(scattered, 0.9), (ENROLMENT, 0.88)], Wanted::AtMost(8));
    assert_eq!(choice.passages, [[1], [0]]);
    // Behind a letter of more words than are looked for.
    let letter = (0..8).map(sentence).collect::<Vec<_>>().join(" ");
    let question = format!("{letter}. Qual é o prazo de matrícula?");
    let choice = asked(&question, &[(scattered, 0.9), (ENROLMENT, 0.88)], Wanted::AtMost(8));
    assert_eq!(choice.passages, [[1], [0]]);
}

#[test]
fn nothing_breaks_on_scores_and_texts_that_say_nothing() {
    for score in [0.0, -1.0, f32::NAN] {
        let choice = asked("?", &[("", score), ("...", score)], Wanted::AtMost(8));
        assert_eq!(choice.considered.found, 2, "{score}");
    }
}
