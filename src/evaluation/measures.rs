//! What a ranking of documents is worth, as trec_eval counts it: gains are the grades, and a rank costs the logarithm to
//! base 2 of the rank plus 1.

use serde::{Deserialize, Serialize};

use super::dataset::Grades;

/// Of one ranking, or the mean of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    #[serde(rename = "ndcg@10")]
    pub ndcg_10: f64,
    #[serde(rename = "mrr@10")]
    pub mrr_10: f64,
    #[serde(rename = "recall@10")]
    pub recall_10: f64,
    #[serde(rename = "recall@100")]
    pub recall_100: f64,
}

/// A measure, by its name.
pub type Measure = (&'static str, fn(&Measures) -> f64);

impl Measures {
    /// All of them.
    pub const ALL: [Measure; 4] = [
        ("nDCG@10", |measures| measures.ndcg_10),
        ("MRR@10", |measures| measures.mrr_10),
        ("recall@10", |measures| measures.recall_10),
        ("recall@100", |measures| measures.recall_100),
    ];

    /// Measures documents, best first and each once, against grades of which one at least is above 0.
    pub fn of(ranked: &[&str], grades: &Grades) -> Self {
        let gain = |document: &&str| grades.get(*document).copied().unwrap_or(0.0).max(0.0);
        let mut ideal: Vec<f64> = grades.values().copied().filter(|grade| *grade > 0.0).collect();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let recall = |depth: usize| {
            let found = ranked.iter().take(depth).filter(|document| gain(document) > 0.0).count();
            found as f64 / ideal.len() as f64
        };
        let first = first_relevant(ranked, grades);
        Self {
            ndcg_10: discounted(ranked.iter().map(gain)) / discounted(ideal.iter().copied()),
            mrr_10: first.filter(|rank| *rank <= 10).map_or(0.0, |rank| 1.0 / rank as f64),
            recall_10: recall(10),
            recall_100: recall(100),
        }
    }

    /// The mean of many; all 0 for none.
    pub fn mean(all: impl IntoIterator<Item = Self>) -> Self {
        let (mut sum, mut count) = (Self::default(), 0usize);
        for one in all {
            sum.ndcg_10 += one.ndcg_10;
            sum.mrr_10 += one.mrr_10;
            sum.recall_10 += one.recall_10;
            sum.recall_100 += one.recall_100;
            count += 1;
        }
        let of = |sum: f64| sum / count.max(1) as f64;
        Self {
            ndcg_10: of(sum.ndcg_10),
            mrr_10: of(sum.mrr_10),
            recall_10: of(sum.recall_10),
            recall_100: of(sum.recall_100),
        }
    }
}

/// The rank of the first relevant document, from 1.
pub fn first_relevant(ranked: &[&str], grades: &Grades) -> Option<usize> {
    let relevant = |document: &&str| grades.get(*document).is_some_and(|grade| *grade > 0.0);
    ranked.iter().position(relevant).map(|at| at + 1)
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    gains.take(10).zip(2u32..).map(|(gain, rank)| gain / f64::from(rank).log2()).sum()
}

/// The value that this share of the values does not exceed; 0 for none.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (share * values.len() as f64).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(of: &[(&str, f64)]) -> Grades {
        of.iter().map(|(id, grade)| ((*id).to_owned(), *grade)).collect()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
    }

    /// By hand: DCG = 1/log2(3) + 2/log2(5) = .6309 + .8614 = 1.4923; ideal = 2/log2(2) + 1/log2(3) + 1/log2(4) = 3.1309.
    #[test]
    fn measures_are_those_computed_by_hand() {
        let grades = grades(&[("a", 1.0), ("b", 2.0), ("c", 1.0), ("zero", 0.0), ("minus", -1.0)]);
        let measures = Measures::of(&["zero", "a", "x", "b", "minus"], &grades);
        close(measures.ndcg_10, 1.4923 / 3.1309);
        close(measures.mrr_10, 0.5);
        close(measures.recall_10, 2.0 / 3.0);
        close(measures.recall_100, 2.0 / 3.0);
    }

    #[test]
    fn what_stands_behind_a_measures_depth_does_not_count() {
        let grades = grades(&[("a", 1.0)]);
        let mut ranked = vec!["x"; 10];
        ranked.push("a");
        let measures = Measures::of(&ranked, &grades);
        assert_eq!(measures, Measures { recall_100: 1.0, ..Measures::default() });
        assert_eq!(first_relevant(&ranked, &grades), Some(11));
        assert_eq!(Measures::of(&[], &grades), Measures::default());
        let perfect = Measures { ndcg_10: 1.0, mrr_10: 1.0, recall_10: 1.0, recall_100: 1.0 };
        assert_eq!(Measures::of(&["a"], &grades), perfect);
        assert_eq!(Measures::mean([perfect, Measures::default()]).mrr_10, 0.5);
        assert_eq!(Measures::mean([]), Measures::default());
    }

    /// More relevant documents than ten: the ideal ends there too.
    #[test]
    fn the_ideal_has_ten_places() {
        let many: Grades = (0..20).map(|n| (format!("d{n:02}"), 1.0)).collect();
        let ranked: Vec<&str> = many.keys().map(String::as_str).take(10).collect();
        let measures = Measures::of(&ranked, &many);
        close(measures.ndcg_10, 1.0);
        close(measures.recall_10, 0.5);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&mut values, share)), [50.0, 99.0, 100.0]);
        assert_eq!((quantile(&mut [7.0], 0.5), quantile(&mut [], 0.5)), (7.0, 0.0));
    }
}
