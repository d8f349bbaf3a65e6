//! How often the words of a question occur, so that several indexes can score as one.

use std::collections::BTreeMap;

use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::Field;
use tantivy::{Searcher, Term};

/// What BM25 counts of an index for one question. The scores of indexes that are searched with the same statistics, pooled
/// of all of them, are comparable: each chunk scores as it would in one index of all their chunks.
///
/// Chunks that were removed count until the files that hold them are written anew, as they do in an index's own scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    chunks: u64,
    /// The words of each field.
    words: BTreeMap<u32, u64>,
    /// Chunks that hold each term of the question, which names its field.
    with_term: BTreeMap<Term, u64>,
}

impl Statistics {
    pub(super) fn of(searcher: &Searcher, fields: &[Field], terms: &[Term]) -> tantivy::Result<Self> {
        let mut statistics = Self { chunks: searcher.total_num_docs()?, ..Self::default() };
        for field in fields {
            statistics.words.insert(field.field_id(), searcher.total_num_tokens(*field)?);
        }
        for term in terms {
            statistics.with_term.insert(term.clone(), searcher.doc_freq(term)?);
        }
        Ok(statistics)
    }

    /// The statistics of several indexes for the same question, as those of one.
    pub fn pooled(all: impl IntoIterator<Item = Self>) -> Self {
        let mut pooled = Self::default();
        for one in all {
            pooled.chunks += one.chunks;
            for (field, words) in one.words {
                *pooled.words.entry(field).or_default() += words;
            }
            for (term, chunks) in one.with_term {
                *pooled.with_term.entry(term).or_default() += chunks;
            }
        }
        pooled
    }
}

impl Statistics {
    /// How much a term says: BM25's idf, 0 or more.
    pub(super) fn rarity(&self, term: &Term) -> f32 {
        let chunks = self.chunks as f32;
        let with = self.with_term.get(term).copied().unwrap_or_default().min(self.chunks) as f32;
        (1.0 + (chunks - with + 0.5) / (with + 0.5)).ln()
    }

    /// How much a term says that no chunk holds.
    pub(super) fn rarest(&self) -> f32 {
        (1.0 + (self.chunks as f32 + 0.5) / 0.5).ln()
    }

    /// Whether any chunk holds it.
    pub(super) fn knows(&self, term: &Term) -> bool {
        self.with_term.get(term).is_some_and(|chunks| *chunks > 0)
    }
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(self.words.get(&field.field_id()).copied().unwrap_or_default())
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.chunks)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        // No more than there are chunks: BM25 would have no value.
        Ok(self.with_term.get(term).copied().unwrap_or_default().min(self.chunks))
    }
}
