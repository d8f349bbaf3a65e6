//! What is said about an answer's grounding in its headers.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::grounded::Grounded;
use super::sources::{listed, named};
use super::status::{RagStatus, milliseconds};

/// Bytes of all headers that are added to an answer of a chat. With the request's id (150) and what a browser's page is
/// told (400) they stay under 2 KiB: many proxies take 4 KiB for a whole head, upstream's own headers among them.
pub const MOST_HEADER_BYTES: usize = 1_496;
/// Of them, for the names of collections.
const MOST_COLLECTION_BYTES: usize = 140;

/// The status alone, where nothing else is known.
pub fn status_header(status: RagStatus) -> Vec<(HeaderName, HeaderValue)> {
    vec![(HeaderName::from_static("x-rag-status"), HeaderValue::from_static(status.name()))]
}

impl Grounded {
    /// Headers of a chat that a collection was chosen for, [`MOST_HEADER_BYTES`] at most. `own` is the time from the
    /// request's arrival until upstream was asked, `upstream` that until it answered.
    pub fn headers(
        &self,
        trace: Option<&str>,
        own: Duration,
        upstream: Option<Duration>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut head = Head::default();
        head.add("x-rag-status", self.status.name());
        let collections = listed(&self.collections, MOST_COLLECTION_BYTES);
        head.add("x-rag-collection", &collections.text);
        head.add_count("x-rag-collections-left-out", collections.left_out);
        head.add("x-rag-hits", &self.passages.len().to_string());
        if let Some(considered) = &self.considered {
            head.add("x-rag-found", &considered.found.to_string());
            let left_out = considered.left_out().into_iter().filter(|(_, count)| *count > 0);
            let left_out: Vec<String> = left_out.map(|(why, count)| format!("{why}={count}")).collect();
            if !left_out.is_empty() {
                head.add("x-rag-left-out", &left_out.join(", "));
            }
        }
        if let Some(trace) = trace {
            head.add("x-rag-trace-id", trace);
        }
        let both = [("lastro", Some(own)), ("upstream", upstream)];
        let both = both.into_iter().filter_map(|(stage, took)| Some((stage, took?)));
        let stages = self.spent.stages();
        let timing = stages.iter().map(|stage| (stage.name, stage.took)).chain(both);
        let timing: Vec<String> =
            timing.map(|(stage, took)| format!("{stage};dur={}", milliseconds(took))).collect();
        head.add("server-timing", &timing.join(", "));
        head.add("x-accel-buffering", "no");
        head.add("cache-control", "no-cache, no-transform");
        // Sources have what the others leave.
        let most = MOST_HEADER_BYTES
            .saturating_sub(head.bytes + bytes_of(SOURCES, 0))
            .saturating_sub(bytes_of(SOURCES_LEFT_OUT, self.passages.len().to_string().len()));
        let sources = named(&self.passages, most);
        head.add(SOURCES, &sources.text);
        head.add_count(SOURCES_LEFT_OUT, sources.left_out);
        head.headers
    }
}

const SOURCES: &str = "x-rag-sources";
const SOURCES_LEFT_OUT: &str = "x-rag-sources-left-out";

/// Headers, and their bytes on the wire.
#[derive(Default)]
struct Head {
    headers: Vec<(HeaderName, HeaderValue)>,
    bytes: usize,
}

impl Head {
    fn add(&mut self, name: &'static str, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.bytes += bytes_of(name, value.len());
                self.headers.push((HeaderName::from_static(name), value));
            }
            // Names are ASCII and sources are escaped: a value that is no header would be a defect here.
            Err(error) => tracing::error!(%error, name, "header left out"),
        }
    }

    /// A number that is only told where it is not 0.
    fn add_count(&mut self, name: &'static str, count: usize) {
        if count > 0 {
            self.add(name, &count.to_string());
        }
    }
}

