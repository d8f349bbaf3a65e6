//! BM25 over a collection's chunks, by tantivy.

mod errors;
mod folder;
mod writing;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query, TermQuery, TermSetQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, ReloadPolicy, Score, SegmentReader, Term};

use super::{Filter, IndexError, Scored, analysis};

pub use writing::{LexicalBatch, LexicalRow};

/// Terms of a question beyond these are left out: a pasted page is no better a query.
const MOST_QUERY_TERMS: usize = 96;
/// The folded field repeats what the stemmed one says; it is there for spelling.
const FOLDED_BOOST: f32 = 0.5;

/// The words of one collection. All calls block. One at a time may write; any number search meanwhile.
pub struct LexicalIndex {
    folder: PathBuf,
    language: Option<String>,
    index: Index,
    reader: IndexReader,
    fields: Fields,
    stemmed: TextAnalyzer,
    folded: TextAnalyzer,
    /// Whether a commit may be there that searches do not see.
    unseen: AtomicBool,
}

#[derive(Clone, Copy)]
struct Fields {
    chunk: Field,
    document: Field,
    stemmed: Field,
    folded: Field,
}

impl LexicalIndex {
    fn with(folder: PathBuf, index: Index, language: Option<String>) -> Result<Self, IndexError> {
        let (stemmed, folded) =
            (analysis::stemmed(language.as_deref()), analysis::folded(language.as_deref()));
        index.tokenizers().register("stemmed", stemmed.clone());
        index.tokenizers().register("folded", folded.clone());
        let (_, fields) = schema();
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let unseen = AtomicBool::new(false);
        Ok(Self { folder, language, index, reader, fields, stemmed, folded, unseen })
    }

    /// The language that its words were cut for.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The revision up to which all changes are in it; 0 for a new index.
    pub fn revision(&self) -> Result<u64, IndexError> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.and_then(|p| p.parse().ok()).unwrap_or(0))
    }

    /// Whether nothing was ever put into it, or all of that is gone from its files.
    pub fn is_empty(&self) -> bool {
        self.reader.searcher().segment_readers().is_empty()
    }

    /// The `k` best chunks that the filter admits, best first.
    pub fn search(&self, question: &str, k: usize, filter: &Filter) -> Result<Vec<Scored>, IndexError> {
        let mut clauses = self.clauses(question);
        if clauses.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        if let Filter::Documents(documents) = filter {
            let terms = documents.iter().map(|d| Term::from_field_i64(self.fields.document, *d));
            let admitted = ConstScoreQuery::new(Box::new(TermSetQuery::new(terms)), 0.0);
            let words = BooleanQuery::new(std::mem::take(&mut clauses));
            clauses = vec![(Occur::Must, Box::new(words)), (Occur::Must, Box::new(admitted))];
        }
        let searcher = self.reader.searcher();
        // Every match is scored: with a dozen terms in two fields and this depth, pruning by block maxima costs
        // several times what it saves (1.05 ms against 0.29 ms over 10,000 chunks).
        let every_match = TopDocs::with_limit(k).tweak_score(|_: &SegmentReader| |_, score: Score| score);
        let found = searcher.search(&BooleanQuery::new(clauses), &every_match)?;
        let columns = searcher
            .segment_readers()
            .iter()
            .map(|segment| segment.fast_fields().u64("chunk"))
            .collect::<tantivy::Result<Vec<_>>>()?;
        let mut scored = Vec::with_capacity(found.len());
        for (score, address) in found {
            let column = columns.get(address.segment_ord as usize);
            if let Some(chunk) = column.and_then(|column| column.first(address.doc_id)) {
                scored.push(Scored { chunk, score });
            }
        }
        scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        Ok(scored)
    }

    fn clauses(&self, question: &str) -> Vec<(Occur, Box<dyn Query>)> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (field, analyzer, boost) in
            [(self.fields.stemmed, &self.stemmed, 1.0), (self.fields.folded, &self.folded, FOLDED_BOOST)]
        {
            let mut terms = Vec::new();
            analyzer.clone().token_stream(question).process(&mut |token| {
                if terms.len() < MOST_QUERY_TERMS && !terms.contains(&token.text) {
                    terms.push(token.text.clone());
                }
            });
            for term in terms {
                let query = TermQuery::new(Term::from_field_text(field, &term), IndexRecordOption::WithFreqs);
                clauses.push((Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost))));
            }
        }
        clauses
    }
}

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let text = |tokenizer: &str| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(IndexRecordOption::WithFreqs),
        )
    };
    let fields = Fields {
        chunk: schema.add_u64_field("chunk", INDEXED | FAST | STORED),
        document: schema.add_i64_field("document", INDEXED),
        stemmed: schema.add_text_field("stemmed", text("stemmed")),
        folded: schema.add_text_field("folded", text("folded")),
    };
    (schema.build(), fields)
}

#[cfg(test)]
mod tests;
