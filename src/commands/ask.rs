//! `lastro ask`: one question, the answer as it streams, then its sources.

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::CommandError;
use super::connection::{Connection, checked};
use super::events::events;
use super::output::{print, say};
use crate::config::Config;
use crate::openai::read_models;

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

/// A document of `X-RAG-Sources`.
#[derive(Deserialize)]
struct Source {
    document: String,
    /// Number, page and last page of each, pages as far as there are.
    passages: Vec<Vec<u32>>,
    /// Passages that are not told.
    #[serde(default)]
    more: usize,
}

/// Asks a collection, and prints answer and sources.
pub async fn ask(
    config: Config,
    collection: &str,
    question: &str,
    model: Option<String>,
) -> Result<(), CommandError> {
    let connection = Connection::open(config).await?;
    connection.until_ready().await?;
    let model = match model {
        Some(model) => model,
        None => first_model(&connection).await?,
    };
    let body =
        json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": question }] });
    let request = connection.client.post(connection.url("/v1/chat/completions"));
    let response = checked(request.header("X-RAG-Collection", collection).json(&body).send().await?).await?;
    let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (status, sources) = (header("x-rag-status"), header("x-rag-sources"));
    let left_out = header("x-rag-sources-left-out").and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut frames = std::pin::pin!(events(response.bytes_stream()));
    let mut ended = false;
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|e| CommandError::Refused(format!("the answer broke off: {e}")))?;
        if frame.data == "[DONE]" {
            ended = true;
            break;
        }
        let Ok(frame) = serde_json::from_str::<Frame>(&frame.data) else { continue };
        if let Some(error) = frame.error {
            return Err(CommandError::Refused(format!("the answer broke off: {error}")));
        }
        for choice in frame.choices {
            print(format_args!("{}", choice.delta.content.unwrap_or_default()))?;
        }
    }
    say!("")?;
    if !ended {
        return Err(CommandError::Refused("the answer broke off before its end".to_owned()));
    }
    print_sources(status.as_deref(), sources.as_deref(), left_out)
}

fn print_sources(status: Option<&str>, sources: Option<&str>, left_out: usize) -> Result<(), CommandError> {
    let sources: Vec<Source> = sources.and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
    match (status, sources.is_empty()) {
        (Some("empty"), _) => say!("\nNo relevant passage was found."),
        (Some("no_room"), _) => say!("\nThe model's window has no room for a passage."),
        (_, true) => say!("\nWithout sources."),
        (status, false) => {
            let how = match status {
                Some("lexical") => " (found by words alone)",
                Some("dense") => " (found by meaning alone)",
                _ => "",
            };
            say!("\nSources{how}:")?;
            for line in lines(&sources, left_out) {
                say!("  {line}")?;
            }
            Ok(())
        }
    }
}

/// A line for each passage, in the order of their numbers.
fn lines(sources: &[Source], left_out: usize) -> Vec<String> {
    let told = sources.iter().flat_map(|source| source.passages.iter().map(move |place| (source, place)));
    let mut told: Vec<(u32, String)> = told
        .filter_map(|(source, place)| match place[..] {
            [n] => Some((n, format!("[{n}] {}", source.document))),
            [n, page] => Some((n, format!("[{n}] {}, page {page}", source.document))),
            [n, page, last, ..] => Some((n, format!("[{n}] {}, pages {page}-{last}", source.document))),
            [] => None,
        })
        .collect();
    told.sort_by_key(|(n, _)| *n);
    let mut lines: Vec<String> = told.into_iter().map(|(_, line)| line).collect();
    let more: usize = sources.iter().map(|source| source.more).sum();
    if more > 0 {
        lines.push(format!("and {more} passages more of these documents"));
    }
    if left_out > 0 {
        lines.push(format!("and of {left_out} documents more"));
    }
    lines
}

async fn first_model(connection: &Connection) -> Result<String, CommandError> {
    let response = checked(connection.client.get(connection.url("/v1/models")).send().await?).await?;
    let models = read_models(&response.bytes().await?).unwrap_or_default();
    // Upstream's own come first.
    let first = models.into_iter().next().map(|(id, _)| id);
    first.ok_or_else(|| {
        CommandError::Refused("the LLM server lists no model: name one with --model".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_by_their_numbers() {
        let json = r#"[{"document":"a.pdf","passages":[[1,15],[3,16,17]],"more":4},{"document":"b.md","passages":[[2]]}]"#;
        let sources: Vec<Source> = serde_json::from_str(json).expect("sources");
        let expected = ["[1] a.pdf, page 15", "[2] b.md", "[3] a.pdf, pages 16-17"];
        assert_eq!(lines(&sources, 0)[..3], expected);
        let lines = lines(&sources, 2);
        assert_eq!(lines[3..], ["and 4 passages more of these documents", "and of 2 documents more"]);
    }
}
