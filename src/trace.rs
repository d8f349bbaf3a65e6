//! What was found for an answer, kept a bounded while for whoever asks afterwards.
//!
//! It holds text of documents, so it goes with them: whoever reads a trace asks the store whether they are alive.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use crate::prompt::{Passage, Passages};
use crate::words::beginning;

/// Bytes of a question that are kept.
const LONGEST_QUESTION: usize = 64 << 10;
/// A trace may take this part of what all may.
const LARGEST: usize = 8;

/// The passages behind one answer. The prompt itself is not kept.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    pub id: String,
    pub object: &'static str,
    pub created_at: i64,
    pub status: &'static str,
    /// Why there are no passages, where the status alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub collections: Vec<String>,
    pub question: String,
    /// What was searched for, where something was.
    pub query: Option<String>,
    pub passages: Passages,
    /// How many hits the passages were chosen from, and what became of the others; null where there was no choice.
    pub considered: serde_json::Value,
    pub timings: serde_json::Value,
    /// Ids of the collections, for the wall: a caller that does not see all of them does not see the trace.
    #[serde(skip)]
    pub collection_ids: Vec<String>,
    /// The key that asked: nobody else sees the trace.
    #[serde(skip)]
    pub owner: Option<String>,
}

/// The last traces. Whoever has the most gives way first, so that no key pushes out what others have.
pub struct Traces {
    kept: Mutex<Kept>,
    most: usize,
    most_bytes: usize,
    longest: Duration,
}

#[derive(Default)]
struct Kept {
    of: BTreeMap<Option<String>, Owned>,
    count: usize,
    bytes: usize,
}

/// What was kept for one key, oldest first.
#[derive(Default)]
struct Owned {
    traces: VecDeque<(Instant, Arc<Trace>)>,
    bytes: usize,
}

impl Trace {
    /// What it takes, about.
    fn bytes(&self) -> usize {
        let texts = [&self.id, &self.question].into_iter().chain(&self.query);
        let collections = self.collections.iter().chain(&self.collection_ids);
        let own: usize = texts.chain(collections).map(String::len).sum();
        let passages = self.passages.iter().map(bytes_of);
        size_of::<Self>() + own + passages.sum::<usize>()
    }

    /// Cut to what is kept.
    fn shortened(mut self: Arc<Self>) -> Arc<Self> {
        let query = self.query.as_ref().map_or(0, String::len);
        if self.question.len().max(query) > LONGEST_QUESTION {
            let trace = Arc::make_mut(&mut self);
            [Some(&mut trace.question), trace.query.as_mut()].into_iter().flatten().for_each(shorten);
        }
        self
    }
}

fn bytes_of(passage: &Passage) -> usize {
    let Passage { document, document_id, collection, text, attributes, .. } = passage;
    let texts = [document, document_id, collection, text, attributes].into_iter().chain(&passage.headings);
    size_of::<Passage>() + size_of_val(&*passage.chunks) + texts.map(String::len).sum::<usize>()
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST_QUESTION {
        text.truncate(beginning(text, LONGEST_QUESTION).len());
        text.push('…');
        text.shrink_to_fit();
    }
}

impl Kept {
    /// Takes out the oldest of a key.
    fn drop_oldest(&mut self, owner: &Option<String>) {
        let Some(owned) = self.of.get_mut(owner) else { return };
        if let Some((_, trace)) = owned.traces.pop_front() {
            let bytes = trace.bytes();
            owned.bytes -= bytes;
            self.bytes -= bytes;
            self.count -= 1;
        }
        if owned.traces.is_empty() {
            self.of.remove(owner);
        }
    }

    /// Who has the most, and among equals the one whose oldest is older.
    fn largest(&self, size: impl Fn(&Owned) -> usize) -> Option<Option<String>> {
        let order = |owned: &Owned| (size(owned), owned.traces.front().map(|(at, _)| std::cmp::Reverse(*at)));
        self.of.iter().max_by_key(|(_, owned)| order(owned)).map(|(owner, _)| owner.clone())
    }

    fn drop_older_than(&mut self, longest: Duration) {
        let is_old = |owned: &Owned| owned.traces.front().is_some_and(|(at, _)| at.elapsed() > longest);
        while let Some(owner) =
            self.of.iter().find(|(_, owned)| is_old(owned)).map(|(owner, _)| owner.clone())
        {
            self.drop_oldest(&owner);
        }
    }
}

impl Traces {
    /// Keeps at most `most` of together about `most_bytes`, none longer than `longest`.
    pub fn new(most: usize, most_bytes: usize, longest: Duration) -> Self {
        Self { kept: Mutex::default(), most, most_bytes, longest }
    }

    /// Remembers one. A question that is very long is cut, and a trace that is very large all the same is not kept.
    pub fn keep(&self, trace: Arc<Trace>) {
        let trace = trace.shortened();
        let bytes = trace.bytes();
        let mut kept = self.kept.lock();
        kept.drop_older_than(self.longest);
        if bytes > self.most_bytes / LARGEST {
            return;
        }
        let owned = kept.of.entry(trace.owner.clone()).or_default();
        owned.bytes += bytes;
        owned.traces.push_back((Instant::now(), trace));
        kept.bytes += bytes;
        kept.count += 1;
        loop {
            let largest = match (kept.count > self.most, kept.bytes > self.most_bytes) {
                (true, _) => kept.largest(|owned| owned.traces.len()),
                (_, true) => kept.largest(|owned| owned.bytes),
                _ => break,
            };
            let Some(owner) = largest else { break };
            kept.drop_oldest(&owner);
        }
    }

