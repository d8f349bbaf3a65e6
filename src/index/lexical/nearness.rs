//! How near to one another the words of a question stand in a chunk.
//!
//! A second look at the chunks that the words have found, so that it costs the same in a large index as in a small one.
//! Over six sets (SciFact, Cranfield, FaQuAD, SQuAD-pt, XQuAD es and en) it raises nDCG@10 by .003 on the mean, and
//! lowers none. A clause for each pair in the query itself finds the same, and doubles its time at 5,000 chunks.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, DocSet, Score, Searcher, Term};

/// What two words that stand as they do in the question are worth, against what they are worth as a term.
const WEIGHT: Score = 0.2;

/// Two words of a question, and how far the second stands behind the first.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub words: [Term; 2],
    pub gap: u32,
}

/// A chunk that was found, and its score.
pub(super) struct Candidate {
    pub address: DocAddress,
    pub score: Score,
}

/// Adds to the scores of candidates what the pairs are worth that stand in them.
pub(super) fn add(
    pairs: &[Pair],
    field: Field,
    searcher: &Searcher,
    statistics: &dyn Bm25StatisticsProvider,
    candidates: &mut [Candidate],
) -> tantivy::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut terms: Vec<&Term> = pairs.iter().flat_map(|pair| &pair.words).collect();
    terms.sort_unstable();
    terms.dedup();
    let mut weighed = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let [first, second] = [0, 1].map(|n| terms.binary_search(&&pair.words[n]).unwrap_or_default());
        weighed.push((first, second, pair.gap, Bm25Weight::for_terms(statistics, &pair.words)?));
    }
    candidates.sort_unstable_by_key(|candidate| candidate.address);
    for of_segment in candidates.chunk_by_mut(|a, b| a.address.segment_ord == b.address.segment_ord) {
        let Some(segment) =
            of_segment.first().map(|candidate| searcher.segment_reader(candidate.address.segment_ord))
        else {
            continue;
        };
        let index = segment.inverted_index(field)?;
        let lengths = segment.get_fieldnorms_reader(field)?;
        let mut places = Vec::with_capacity(terms.len());
        for term in &terms {
            places.push(Places::of(index.read_postings(term, IndexRecordOption::WithFreqsAndPositions)?));
        }
        for candidate in of_segment {
            let document = candidate.address.doc_id;
            let is_here: Vec<bool> = places.iter_mut().map(|places| places.move_to(document)).collect();
            for (first, second, gap, weight) in &weighed {
                if !(is_here[*first] && is_here[*second]) {
                    continue;
                }
                places[*first].read();
                places[*second].read();
                let after = &places[*second].found;
                let stands = |at: &&u32| after.binary_search(&(**at + gap)).is_ok();
                let times = places[*first].found.iter().filter(stands).count();
                if times > 0 {
                    candidate.score += WEIGHT * weight.score(lengths.fieldnorm_id(document), times as u32);
                }
            }
        }
    }
    Ok(())
}

/// Where a term stands in one chunk after the other.
struct Places {
    postings: Option<SegmentPostings>,
    /// Empty until they are read.
    found: Vec<u32>,
}

impl Places {
    fn of(postings: Option<SegmentPostings>) -> Self {
        Self { postings, found: Vec::new() }
    }

    /// Goes on to a chunk, and says whether it has the term.
    fn move_to(&mut self, document: DocId) -> bool {
        self.found.clear();
        let Some(postings) = &mut self.postings else { return false };
        postings.doc() == document || (postings.doc() < document && postings.seek(document) == document)
    }

    /// Reads the places in this chunk, once.
    fn read(&mut self) {
        if let Some(postings) = self.postings.as_mut().filter(|_| self.found.is_empty()) {
            postings.positions(&mut self.found);
        }
    }
}
