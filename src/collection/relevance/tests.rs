use super::*;
use crate::embed::{Languages, Relevance};
use crate::index::Match;

fn model(languages: Languages, relevance: Option<Calibration>) -> ModelInfo {
    ModelInfo {
        name: "m".into(),
        fingerprint: "f".into(),
        dimensions: 2,
        window: 512,
        max_tokens: 510,
        languages,
        floor: None,
        relevance: Some(Relevance { calibration: relevance, anything: [1.0, 0.0].into() }),
        device: "none".into(),
    }
}

fn asked<'a>(model: Option<&'a ModelInfo>) -> Asked<'a> {
    let question = "Which code is in the manual for the pump?";
    Asked { question, model, floor: None, language: Some("en"), known: 1.0, weight: 2.0, chunks: 500 }
}

fn candidate(coverage: Option<f32>, cosine: Option<f32>, anything: Option<f32>) -> Candidate {
    let words =
        coverage.map(|coverage| Match { chunk: 1, score: 1.0, share: coverage, coverage, words: 0.0 });
    Candidate { words, cosine, anything }
}

fn is_shown(asked: &Asked<'_>, candidate: Candidate) -> bool {
    let mut judged = vec![Judge::of(asked).margin(&candidate)];
    keep_relevant(&mut judged, |margin| *margin);
    !judged.is_empty()
}

#[test]
fn a_cosine_counts_above_what_is_said_to_anything() {
    let e5 = model(Languages::Multilingual, Some(Calibration::E5_SMALL));
    let asked = asked(Some(&e5));
    for (coverage, cosine, anything, shown) in [
        // High, and no higher than to any question.
        (None, 0.85, 0.80, false),
        (None, 0.85, 0.73, true),
        // Words make up for it, by their share.
        (Some(1.0), 0.85, 0.80, true),
        (Some(0.1), 0.85, 0.80, false),
        (Some(0.5), 0.85, 0.79, true),
        (Some(1.0), 0.775, 0.78, false),
    ] {
        let hit = candidate(coverage, Some(cosine), Some(anything));
        assert_eq!(is_shown(&asked, hit), shown, "{hit:?}");
    }
}

#[test]
fn a_question_in_another_language_is_judged_without_its_words() {
    let e5 = model(Languages::Multilingual, Some(Calibration::E5_SMALL));
    let other = Asked { question: "Qual é o código da bomba no manual?", known: 0.1, ..asked(Some(&e5)) };
    assert!(is_shown(&other, candidate(None, Some(0.80), Some(0.77))));
    assert!(!is_shown(&asked(Some(&e5)), candidate(None, Some(0.80), Some(0.77))));
    assert!(!is_shown(&other, candidate(None, Some(0.775), Some(0.77))));
}

#[test]
fn words_decide_where_no_vector_does() {
    let minilm = model(Languages::Only(vec!["en".into()]), Some(Calibration::MINILM));
    let portuguese = Asked { language: Some("pt"), ..asked(Some(&minilm)) };
    for asked in [asked(None), portuguese] {
        for (coverage, shown) in [(Some(0.5), true), (Some(0.1), false), (None, false)] {
            assert_eq!(is_shown(&asked, candidate(coverage, Some(0.9), Some(0.1))), shown, "{coverage:?}");
        }
    }
    // Its vector is still to come.
    assert!(is_shown(&asked(Some(&minilm)), candidate(Some(0.5), None, None)));
}

#[test]
fn few_chunks_are_not_held_to_rare_words() {
    let few = Asked { chunks: 2, ..asked(None) };
    assert!(is_shown(&few, candidate(Some(0.1), None, None)));
    assert!(!is_shown(&few, candidate(None, None, None)));
}

#[test]
fn a_long_question_need_not_be_covered_whole() {
    let story = Asked { weight: 12.0, ..asked(None) };
    assert!(is_shown(&story, candidate(Some(0.15), None, None)));
    assert!(!is_shown(&asked(None), candidate(Some(0.15), None, None)));
    assert!(!is_shown(&story, candidate(Some(0.05), None, None)));
}

#[test]
fn a_floor_that_was_set_overrides() {
    let e5 = model(Languages::Multilingual, Some(Calibration::E5_SMALL));
    let floor = Asked { floor: Some(0.8), ..asked(Some(&e5)) };
    for (coverage, cosine, shown) in
        [(None, 0.81, true), (None, 0.79, false), (Some(0.01), 0.76, true), (Some(1.0), 0.74, false)]
    {
        assert_eq!(is_shown(&floor, candidate(coverage, Some(cosine), Some(cosine))), shown, "{cosine}");
    }
    for model in [Some(&e5), None] {
        let nothing_left_out = Asked { floor: Some(-1.0), ..asked(model) };
        assert!(is_shown(&nothing_left_out, candidate(None, Some(0.1), Some(0.9))));
    }
}

#[test]
fn a_model_that_was_not_measured_leaves_nothing_out() {
    let unknown = model(Languages::Multilingual, None);
    assert!(is_shown(&asked(Some(&unknown)), candidate(None, Some(0.1), None)));
}

#[test]
fn beside_a_good_passage_others_may_fall_short_a_little() {
    for (margins, kept) in [
        (vec![0.1, -0.1, -0.3], vec![0.1, -0.1]),
        (vec![-0.1, -0.05], vec![]),
        (vec![0.0, f32::NEG_INFINITY], vec![0.0]),
        (vec![f32::NAN], vec![]),
    ] {
        let mut judged = margins.clone();
        keep_relevant(&mut judged, |margin| *margin);
        assert_eq!(judged, kept, "{margins:?}");
    }
}
