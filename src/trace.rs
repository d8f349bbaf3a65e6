//! What was found for an answer, kept a bounded while for whoever asks afterwards.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

/// The passages behind one answer. The prompt itself is not kept.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    pub id: String,
    pub object: &'static str,
    pub created_at: i64,
    pub status: &'static str,
    pub collections: Vec<String>,
    pub question: String,
    /// What was searched for, where something was.
    pub query: Option<String>,
    pub passages: Vec<TracedPassage>,
    pub timings: serde_json::Value,
    /// Ids of the collections, for the wall: a caller that does not see all of them does not see the trace.
    #[serde(skip)]
    pub collection_ids: Vec<String>,
    /// The key that asked: nobody else sees the trace.
    #[serde(skip)]
    pub owner: Option<String>,
}

/// A passage and where it came from.
#[derive(Clone, Debug, Serialize)]
pub struct TracedPassage {
    pub n: usize,
    pub document: String,
    pub document_id: String,
    pub collection: String,
    pub page: Option<u32>,
    /// Where the passage runs on to another page.
    pub last_page: Option<u32>,
    pub headings: Vec<String>,
    pub score: Option<f32>,
    pub lexical: Option<f32>,
    pub dense: Option<f32>,
    pub text: String,
}

/// The last traces.
pub struct Traces {
    kept: Mutex<VecDeque<(Instant, Arc<Trace>)>>,
    most: usize,
    most_bytes: usize,
    longest: Duration,
}

impl Trace {
    fn bytes(&self) -> usize {
        let query = self.query.as_ref().map_or(0, String::len);
        self.passages.iter().map(|p| p.text.len()).sum::<usize>() + self.question.len() + query
    }
}

impl Traces {
    /// Keeps at most `most` of together about `most_bytes`, none longer than `longest`.
    pub fn new(most: usize, most_bytes: usize, longest: Duration) -> Self {
        Self { kept: Mutex::default(), most, most_bytes, longest }
    }

    /// Remembers one.
    pub fn keep(&self, trace: Arc<Trace>) {
        let mut kept = self.kept.lock();
        kept.push_back((Instant::now(), trace));
        let mut bytes: usize = kept.iter().map(|(_, trace)| trace.bytes()).sum();
        while let Some((at, oldest)) = kept.front() {
            if kept.len() <= self.most && bytes <= self.most_bytes && at.elapsed() <= self.longest {
                break;
            }
            bytes -= oldest.bytes();
            kept.pop_front();
        }
    }

    /// One by its id.
    pub fn find(&self, id: &str) -> Option<Arc<Trace>> {
        let kept = self.kept.lock();
        let (_, trace) = kept.iter().find(|(at, trace)| trace.id == id && at.elapsed() <= self.longest)?;
        Some(trace.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: &str) -> Arc<Trace> {
        Arc::new(Trace {
            id: id.into(),
            object: "rag.trace",
            created_at: 0,
            status: "hit",
            collections: vec![],
            question: "q".repeat(400),
            query: None,
            passages: vec![],
            timings: serde_json::Value::Null,
            collection_ids: vec![],
            owner: None,
        })
    }

    #[test]
    fn the_oldest_goes_first_and_none_outlives_its_time() {
        let traces = Traces::new(2, 1_000, Duration::from_secs(60));
        ["a", "b", "c"].into_iter().for_each(|id| traces.keep(trace(id)));
        assert!(traces.find("a").is_none() && traces.find("b").is_some() && traces.find("c").is_some());
        let small = Traces::new(9, 1_000, Duration::from_secs(60));
        ["a", "b", "c"].into_iter().for_each(|id| small.keep(trace(id)));
        assert!(small.find("a").is_none() && small.find("b").is_some());
        let brief = Traces::new(2, 1_000, Duration::ZERO);
        brief.keep(trace("a"));
        std::thread::sleep(Duration::from_millis(2));
        assert!(brief.find("a").is_none());
    }
}
