//! Many questions as one line.

use std::collections::BTreeMap;

use super::measures::{Measures, quantile};
use super::report::{AnswersRead, Milliseconds, Outcome, Prompt, Prompts, Summary, WITHIN};

/// Sums up what one ranking made of all questions.
pub fn summary<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Summary {
    let measured: Vec<Measures> = outcomes.clone().filter_map(|outcome| outcome.measures).collect();
    let prompts: Vec<&Prompt> = outcomes.filter_map(|outcome| outcome.prompt.as_ref()).collect();
    Summary {
        measures: (!measured.is_empty()).then(|| Measures::mean(measured)),
        prompts: (!prompts.is_empty()).then(|| of_prompts(&prompts)),
    }
}

fn of_prompts(prompts: &[&Prompt]) -> Prompts {
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let mut stages: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for prompt in prompts {
        *statuses.entry(prompt.status.clone()).or_default() += 1;
        for (stage, ms) in &prompt.stages_ms {
            stages.entry(stage.clone()).or_default().push(*ms);
        }
    }
    let full: Vec<&&Prompt> = prompts.iter().filter(|prompt| prompt.read.passages > 0).collect();
    let answered: Vec<Option<u64>> =
        prompts.iter().filter(|prompt| prompt.has_answers).map(|prompt| prompt.read.until_answer).collect();
    let mut ms: Vec<f64> = prompts.iter().map(|prompt| prompt.ms).collect();
    Prompts {
        statuses,
        passages: mean(full.iter().map(|prompt| prompt.read.passages as f64)),
        tokens: mean(full.iter().map(|prompt| prompt.read.tokens as f64)),
        answers: (!answered.is_empty()).then(|| answers(&answered)),
        ms: Milliseconds { p50: quantile(&mut ms, 0.5), p99: quantile(&mut ms, 0.99) },
        stages_ms: stages.into_iter().map(|(stage, mut ms)| (stage, quantile(&mut ms, 0.5))).collect(),
    }
}

fn answers(until: &[Option<u64>]) -> AnswersRead {
    let found = || until.iter().flatten();
    let share = |count: usize| count as f64 / until.len() as f64;
    let within = |most: u64| (most, share(found().filter(|tokens| **tokens <= most).count()));
    AnswersRead {
        share: share(found().count()),
        tokens_until: mean(found().map(|tokens| *tokens as f64)),
        within: WITHIN.into_iter().map(within).collect(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::answers::Read;
    use super::*;

    fn outcome(status: &str, passages: usize, until_answer: Option<u64>, ndcg_10: Option<f64>) -> Outcome {
        let read = Read { passages, tokens: 100 * passages as u64, until_answer };
        let prompt = Prompt {
            status: status.into(),
            ms: passages as f64,
            stages_ms: BTreeMap::from([("lexical".to_owned(), 0.5)]),
            has_answers: true,
            read,
        };
        let measures = ndcg_10.map(|ndcg_10| Measures { ndcg_10, ..Measures::default() });
        Outcome { measures, prompt: Some(prompt), ..Outcome::default() }
    }

    #[test]
    fn means_are_over_those_that_have_what_is_counted() {
        let all = [
            outcome("hit", 2, Some(200), Some(1.0)),
            outcome("hit", 8, Some(800), Some(0.5)),
            outcome("hit", 2, None, None),
            outcome("empty", 0, None, None),
        ];
        let summary = summary(all.iter());
        assert_eq!(summary.measures.map(|measures| measures.ndcg_10), Some(0.75));
        let prompts = summary.prompts.expect("prompts");
        assert_eq!(prompts.statuses, BTreeMap::from([("empty".into(), 1), ("hit".into(), 3)]));
        assert_eq!((prompts.passages, prompts.tokens), (4.0, 400.0));
        assert_eq!(prompts.ms, Milliseconds { p50: 2.0, p99: 8.0 });
        let answers = prompts.answers.expect("answers");
        assert_eq!((answers.share, answers.tokens_until), (0.5, 500.0));
        assert_eq!(answers.within, BTreeMap::from([(200, 0.25), (400, 0.25), (800, 0.5), (1_600, 0.5)]));
        assert_eq!(super::summary([].iter()), Summary::default());
    }
}
