//! Changes of a lexical index, and the end of what was removed from it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tantivy::index::SegmentId;
use tantivy::indexer::IndexWriterOptions;
use tantivy::{IndexWriter, TantivyDocument, Term};

use super::super::IndexError;
use super::super::analysis::{self, placed};
use super::LexicalIndex;

/// tantivy's least memory for one indexing thread is 15 MB.
const WRITER_MEMORY: usize = 32 << 20;

/// A chunk to be indexed.
#[derive(Clone, Debug)]
pub struct LexicalRow {
    pub chunk: u64,
    pub document: i64,
    /// Of the text, as an ISO 639-1 code; none where it is not known.
    pub language: Option<String>,
    /// Headings and text.
    pub text: String,
}

/// Changes that bring a lexical index to `revision`. Where they come in parts, it is the revision up to which all are in
/// it then: a part that is applied again does no harm.
#[derive(Clone, Debug, Default)]
pub struct LexicalBatch {
    pub revision: u64,
    pub removed: Vec<u64>,
    pub added: Vec<LexicalRow>,
}

impl LexicalIndex {
    /// Applies changes and makes them visible. The revision is committed with them.
    pub fn apply(&self, batch: &LexicalBatch) -> Result<(), IndexError> {
        if self.unseen.load(Ordering::Relaxed) {
            self.reader.reload()?;
        }
        let greatest = self.greatest_chunk()?;
        let mut writer = self.writer()?;
        // What it may hold already of a part that is applied again.
        let again = batch.added.iter().map(|row| &row.chunk).filter(|chunk| **chunk <= greatest);
        for chunk in batch.removed.iter().chain(again) {
            writer.delete_term(Term::from_field_u64(self.fields.chunk, *chunk));
        }
        for row in &batch.added {
            if let Err(error) = writer.add_document(self.document(row)) {
                // It says that the thread which writes has ended; that thread says why.
                return Err(writer.prepare_commit().err().unwrap_or(error).into());
            }
        }
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&batch.revision.to_string());
        self.unseen.store(true, Ordering::Relaxed);
        commit.commit()?;
        writer.wait_merging_threads()?;
        self.reader.reload()?;
        self.unseen.store(false, Ordering::Relaxed);
        if batch.removed.is_empty() { Ok(()) } else { self.collect_garbage() }
    }

    /// A chunk as it is indexed.
    fn document(&self, row: &LexicalRow) -> TantivyDocument {
        let language = self.languages.of(row.language.as_deref());
        let analysed = analysis::analyse(&row.text, language);
        let mut document = TantivyDocument::default();
        document.add_u64(self.fields.chunk, row.chunk);
        document.add_i64(self.fields.document, row.document);
        document.add_text(self.fields.language, analysis::mark(language));
        let stems = analysed.stems.iter().enumerate().map(|(at, stem)| (stem.as_str(), at));
        document.add_text(self.fields.stemmed, placed::text(stems));
        let folded = analysed.folded.iter().map(|folded| (folded.text.as_str(), folded.at));
        document.add_text(self.fields.folded, placed::text(folded));
        document
    }

    /// Whether its files still hold words of chunks that were removed.
    pub fn holds_removed(&self) -> bool {
        self.reader.searcher().segment_readers().iter().any(|segment| segment.num_deleted_docs() > 0)
    }

    /// Writes what holds words of removed chunks anew without them. That reads all of it, so many removals are best
    /// followed by one call.
    pub fn purge(&self) -> Result<(), IndexError> {
        let metas = self.index.load_metas()?;
        let with_removed: Vec<SegmentId> =
            metas.segments.iter().filter(|segment| segment.num_deleted_docs() > 0).map(|s| s.id()).collect();
        if !with_removed.is_empty() {
            let mut writer = self.writer()?;
            writer.merge(&with_removed).wait()?;
            writer.wait_merging_threads()?;
        }
        self.reader.reload()?;
        self.collect_garbage()
    }

    pub(super) fn writer(&self) -> Result<IndexWriter, IndexError> {
        let options = IndexWriterOptions::builder().memory_budget_per_thread(WRITER_MEMORY);
        Ok(self.index.writer_with_options(options.num_merge_threads(1).build())?)
    }

    /// The greatest id of a chunk that it ever took in, and still holds in a file.
    fn greatest_chunk(&self) -> Result<u64, IndexError> {
        let mut greatest = 0;
        for segment in self.reader.searcher().segment_readers() {
            greatest = greatest.max(segment.fast_fields().u64("chunk")?.max_value());
        }
        Ok(greatest)
    }

    /// Removes files that the last commit does not name. Nobody writes meanwhile, and who searches in them goes on: a
    /// file that is mapped is read to the end.
    pub(super) fn collect_garbage(&self) -> Result<(), IndexError> {
        let mut living: HashSet<PathBuf> = self.index.load_metas()?.list_segment_files();
        living.insert(Path::new("meta.json").to_owned());
        self.index.clone().directory_mut().garbage_collect(|| living)?;
        Ok(())
    }
}
