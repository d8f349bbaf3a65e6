//! What is said about an answer's grounding: status, sources, timings.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::Grounded;
use crate::collection::{By, Timings};
use crate::openai::ascii;
use crate::prompt::Passage;

/// How the grounding of an answer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RagStatus {
    /// Passages found, by words and meaning or because all fitted.
    Hit,
    /// Passages found by words alone.
    Lexical,
    /// Passages found by meaning alone, since the words could not be searched.
    Dense,
    /// Nothing relevant.
    Empty,
    /// No room for a passage in the model's window.
    NoRoom,
    /// Switched off for this request.
    Off,
    /// Retrieval broke.
    Error,
}

impl RagStatus {
    /// Of passages that a search found.
    pub fn of(by: By) -> Self {
        match by {
            By { words: false, .. } => Self::Dense,
            By { meaning: false, .. } => Self::Lexical,
            By { .. } => Self::Hit,
        }
    }

    /// As in `X-RAG-Status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Lexical => "lexical",
            Self::Dense => "dense",
            Self::Empty => "empty",
            Self::NoRoom => "no_room",
            Self::Off => "off",
            Self::Error => "error",
        }
    }
}

/// Longest `X-RAG-Sources`: many clients and proxies limit all headers together to 8 KB.
const LONGEST_SOURCES: usize = 4096;

/// Where the time went before upstream was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub search: Option<Timings>,
    pub weave: Duration,
}

impl Spent {
    /// Each stage that there was, and what it took.
    pub fn stages(&self) -> Vec<(&'static str, Duration)> {
        let mut stages = self.search.map(|search| search.stages()).unwrap_or_default();
        stages.push(("weave", self.weave));
        stages
    }

    /// The same as JSON, in milliseconds.
    pub fn to_json(&self) -> serde_json::Value {
        self.stages()
            .into_iter()
            .map(|(stage, took)| (stage.to_owned(), milliseconds(took).into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// The status alone, where nothing else is known.
pub fn status_header(status: RagStatus) -> Vec<(HeaderName, HeaderValue)> {
    vec![(HeaderName::from_static("x-rag-status"), HeaderValue::from_static(status.name()))]
}

impl Grounded {
    /// Headers of a chat that a collection was chosen for. `own` is the time from the request's arrival until upstream
    /// was asked, `upstream` that until it answered.
    pub fn headers(
        &self,
        trace: Option<&str>,
        own: Duration,
        upstream: Option<Duration>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::with_capacity(8);
        let mut add = |name: &'static str, value: &str| match HeaderValue::from_str(value) {
            Ok(value) => headers.push((HeaderName::from_static(name), value)),
            // Names are ASCII and sources are escaped: a value that is no header would be a defect here.
            Err(error) => tracing::error!(%error, name, "header left out"),
        };
        add("x-rag-status", self.status.name());
        add("x-rag-collection", &self.collections.join(","));
        add("x-rag-hits", &self.passages.len().to_string());
        if let Some(trace) = trace {
            add("x-rag-trace-id", trace);
        }
        add("x-rag-sources", &sources(&self.passages));
        let both = [("lastro", Some(own)), ("upstream", upstream)];
        let both = both.into_iter().filter_map(|(stage, took)| Some((stage, took?)));
        let timing = self.spent.stages().into_iter().chain(both);
        let timing: Vec<String> =
            timing.map(|(stage, took)| format!("{stage};dur={}", milliseconds(took))).collect();
        add("server-timing", &timing.join(", "));
        add("x-accel-buffering", "no");
        add("cache-control", "no-cache, no-transform");
        headers
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Compact ASCII JSON of number, document and page; as many sources as fit.
fn sources(passages: &[Passage]) -> String {
    #[derive(Serialize)]
    struct Source<'a> {
        n: usize,
        document: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        page: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_page: Option<u32>,
    }
    let mut list = String::from("[");
    for (n, passage) in (1..).zip(passages) {
        let source =
            Source { n, document: &passage.document, page: passage.page, last_page: passage.last_page };
        let Ok(json) = serde_json::to_string(&source) else { break };
        let json = ascii(&json);
        if list.len() + json.len() + 2 > LONGEST_SOURCES {
            break;
        }
        if n > 1 {
            list.push(',');
        }
        list.push_str(&json);
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_short_ascii_json_whatever_the_names() {
        let name = "relatório 📄 \"1\"\u{7f}.pdf";
        let one = Passage { document: name.into(), page: Some(3), ..Passage::default() };
        let text = sources(std::slice::from_ref(&one));
        assert!(text.is_ascii() && HeaderValue::from_str(&text).is_ok(), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(json[0]["document"], name);
        assert_eq!((&json[0]["n"], &json[0]["page"]), (&1.into(), &3.into()));
        let many = sources(&vec![one; 500]);
        assert!(many.len() <= LONGEST_SOURCES);
        assert!(serde_json::from_str::<Vec<serde_json::Value>>(&many).is_ok());
        assert_eq!(sources(&[]), "[]");
    }
}
