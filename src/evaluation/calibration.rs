//! What tells a model's passages that are about a question: measured on datasets, each asked its own questions, those of the
//! others, and general ones.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::dataset::Dataset;
use super::error::EvaluationError;
use super::progress::Progress;
use super::subject::Subject;
use super::unrelated::UNRELATED;
use crate::app::App;
use crate::collection::{Query, Scope, search};
use crate::embed::Calibration;
use crate::words::is_in;

/// Hits of a question that are looked at: the best by words and by meaning are among them.
const DEPTH: usize = 20;
/// Rankings are measured, not their haste.
const PATIENCE: Duration = Duration::from_secs(120);
/// The share of a set's own questions that may be lost.
const LOST: f32 = 0.005;
/// What all of a question's words can be worth, in steps of what its own passage is usually lifted above others.
const WORTHS: [f32; 7] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0];

/// Lift and covered share of the words, of each hit of a question.
type Hits = Vec<(f32, f32)>;

/// A question that was asked of one of the sets.
struct Asked {
    set: usize,
    /// Whether the set's documents answer it.
    is_own: bool,
    /// Whether it is in the documents' language.
    in_language: bool,
    hits: Hits,
}

impl Asked {
    /// The best lift, with so much for all words.
    fn best(&self, worth: f32) -> f32 {
        self.hits.iter().map(|(lift, covered)| lift + worth * covered).fold(f32::NEG_INFINITY, f32::max)
    }

    fn is_told(&self, calibration: &Calibration) -> bool {
        match self.in_language {
            true => self.best(calibration.without_words - calibration.with_words) < calibration.without_words,
            false => self.best(0.0) < calibration.other_language,
        }
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Calibrated {
    pub calibration: Calibration,
    /// For people: what it tells and loses, by set.
    pub table: String,
}

/// Asks every set its own questions and all others, and chooses the thresholds under which few of its own lie.
pub async fn calibrate(
    app: &App,
    sets: &[(Dataset, Subject)],
    progress: Progress<'_>,
) -> Result<Calibrated, EvaluationError> {
    let mut asked = Vec::new();
    let questions = |(dataset, _): &(Dataset, Subject)| dataset.questions.len();
    let all = sets.len() * (sets.iter().map(questions).sum::<usize>() + UNRELATED.len());
    for (number, (_, subject)) in sets.iter().enumerate() {
        for (other, (dataset, _)) in sets.iter().enumerate() {
            for question in &dataset.questions {
                progress("asking", asked.len(), all);
                asked.push(ask(app, subject, number, &question.text, other == number).await?);
            }
        }
        for question in UNRELATED {
            progress("asking", asked.len(), all);
            asked.push(ask(app, subject, number, question, false).await?);
        }
    }
    if asked.iter().all(|asked| asked.hits.is_empty()) {
        return Err(EvaluationError::NothingToCalibrate);
    }
    let calibration = fit(asked.iter());
    let names: Vec<&str> = sets.iter().map(|(dataset, _)| dataset.name.as_str()).collect();
    Ok(Calibrated { calibration, table: table(&names, &asked, &calibration) })
}

async fn ask(
    app: &App,
    subject: &Subject,
    set: usize,
    question: &str,
    is_own: bool,
) -> Result<Asked, EvaluationError> {
    let scope = Scope { collection: subject.collection.clone(), documents: None };
    let query = Query {
        texts: &[question],
        limit: DEPTH,
        deadline: Instant::now() + PATIENCE,
        floor: crate::collection::Floor::None,
        threshold: None,
        dense_weight: None,
        rerank: false,
    };
    let found = search(&app.catalog, &[scope], query).await?;
    let hits: Hits =
        found.hits.iter().filter_map(|hit| Some((hit.lift?, hit.coverage.unwrap_or_default()))).collect();
    let covered = hits.iter().map(|(_, covered)| *covered).fold(0.0, f32::max);
    let language = subject.collection.language();
    let in_language = language.is_none_or(|language| is_in(question, &language, covered));
    Ok(Asked { set, is_own, in_language, hits })
}

/// The thresholds under which [`LOST`] of the own questions lie, and with the worth of words that tells most of the others.
fn fit<'a>(asked: impl Iterator<Item = &'a Asked> + Clone) -> Calibration {
    let own = |in_language| asked.clone().filter(move |a| a.is_own && a.in_language == in_language);
    let others = || asked.clone().filter(|a| !a.is_own && a.in_language);
    let usual = |best: Vec<f32>| quantile(best, 0.5).unwrap_or_default();
    let bests = |asked: &mut dyn Iterator<Item = &'a Asked>, worth| asked.map(|a| a.best(worth)).collect();
    let above = usual(bests(&mut own(true), 0.0)) - usual(bests(&mut others(), 0.0));
    let candidates = WORTHS.map(|times| {
        let worth = (times * above).max(0.01);
        let least = quantile(bests(&mut own(true), worth), LOST).unwrap_or_default();
        (others().filter(|other| other.best(worth) < least).count(), worth, least)
    });
    let (_, worth, least) = candidates
        .into_iter()
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .unwrap_or_default();
    let rounded = |lift: f32| (lift * 1000.0).floor() / 1000.0;
    let (without_words, with_words) = (rounded(least), rounded(least - worth));
    // Where no set is asked in another language, as low as what all words make up for.
    let other_language = quantile(bests(&mut own(false), 0.0), LOST).map_or(with_words, rounded);
    Calibration { without_words, with_words, other_language }
}

fn quantile(mut values: Vec<f32>, share: f32) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get((values.len() as f32 * share) as usize).copied()
}

