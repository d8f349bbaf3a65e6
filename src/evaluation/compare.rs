//! What changed since an earlier run: the difference of each measure over the questions of both, with the range in which
//! it lies for 95 of 100 draws of as many questions from them (a paired bootstrap), and the questions that got worse most.

use std::collections::HashMap;
use std::fmt::Write;

use super::measures::{Measure, Measures};
use super::ranking::Ranking;
use super::report::{Asked, FORMAT, Outcome, Report};
use super::table::aligned;

/// Draws of the bootstrap.
const DRAWS: usize = 10_000;
/// What is drawn is always the same.
const SEED: u64 = 13;
/// Questions that are listed.
const LISTED: usize = 10;
/// Bytes of a question that are shown.
const SHOWN: usize = 70;

/// A difference that is no rounding.
const LEAST: f64 = 1e-9;

/// A value of each question, in both runs.
type Pairs = Vec<(f64, f64)>;

/// Compares a run with an earlier one, as text.
pub fn compare(earlier: &Report, now: &Report) -> String {
    let mut text = format!("compared with {} of {}", earlier.dataset.name, earlier.version);
    let mut said = Vec::new();
    if earlier.format != FORMAT {
        said.push(format!("its format is {}, ours {FORMAT}", earlier.format));
    }
    if earlier.settings != now.settings {
        said.push(format!("its settings differ: {}", differing(earlier, now)));
    }
    let before: HashMap<&str, &Asked> =
        earlier.questions.iter().map(|asked| (asked.id.as_str(), asked)).collect();
    let both: Vec<(&Asked, &Asked)> =
        now.questions.iter().filter_map(|asked| Some((*before.get(asked.id.as_str())?, asked))).collect();
    let _ = write!(text, ", over the {} questions of both", both.len());
    for said in said {
        let _ = write!(text, "\n  {said}");
    }
    text.push('\n');
    let mut rows = Rows::default();
    for ranking in now.rankings.keys() {
        for (name, value) in Measures::ALL {
            let pairs = pairs(&both, *ranking, |outcome| outcome.measures.as_ref().map(value));
            rows.add(&format!("{ranking} {name}"), &pairs);
        }
        let found = pairs(&both, *ranking, |outcome| {
            let prompt = outcome.prompt.as_ref().filter(|prompt| prompt.has_answers)?;
            Some(f64::from(u8::from(prompt.read.until_answer.is_some())))
        });
        rows.add(&format!("{ranking} answer in the prompt"), &found);
        let tokens = pairs(&both, *ranking, |outcome| Some(outcome.prompt.as_ref()?.read.tokens as f64));
        rows.add(&format!("{ranking} tokens"), &tokens);
        let empty = pairs(&both, *ranking, |outcome| {
            Some(f64::from(u8::from(outcome.prompt.as_ref()?.status == "empty")))
        });
        rows.add(&format!("{ranking} empty"), &empty);
        let ms = pairs(&both, *ranking, |outcome| Some(outcome.prompt.as_ref()?.ms));
        rows.add(&format!("{ranking} ms"), &ms);
    }
    text.push_str(&rows.text());
    if let Some(ranking) = now.rankings.keys().next_back() {
        text.push_str(&worst(&both, *ranking));
    }
    text
}

fn differing(earlier: &Report, now: &Report) -> String {
    let (a, b) = (&earlier.settings, &now.settings);
    let model = |settings: &super::report::Settings| {
        settings.embedding_model.as_ref().map_or("none".to_owned(), |model| model.name.clone())
    };
    let mut all = Vec::new();
    let mut add = |name: &str, a: String, b: String| {
        if a != b {
            all.push(format!("{name} {a} then, {b} now"));
        }
    };
    add("model", model(a), model(b));
    let reranker = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
    add("reranker", reranker(&a.reranker), reranker(&b.reranker));
    add("passages", a.passages.to_string(), b.passages.to_string());
    add("window", a.window.to_string(), b.window.to_string());
    if all.is_empty() {
        "the same model with other vectors, or another time-out".to_owned()
    } else {
        all.join("; ")
    }
}

/// A value of each question that has one in both runs.
fn pairs(both: &[(&Asked, &Asked)], ranking: Ranking, value: impl Fn(&Outcome) -> Option<f64>) -> Pairs {
    let of = |asked: &Asked| asked.rankings.get(&ranking).and_then(&value);
    both.iter().filter_map(|(before, after)| Some((of(before)?, of(after)?))).collect()
}

/// The table, and what did not change.
#[derive(Default)]
struct Rows {
    changed: Vec<Vec<String>>,
    unchanged: Vec<String>,
}

impl Rows {
    /// Compares the values of a measure, if there are any.
    fn add(&mut self, name: &str, pairs: &Pairs) {
        let mean = |value: fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / pairs.len() as f64;
        let changes: Vec<f64> = pairs.iter().map(|(before, after)| after - before).collect();
        let up = changes.iter().filter(|change| **change > LEAST).count();
        let down = changes.iter().filter(|change| **change < -LEAST).count();
        if up + down == 0 {
            self.unchanged.extend((!pairs.is_empty()).then(|| name.to_owned()));
            return;
        }
        let (before, after) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let (low, high) = interval(&changes);
        self.changed.push(vec![
            name.to_owned(),
            format!("{before:.4}"),
            format!("{after:.4}"),
            format!("{:+.4}", after - before),
            format!("{low:+.4} .. {high:+.4}"),
            format!("{up} / {down}"),
        ]);
    }

