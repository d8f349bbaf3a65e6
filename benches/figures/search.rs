//! Where the time of a grounded question goes, as lastro's own `Server-Timing` header says.

use std::collections::BTreeMap;

use crate::Outcome;
use crate::filled::{COLLECTION, Filled};
use crate::numbers::quantile;
use crate::process::Server;
use crate::questions::Questions;
use crate::report::{Report, Value, value};

/// How passages are found: in words, as their `X-RAG-Status`, and where.
pub type Searched = (&'static str, &'static str, Outcome<Filled>);

/// Asked before measuring.
const WARM_UP: usize = 20;
/// The stages in their order; `upstream` is lastro's view of the waiting for the LLM server.
const STAGES: [&str; 6] = ["embed", "lexical", "dense", "read", "weave", "upstream"];

/// The stages and the server's memory, for every way to search.
pub async fn measure(
    report: &mut Report,
    client: &reqwest::Client,
    questions: &Questions,
    count: usize,
    filled: &[Searched],
) {
    const GROUP: &str = "One grounded question, medians of its stages (Server-Timing)";
    for (name, status, filled) in filled {
        let (note, measured) = match filled {
            Err(error) => (String::new(), Err(error.to_string().into())),
            Ok(Filled { server, chunks, .. }) => {
                (format!("{chunks} chunks"), stages(server, client, questions, count, status).await)
            }
        };
        report.add(GROUP, *name, note, measured);
        let memory = match filled {
            Err(error) => Err(error.to_string().into()),
            Ok(filled) => filled.server.memory().map(|(resident, own)| {
                vec![
                    value("RSS", resident, "MiB"),
                    value("of it its own", own, "MiB"),
                    value("filled in", filled.seconds, "s"),
                ]
            }),
        };
        report.add(GROUP, format!("{name}: the server"), "", memory);
    }
}

/// The medians of the stages over so many questions, one after the other, each of them new.
async fn stages(
    server: &Server,
    client: &reqwest::Client,
    questions: &Questions,
    count: usize,
    status: &str,
) -> Outcome<Vec<Value>> {
    let url = server.url(&format!("/c/{COLLECTION}/v1/chat/completions"));
    let mut spent: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for number in 0..WARM_UP + count {
        let request = client.post(&url).header("content-type", "application/json").body(questions.chat());
        let response = request.send().await?;
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if header("x-rag-status") != status {
            return Err(format!("{}, X-RAG-Status {:?}", response.status(), header("x-rag-status")).into());
        }
        let timing = header("server-timing").to_owned();
        // To the end, so that the connection is used again.
        response.bytes().await?;
        if number < WARM_UP {
            continue;
        }
        for entry in timing.split(',') {
            if let Some((stage, ms)) = entry.trim().split_once(";dur=") {
                spent.entry(stage.to_owned()).or_default().push(ms.parse()?);
            }
        }
    }
    let found = STAGES.iter().filter_map(|stage| {
        let values = spent.get_mut(*stage)?;
        Some(value(stage, quantile(values, 0.5), "ms"))
    });
    Ok(found.collect())
}