/// `name: value` and the end of the line.
fn bytes_of(name: &str, value: usize) -> usize {
    name.len() + ": ".len() + value + "\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Timings;
    use crate::prompt::Passage;
    use crate::rag::choice::Considered;
    use crate::rag::status::Spent;

    /// As much as can be said of an answer.
    fn grounded(collections: usize, passages: Vec<Passage>) -> Grounded {
        let search = Timings {
            embed: Some(Duration::from_micros(123_456_789)),
            lexical: Duration::from_secs(10_000),
            dense: Some(Duration::from_secs(10_000)),
            read: Some(Duration::from_secs(10_000)),
            rerank: Some(Duration::from_secs(10_000)),
        };
        Grounded {
            body: bytes::Bytes::new(),
            status: RagStatus::Lexical,
            reason: None,
            passages: passages.into(),
            query: None,
            considered: Some(Considered {
                found: 10_000,
                joined: 10_000,
                copies: 10_000,
                adds_little: 10_000,
                beyond: 10_000,
                no_room: 10_000,
            }),
            collections: (0..collections).map(|n| format!("{n:064}")).collect(),
            collection_ids: Vec::new(),
            added_tokens: 0,
            spent: Spent { search: Some(search), weave: Duration::from_secs(10_000) },
            refuse: false,
        }
    }

    #[test]
    fn stages_begin_when_what_they_need_is_there() {
        let ms = Duration::from_millis;
        let (embed, dense, read, rerank) = (Some(ms(5)), Some(ms(2)), Some(ms(1)), Some(ms(4)));
        let search = Timings { embed, lexical: ms(9), dense, read, rerank };
        let stages = Spent { search: Some(search), weave: ms(1) }.stages();
        let after: Vec<_> = stages.iter().map(|stage| (stage.name, stage.after)).collect();
        assert_eq!(
            after,
            [
                ("embed", ms(0)),
                ("lexical", ms(0)),
                ("dense", ms(5)),
                ("read", ms(9)),
                ("rerank", ms(10)),
                ("weave", ms(14))
            ]
        );
    }

    #[test]
    fn headers_stay_small_whatever_is_named() {
        let hostile: String = "é".repeat(125);
        for (collections, documents, name) in [
            (1, 1, "a"),
            (64, 1_000, hostile.as_str()),
            (1, 40, "\u{1f4c4}"),
            (64, 0, ""),
            (2, 5_000, "\"\u{7f}"),
        ] {
            let passage = |n: usize| Passage {
                document: format!("{n} {name}"),
                document_id: n.to_string(),
                page: Some(u32::MAX),
                last_page: Some(u32::MAX),
                ..Passage::default()
            };
            let grounded = grounded(collections, (0..documents).map(passage).collect());
            let trace = format!("trace_{}", "0".repeat(24));
            let headers = grounded.headers(
                Some(&trace),
                Duration::from_secs(10_000),
                Some(Duration::from_secs(10_000)),
            );
            let bytes: usize = headers.iter().map(|(name, value)| bytes_of(name.as_str(), value.len())).sum();
            assert!(bytes <= MOST_HEADER_BYTES, "{bytes}: {headers:?}");
            let value = |name: &str| {
                let found = headers.iter().find(|(header, _)| header == name);
                found.map(|(_, value)| value.to_str().expect("ASCII").to_owned())
            };
            let told: Vec<serde_json::Value> =
                serde_json::from_str(&value(SOURCES).expect("sources")).expect("JSON");
            let left_out = value(SOURCES_LEFT_OUT).map_or(0, |count| count.parse().expect("a count"));
            assert_eq!(told.len() + left_out, documents);
            assert!(documents == 0 || !told.is_empty(), "{name}");
            let named = value("x-rag-collection").expect("collections").split(',').count();
            let left_out =
                value("x-rag-collections-left-out").map_or(0, |count| count.parse().expect("a count"));
            assert_eq!(named + left_out, collections);
        }
    }
}
