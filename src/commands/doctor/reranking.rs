//! The reranking server: it answers, in time, and knows what belongs together.

use std::time::{Duration, Instant};

use super::report::Report;
use crate::config::Config;
use crate::upstream::{RerankSettings, Reranking};

/// A model may have to be loaded first.
const PATIENCE: Duration = Duration::from_secs(30);
const QUESTION: &str = "When is the valve closed?";
/// The second one answers.
const TEXTS: [&str; 2] = ["Bread is baked in an oven.", "The valve is closed at noon."];

/// Asks it what any reranker knows, where there is one.
pub async fn check(config: &Config, report: &mut Report) {
    const NAME: &str = "reranking";
    let Some(settings) = &config.rerank else { return };
    let patient = RerankSettings { timeout: PATIENCE, ..settings.clone() };
    let server = match Reranking::new(patient) {
        Ok(server) => server,
        Err(error) => return report.fail(NAME, error.to_string(), "correct --rerank-upstream"),
    };
    let began = Instant::now();
    let relevance = server.ask(QUESTION, &TEXTS.map(str::to_owned)).await;
    let took = began.elapsed();
    match relevance {
        Err(error) => {
            let advice = "passages stay in the order of the search until it answers: start it, or correct --rerank-upstream, --rerank-model or --rerank-key";
            report.fail(NAME, format!("{}: {}", server.base(), error.with_answer()), advice);
        }
        Ok(relevance) if relevance[1] <= relevance[0] => {
            let advice =
                "look whether its model is a reranker (a cross-encoder), and speaks your documents' language";
            report.warn(NAME, format!("{} takes a wrong text for the right one", server.base()), advice);
        }
        Ok(_) if took > settings.timeout => {
            let message = format!("{} took {} ms for two texts", server.base(), took.as_millis());
            let advice = "the first answer may be slow: try again, or raise --rerank-timeout-ms";
            report.warn(NAME, message, advice);
        }
        Ok(_) => {
            report.ok(NAME, format!("{} answers within {} ms", server.base(), took.as_millis()));
        }
    }
}