    fn text(mut self) -> String {
        let mut text = String::new();
        if !self.changed.is_empty() {
            let names = ["", "earlier", "now", "difference", "95 % of draws", "up / down"];
            self.changed.insert(0, names.map(str::to_owned).to_vec());
            let _ = write!(text, "\n{}", aligned(&self.changed));
        }
        if !self.unchanged.is_empty() {
            let _ = writeln!(text, "\nunchanged: {}", self.unchanged.join(", "));
        }
        text
    }
}

/// Where the mean lies in 95 of 100 draws of as many changes, with repetition.
fn interval(changes: &[f64]) -> (f64, f64) {
    // Most questions do not change: they are drawn by their number, and the others one by one.
    let moved: Vec<f64> = changes.iter().copied().filter(|change| change.abs() > LEAST).collect();
    if moved.is_empty() {
        return (0.0, 0.0);
    }
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..changes.len()).map(|_| moved.get(random.usize(..changes.len())).copied());
            drawn.flatten().sum::<f64>() / changes.len() as f64
        })
        .collect();
    let mut at = |share| super::measures::quantile(&mut means, share);
    (at(0.025), at(0.975))
}

/// The questions that got worse most by one ranking, with the ranks of their first relevant documents, and those whose
/// answer is no longer in the prompt.
fn worst(both: &[(&Asked, &Asked)], ranking: Ranking) -> String {
    let (name, value): Measure = Measures::ALL[0];
    let mut all: Vec<(f64, &Outcome, &Outcome, &Asked)> = both
        .iter()
        .filter_map(|(before, after)| {
            let (one, other) = (before.rankings.get(&ranking)?, after.rankings.get(&ranking)?);
            let change = value(other.measures.as_ref()?) - value(one.measures.as_ref()?);
            (change < -LEAST).then_some((change, one, other, *after))
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = String::new();
    if !all.is_empty() {
        let _ = writeln!(text, "\nworse by {name}, {ranking}:");
    }
    let rank = |outcome: &Outcome| outcome.first.map_or("-".to_owned(), |rank| rank.to_string());
    for (change, before, after, asked) in all.iter().take(LISTED) {
        let ranks = format!("rank {} -> {}", rank(before), rank(after));
        let _ = writeln!(text, "  {change:+.4}  {ranks:<16}  {}  {}", asked.id, shown(asked));
    }
    let until = |asked: &Asked| asked.rankings.get(&ranking)?.prompt.as_ref()?.read.until_answer;
    let lost: Vec<_> =
        both.iter().filter(|(before, after)| until(before).is_some() && until(after).is_none()).collect();
    if !lost.is_empty() {
        let _ = writeln!(text, "\nanswers that are no longer in the prompt, {ranking}: {}", lost.len());
    }
    for (before, after) in lost.iter().take(LISTED) {
        let tokens = until(before).unwrap_or_default();
        let _ = writeln!(text, "  after {tokens} tokens before  {}  {}", after.id, shown(after));
    }
    text
}

fn shown(asked: &Asked) -> String {
    let line = crate::words::one_line(&asked.text);
    let beginning = crate::words::beginning(&line, SHOWN);
    if beginning.len() < line.len() { format!("{beginning}...") } else { line }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::report::Summary;
    use super::*;

    fn report(values: &[(&str, f64)]) -> Report {
        let asked = |(id, ndcg_10): &(&str, f64)| {
            let measures = Some(Measures { ndcg_10: *ndcg_10, ..Measures::default() });
            let outcome = Outcome { measures, first: Some(2), ..Outcome::default() };
            let rankings = BTreeMap::from([(Ranking::Fused, outcome)]);
            Asked { id: (*id).into(), text: format!("what is {id}?"), relevant: Vec::new(), rankings }
        };
        Report {
            format: FORMAT,
            version: "0".into(),
            created_at: 0,
            dataset: Default::default(),
            settings: Default::default(),
            oddities: Default::default(),
            rankings: BTreeMap::from([(Ranking::Fused, Summary::default())]),
            questions: values.iter().map(asked).collect(),
        }
    }

    #[test]
    fn only_questions_of_both_runs_are_compared_and_the_worst_come_first() {
        let earlier = report(&[("a", 1.0), ("b", 0.5), ("c", 0.5), ("gone", 0.0)]);
        let now = report(&[("new", 1.0), ("a", 0.5), ("b", 0.25), ("c", 1.0)]);
        let text = compare(&earlier, &now);
        assert!(text.contains("over the 3 questions of both"), "{text}");
        assert!(text.contains("0.6667  0.5833     -0.0833"), "{text}");
        assert!(text.contains("1 / 2") && text.contains("unchanged: fused MRR@10, "), "{text}");
        let worse: Vec<_> = text.lines().filter(|line| line.contains("rank 2")).collect();
        assert_eq!(worse.len(), 2, "{text}");
        assert!(worse[0].contains("-0.5000") && worse[0].ends_with("what is a?"), "{text}");
    }

    #[test]
    fn what_did_not_change_has_no_range() {
        assert_eq!(interval(&[0.0; 50]), (0.0, 0.0));
        // The mean of 400 values of -1 and 1 has a standard error of 1/20.
        let changes: Vec<f64> = (0..400).map(|n| f64::from(n % 2) * 2.0 - 1.0).collect();
        let (low, high) = interval(&changes);
        assert!((low + 0.098).abs() < 0.01 && (high - 0.098).abs() < 0.01, "{low} {high}");
    }
}