    /// One by its id.
    pub fn find(&self, id: &str) -> Option<Arc<Trace>> {
        let kept = self.kept.lock();
        let mut all = kept.of.values().flat_map(|owned| &owned.traces);
        let (_, trace) = all.find(|(at, trace)| trace.id == id && at.elapsed() <= self.longest)?;
        Some(trace.clone())
    }

    /// All that hold text of documents.
    pub fn of_documents(&self) -> Vec<Arc<Trace>> {
        let kept = self.kept.lock();
        let all = kept.of.values().flat_map(|owned| &owned.traces).map(|(_, trace)| trace);
        all.filter(|trace| !trace.passages.is_empty()).cloned().collect()
    }

    /// Forgets one.
    pub fn forget(&self, id: &str) {
        let mut kept = self.kept.lock();
        let found = kept.of.iter_mut().find_map(|(owner, owned)| {
            let place = owned.traces.iter().position(|(_, trace)| trace.id == id)?;
            let bytes = owned.traces.remove(place).map_or(0, |(_, trace)| trace.bytes());
            owned.bytes -= bytes;
            Some((owner.clone(), bytes, owned.traces.is_empty()))
        });
        if let Some((owner, bytes, is_last)) = found {
            kept.bytes -= bytes;
            kept.count -= 1;
            if is_last {
                kept.of.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(owner: &str, id: &str, question: usize) -> Arc<Trace> {
        Arc::new(Trace {
            id: id.into(),
            object: "rag.trace",
            created_at: 0,
            status: "hit",
            reason: None,
            collections: vec![],
            question: "é".repeat(question / 2),
            query: None,
            passages: Passages::default(),
            considered: serde_json::Value::Null,
            timings: serde_json::Value::Null,
            collection_ids: vec![],
            owner: Some(owner.to_owned()),
        })
    }

    fn trace(id: &str) -> Arc<Trace> {
        of("a", id, 4_000)
    }

    fn there<'a>(traces: &Traces, ids: &[&'a str]) -> Vec<&'a str> {
        ids.iter().copied().filter(|id| traces.find(id).is_some()).collect()
    }

    #[test]
    fn the_oldest_goes_first_and_none_outlives_its_time() {
        let traces = Traces::new(2, 100_000, Duration::from_secs(60));
        ["a", "b", "c"].into_iter().for_each(|id| traces.keep(trace(id)));
        assert_eq!(there(&traces, &["a", "b", "c"]), ["b", "c"]);
        let small = Traces::new(99, 40_000, Duration::from_secs(60));
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        ids.into_iter().for_each(|id| small.keep(trace(id)));
        let left = there(&small, &ids);
        assert!(left.len() < ids.len() && ids.ends_with(&left) && !left.is_empty(), "{left:?}");
        let brief = Traces::new(2, 100_000, Duration::ZERO);
        brief.keep(trace("a"));
        std::thread::sleep(Duration::from_millis(2));
        assert!(brief.find("a").is_none());
    }

    #[test]
    fn who_has_the_most_gives_way() {
        let by_count = Traces::new(10, 1 << 20, Duration::from_secs(60));
        let by_bytes = Traces::new(9_999, 100_000, Duration::from_secs(60));
        for traces in [by_count, by_bytes] {
            traces.keep(of("quiet", "first", 2_000));
            for n in 0..200 {
                traces.keep(of("loud", &n.to_string(), 4_000));
            }
            traces.keep(of("quiet", "last", 2_000));
            assert_eq!(there(&traces, &["first", "0", "199", "last"]), ["first", "199", "last"]);
        }
    }

    #[test]
    fn one_that_is_too_large_pushes_nothing_out() {
        let traces = Traces::new(10, 1 << 20, Duration::from_secs(60));
        ["a", "b"].into_iter().for_each(|id| traces.keep(trace(id)));
        traces.keep(of("a", "question", 5 << 20));
        let cut = traces.find("question").expect("its question is cut").question.len();
        assert!(cut > LONGEST_QUESTION - 4 && cut <= LONGEST_QUESTION + 4, "{cut}");
        let mut large = Trace::clone(&trace("large"));
        large.collections = vec!["x".repeat(1 << 20)];
        traces.keep(Arc::new(large));
        assert_eq!(there(&traces, &["a", "b", "question", "large"]), ["a", "b", "question"]);
    }

    #[test]
    fn what_is_kept_is_counted() {
        let traces = Traces::new(7, 20_000, Duration::from_secs(60));
        for n in 0..100 {
            traces.keep(of(["a", "b", "c"][n % 3], &n.to_string(), n * 20));
            if n % 5 == 0 {
                traces.forget(&(n - n % 2).to_string());
            }
            let kept = traces.kept.lock();
            let sum = |owned: &Owned| owned.traces.iter().map(|(_, trace)| trace.bytes()).sum::<usize>();
            assert!(kept.of.values().all(|owned| sum(owned) == owned.bytes && !owned.traces.is_empty()));
            assert_eq!(kept.bytes, kept.of.values().map(|owned| owned.bytes).sum::<usize>());
            assert_eq!(kept.count, kept.of.values().map(|owned| owned.traces.len()).sum::<usize>());
        }
    }
}
