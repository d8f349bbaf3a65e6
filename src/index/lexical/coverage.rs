//! How much of a question a chunk covers: a scale that is the same for every question and collection, which BM25 is not.

use std::collections::HashMap;

use tantivy::query::TermSetQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Searcher, Term};

use super::{AskedTerm, LexicalIndex, Question, Statistics};
use crate::index::filter::Filter;
use crate::index::{IndexError, Scored};

/// A chunk that holds words of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    pub chunk: u64,
    /// BM25.
    pub score: f32,
    /// BM25 against that of a chunk of average length that has each word of the question once. More than 1 where words are
    /// repeated.
    pub share: f32,
    /// The share of the question that the chunk's words are, each weighed by its rarity: 0 to 1, and 1 where it has all.
    pub coverage: f32,
    /// The share of the question's words that it has, each counting the same.
    pub words: f32,
}

/// What words say to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// Best first.
    pub found: Vec<Match>,
    /// The share of the question that occurs anywhere in the indexes that the statistics are of, weighed in the same way.
    pub known: f32,
    /// How much the question says: as much as so many words that no chunk has.
    pub weight: f32,
}

impl LexicalIndex {
    /// The `k` best chunks that the filter admits, best first, by these statistics of the same question.
    pub fn matches(
        &self,
        question: &str,
        k: usize,
        filter: &Filter,
        statistics: &Statistics,
    ) -> Result<Matches, IndexError> {
        let searcher = self.reader.searcher();
        let question = Question::of(question, self.fields, &searcher, Some(statistics))?;
        let found = self.best(&searcher, &question, k, self.admitted(filter), Some(statistics))?;
        let words = AskedWords::of(&question.asked, statistics);
        let (known, weight) = (words.known(statistics), share(words.whole, statistics.rarest()));
        Ok(Matches { found: words.matched(&searcher, found)?, known, weight })
    }

    /// What words say of each of these chunks, in their order; `None` for one that is not there, or has no word of the
    /// question.
    pub fn matches_of(
        &self,
        question: &str,
        chunks: &[u64],
        statistics: &Statistics,
    ) -> Result<Vec<Option<Match>>, IndexError> {
        let searcher = self.reader.searcher();
        let question = Question::of(question, self.fields, &searcher, Some(statistics))?;
        let ids = chunks.iter().map(|chunk| Term::from_field_u64(self.fields.chunk, *chunk));
        let among = Some(Box::new(TermSetQuery::new(ids)) as _);
        let found = self.best(&searcher, &question, chunks.len(), among, Some(statistics))?;
        let matched = AskedWords::of(&question.asked, statistics).matched(&searcher, found)?;
        let matched: HashMap<u64, Match> = matched.into_iter().map(|found| (found.chunk, found)).collect();
        Ok(chunks.iter().map(|chunk| matched.get(chunk).copied()).collect())
    }

    /// At most so many chunks from all over the index, the same ones until it changes.
    pub fn sample(&self, most: usize) -> Result<Vec<u64>, IndexError> {
        let searcher = self.reader.searcher();
        let total: u64 = searcher.segment_readers().iter().map(|segment| u64::from(segment.max_doc())).sum();
        let step = (total / most.max(1) as u64).max(1);
        let mut sample = Vec::with_capacity(most.min(total as usize));
        let mut next = step / 2;
        let mut before = 0;
        for segment in searcher.segment_readers() {
            let end = before + u64::from(segment.max_doc());
            let column = segment.fast_fields().u64("chunk")?;
            while next < end && sample.len() < most {
                // Within the segment, and so within its number of documents.
                let document = (next - before) as u32;
                sample.extend(column.first(document).filter(|_| !segment.is_deleted(document)));
                next += step;
            }
            before = end;
        }
        Ok(sample)
    }
}

/// The words of a question: the terms that stand for each, and how much it says.
struct AskedWords<'a> {
    words: Vec<(Vec<&'a Term>, f32)>,
    whole: f32,
    /// BM25 of a chunk of average length that has each once.
    ideal: f32,
}

impl<'a> AskedWords<'a> {
    fn of(terms: &'a [AskedTerm], statistics: &Statistics) -> Self {
        let mut words: Vec<(Vec<&Term>, f32)> = Vec::new();
        words.resize_with(terms.iter().map(|asked| asked.word + 1).max().unwrap_or(0), Default::default);
        // A part that no chunk has says nothing beside its whole: `WhatsApp`, where all write `whatsapp`.
        let mut says = vec![false; words.len()];
        for asked in terms {
            says[asked.word] |= !asked.is_part || statistics.knows(&asked.term);
        }
        for asked in terms.iter().filter(|asked| says[asked.word]) {
            let (stands_for, rarity) = &mut words[asked.word];
            // A word is as common as the commonest of its spellings.
            let known = statistics.rarity(&asked.term);
            *rarity = if stands_for.is_empty() { known } else { rarity.min(known) };
            stands_for.push(&asked.term);
        }
        let whole = words.iter().map(|(_, rarity)| rarity).sum();
        let saying = terms.iter().filter(|asked| says[asked.word]);
        let ideal = saying.map(|asked| asked.boost * statistics.rarity(&asked.term)).sum();
        Self { words, whole, ideal }
    }

    fn known(&self, statistics: &Statistics) -> f32 {
        let known = self.words.iter().filter(|(terms, _)| terms.iter().any(|term| statistics.knows(term)));
        share(known.map(|(_, rarity)| rarity).sum(), self.whole).min(1.0)
    }

    fn matched(
        &self,
        searcher: &Searcher,
        found: Vec<(Scored, DocAddress)>,
    ) -> Result<Vec<Match>, IndexError> {
        // In the order in which a segment lists them.
        let mut places: Vec<usize> = (0..found.len()).collect();
        places.sort_unstable_by_key(|place| found[*place].1);
        let mut parts = vec![(0.0f32, 0u32); found.len()];
        for of_segment in places.chunk_by(|a, b| found[*a].1.segment_ord == found[*b].1.segment_ord) {
            let segment = searcher.segment_reader(found[of_segment[0]].1.segment_ord);
            for (terms, rarity) in &self.words {
                let mut left = of_segment.to_vec();
                for term in terms {
                    let index = segment.inverted_index(term.field())?;
                    let Some(mut holders) = index.read_postings(term, IndexRecordOption::Basic)? else {
                        continue;
                    };
                    left.retain(|place| {
                        let document = found[*place].1.doc_id;
                        let holds = holders.doc() == document
                            || (holders.doc() < document && holders.seek(document) == document);
                        if holds {
                            parts[*place] = (parts[*place].0 + rarity, parts[*place].1 + 1);
                        }
                        !holds
                    });
                }
            }
        }
        let asked = self.words.iter().filter(|(terms, _)| !terms.is_empty()).count();
        let matches = found.iter().zip(parts).map(|((scored, _), (part, words))| Match {
            chunk: scored.chunk,
            score: scored.score,
            share: share(scored.score, self.ideal),
            coverage: share(part, self.whole).min(1.0),
            words: share(words as f32, asked as f32),
        });
        Ok(matches.collect())
    }
}

fn share(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
