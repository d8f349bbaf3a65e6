//! A report as a person reads it.

use std::fmt::Write;

use super::report::{Prompts, Report, WITHIN};

/// A report as tables.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let about = &report.dataset;
    let model = report.settings.embedding_model.as_ref();
    let model = model.map_or("no embedding model: words alone".to_owned(), |model| model.name.clone());
    let _ = writeln!(
        text,
        "{}: {} questions, {} documents, {} chunks; {model}",
        about.name, about.questions, about.documents, about.chunks
    );
    for line in report.oddities.lines() {
        let _ = writeln!(text, "  {line}");
    }
    if about.judged > 0 {
        let over = format!("over {}", about.judged);
        let mut rows = vec![row([over.as_str(), "nDCG@10", "MRR@10", "recall@10", "recall@100"])];
        for (ranking, summary) in &report.rankings {
            let Some(measures) = &summary.measures else { continue };
            let of = |value: f64| format!("{value:.4}");
            rows.push(vec![
                ranking.to_string(),
                of(measures.ndcg_10),
                of(measures.mrr_10),
                of(measures.recall_10),
                of(measures.recall_100),
            ]);
        }
        let _ = write!(text, "\n{}", aligned(&rows));
    }
    let prompts: Vec<_> = report
        .rankings
        .iter()
        .filter_map(|(ranking, summary)| Some((ranking.name(), summary.prompts.as_ref()?)))
        .collect();
    if prompts.is_empty() {
        return text;
    }
    let mut rows = vec![row(["prompts", "empty", "passages", "tokens", "ms p50", "ms p99", "of which"])];
    rows.extend(prompts.iter().map(|(ranking, prompts)| prompts_row(ranking, prompts)));
    let _ = write!(text, "\n{}", aligned(&rows));
    if prompts.iter().any(|(_, prompts)| prompts.answers.is_some()) {
        let over = format!("answers of {}", about.answered);
        let mut rows = vec![row([over.as_str(), "in the prompt", "tokens until"])];
        rows[0].extend(WITHIN.map(|tokens| format!("within {tokens}")));
        for (ranking, prompts) in &prompts {
            let Some(answers) = &prompts.answers else { continue };
            let share = |share: f64| format!("{:.1} %", share * 100.0);
            let mut row =
                vec![(*ranking).to_owned(), share(answers.share), format!("{:.0}", answers.tokens_until)];
            row.extend(answers.within.values().map(|value| share(*value)));
            rows.push(row);
        }
        let _ = write!(text, "\n{}", aligned(&rows));
    }
    text
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn prompts_row(ranking: &str, prompts: &Prompts) -> Vec<String> {
    let all: usize = prompts.statuses.values().sum();
    let empty = prompts.statuses.get("empty").copied().unwrap_or(0);
    let others = prompts.statuses.iter().filter(|(status, _)| !matches!(status.as_str(), "hit" | "empty"));
    let others: String = others.map(|(status, count)| format!(", {status} {count}")).collect();
    let stages = ["embed", "lexical", "dense", "read", "rerank", "weave"];
    let stages: Vec<String> = stages
        .iter()
        .filter_map(|stage| Some(format!("{stage} {:.2}", prompts.stages_ms.get(*stage)?)))
        .collect();
    vec![
        ranking.to_owned(),
        format!("{empty} of {all}{others}"),
        format!("{:.1}", prompts.passages),
        format!("{:.0}", prompts.tokens),
        format!("{:.2}", prompts.ms.p50),
        format!("{:.2}", prompts.ms.p99),
        stages.join(", "),
    ]
}

/// Columns as wide as their widest cell: words to the left, figures to the right.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let is_of_words = |column: usize| {
        let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        column == 0 || cells.any(|cell| cell.starts_with(char::is_alphabetic))
    };
    let words: Vec<bool> = (0..columns).map(is_of_words).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, width), is_of_words) in row.iter().zip(&widths).zip(&words) {
            let _ = match is_of_words {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_one_another() {
        let rows = [row(["over 9", "nDCG@10", "of which"]), row(["words", ".9", "a 1"])];
        assert_eq!(aligned(&rows), "over 9  nDCG@10  of which\nwords        .9  a 1\n");
    }
}