/// A line for each set, and one for all of them, judged by thresholds from the others.
fn table(names: &[&str], asked: &[Asked], calibration: &Calibration) -> String {
    let mut table = format!("{:32} {:>10} {:>10}\n", "asked of", "own lost", "others told");
    let mut line = |name: &str, told: &[(bool, bool)]| {
        let share = |own: bool| {
            let told: Vec<bool> =
                told.iter().filter(|(is_own, _)| *is_own == own).map(|(_, told)| *told).collect();
            match told.len() {
                0 => "-".to_owned(),
                all => {
                    format!("{:.1} %", 100.0 * told.iter().filter(|told| **told).count() as f64 / all as f64)
                }
            }
        };
        // Writing into a string cannot fail.
        let _ = writeln!(table, "{name:32} {:>10} {:>10}", share(true), share(false));
    };
    let judged = |asked: &Asked, by: &Calibration| (asked.is_own, asked.is_told(by));
    let mut by_others = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let of_it = || asked.iter().filter(|asked| asked.set == number);
        line(name, &of_it().map(|asked| judged(asked, calibration)).collect::<Vec<_>>());
        let of_others = fit(asked.iter().filter(|asked| asked.set != number));
        by_others.extend(of_it().map(|asked| judged(asked, &of_others)));
    }
    if names.len() > 1 {
        line("all, by thresholds from others", &by_others);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Own questions are lifted by .2 or have the words; others by .1 and have a few.
    fn asked() -> Vec<Asked> {
        let one = |n: usize| {
            let (set, is_own, noise) = (n % 2, n % 4 < 2, n as f32 / 20_000.0);
            let hits = match (is_own, n % 8 < 4) {
                (true, true) => vec![(0.25 + noise, 0.2), (0.0, 0.0)],
                (true, false) => vec![(0.12 + noise, 0.9)],
                (false, _) => vec![(0.1 + noise, 0.2), (0.05, 0.4)],
            };
            Asked { set, is_own, in_language: true, hits }
        };
        (0..800).map(one).collect()
    }

    #[test]
    fn thresholds_part_own_questions_from_others() {
        let asked = asked();
        let calibration = fit(asked.iter());
        assert_eq!(calibration.problem(), None, "{calibration:?}");
        let wrong = asked.iter().filter(|asked| asked.is_own == asked.is_told(&calibration)).count();
        assert!(wrong <= 8, "{wrong} with {calibration:?}");
        assert_eq!(calibration.other_language, calibration.with_words);
        let table = table(&["a", "b"], &asked, &calibration);
        assert_eq!(table.lines().count(), 4, "{table}");
    }

    #[test]
    fn questions_in_another_language_have_a_threshold_of_their_own() {
        let mut asked = asked();
        asked.extend((0..200).map(|n| Asked {
            set: 0,
            is_own: true,
            in_language: false,
            hits: vec![(0.05 + n as f32 / 1_000.0, 0.0)],
        }));
        assert!((fit(asked.iter()).other_language - 0.05).abs() < 0.002);
    }
}
