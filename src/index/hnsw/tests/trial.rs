//! Random changes, ends and damage, and what is found against a scan of all that was applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{SMALL, built, row, soon, vector, vectors};
use crate::index::IndexError;
use crate::index::filter::Filter;
use crate::index::hnsw::{Hnsw, rebuild};
use crate::index::vectors::{VectorBatch, VectorIndex, VectorRow};

/// What is done to an index.
#[derive(Clone, Debug)]
enum Operation {
    Add(Vec<u64>),
    Remove(Vec<u64>),
    Build,
    /// Closed and opened.
    Reopen,
    /// Dropped without a word, and opened.
    Kill,
    /// Dropped, a byte of a file changed, and opened.
    Flip(usize, usize),
    /// Dropped, a file cut, and opened.
    Cut(usize, usize),
    Search(u64, usize, Vec<i64>),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let chunks = || prop::collection::vec(0u64..400, 1..60);
    let operation = prop_oneof![
        6 => chunks().prop_map(Operation::Add),
        3 => chunks().prop_map(Operation::Remove),
        2 => Just(Operation::Build),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
        1 => (0usize..9, any::<usize>()).prop_map(|(file, at)| Operation::Flip(file, at)),
        1 => (0usize..9, any::<usize>()).prop_map(|(file, at)| Operation::Cut(file, at)),
        6 => (any::<u64>(), 1usize..30, prop::collection::vec(0i64..13, 0..13))
            .prop_map(|(seed, k, documents)| Operation::Search(seed, k, documents)),
    ];
    prop::collection::vec(operation, 1..40)
}

#[test]
fn it_is_as_a_scan_of_all_that_was_applied() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    runner
        .run(&operations(), |operations| {
            runtime.block_on(follow(operations));
            Ok(())
        })
        .expect("as a scan");
}

/// An index and what it is to hold.
struct Trial {
    folder: tempfile::TempDir,
    index: Hnsw,
    rows: BTreeMap<u64, VectorRow>,
    /// The changes from the first on, as a store has them.
    history: Vec<VectorBatch>,
    /// Whether files were damaged since it was opened, and were not found out yet.
    doubtful: bool,
}

async fn follow(operations: Vec<Operation>) {
    let folder = tempfile::tempdir().expect("a folder");
    let index = Hnsw::open(&vectors(folder.path()), SMALL).await.expect("opened");
    let mut trial = Trial { folder, index, rows: BTreeMap::new(), history: Vec::new(), doubtful: false };
    for operation in operations {
        match operation {
            Operation::Add(chunks) => {
                // An id is used once; one that is there may be added again.
                let added = chunks.into_iter().collect::<BTreeSet<_>>().into_iter().map(row).collect();
                trial.apply(vec![], added).await;
            }
            Operation::Remove(chunks) => trial.apply(chunks, vec![]).await,
            Operation::Build => {
                rebuild::consider(&trial.index.shared).await;
                built(&trial.index).await;
            }
            Operation::Reopen => {
                let closed = trial.index.close().await;
                assert!(closed.is_ok() || trial.doubtful, "{closed:?}");
                trial.reopen().await;
            }
            Operation::Kill => {
                // A process that is killed builds no more.
                trial.index.shared.stop.store(true, Ordering::Relaxed);
                built(&trial.index).await;
                trial.reopen().await;
            }
            Operation::Flip(file, at) => {
                trial
                    .damage(file, |bytes| {
                        let at = at % bytes.len();
                        bytes[at] ^= 1 << (at % 8);
                    })
                    .await
            }
            Operation::Cut(file, at) => trial.damage(file, |bytes| bytes.truncate(at % bytes.len())).await,
            Operation::Search(seed, k, documents) => {
                trial.search(seed, k, Filter::Everything).await;
                trial.search(seed, k, documents.iter().copied().collect()).await;
                trial.search(seed, k, Filter::Not(Arc::new(documents.into_iter().collect()))).await;
            }
        }
    }
    trial.search(1, 10, Filter::Everything).await;
}

impl Trial {
    async fn apply(&mut self, removed: Vec<u64>, added: Vec<VectorRow>) {
        removed.iter().for_each(|chunk| {
            self.rows.remove(chunk);
        });
        self.rows.extend(added.iter().map(|row| (row.chunk, row.clone())));
        let batch = VectorBatch { revision: self.history.len() as u64 + 1, removed, added };
        self.history.push(batch.clone());
        match self.index.apply(batch, soon()).await {
            Ok(()) => assert_eq!(self.index.revision(), self.history.len() as u64),
            Err(IndexError::Damaged(_)) if self.doubtful => self.begin_anew().await,
            Err(error) => panic!("{error}"),
        }
        // A check in the background may be on the way to find damage.
        if !self.doubtful {
            assert_eq!(self.index.len(), self.rows.len());
        }
    }

    /// Opens the index as after a crash, and applies what it does not have, from the revision that it says.
    async fn reopen(&mut self) {
        let wanted = vectors(self.folder.path());
        self.index = Hnsw::open(&wanted, SMALL).await.expect("opened");
        self.catch_up().await;
    }

    async fn catch_up(&mut self) {
        let from = self.index.revision() as usize;
        assert!(from <= self.history.len());
        let missed = self.history[from..].to_vec();
        for batch in missed {
            match self.index.apply(batch, soon()).await {
                Ok(()) => {}
                Err(IndexError::Damaged(_)) if self.doubtful => return Box::pin(self.begin_anew()).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What a collection does when it learns of damage.
    async fn begin_anew(&mut self) {
        assert!(self.index.is_damaged());
        let wanted = vectors(self.folder.path());
        crate::index::remove_vectors(&wanted.folder).await.expect("removed");
        self.doubtful = false;
        self.index = Hnsw::open(&wanted, SMALL).await.expect("opened");
        assert_eq!(self.index.revision(), 0);
        self.catch_up().await;
    }

    async fn damage(&mut self, file: usize, change: impl FnOnce(&mut Vec<u8>)) {
        built(&self.index).await;
        let wanted = vectors(self.folder.path());
        // Its files are not changed while they are mapped.
        self.index =
            Hnsw::open(&vectors(&self.folder.path().join("elsewhere")), SMALL).await.expect("opened");
        let files = files(&wanted.folder);
        if !files.is_empty() {
            let file = &files[file % files.len()];
            let mut bytes = fs::read(file).expect("read");
            if !bytes.is_empty() {
                change(&mut bytes);
                fs::write(file, bytes).expect("written");
                self.doubtful = true;
            }
        }
        self.reopen().await;
        // Until the check has been through, answers may be wrong and nothing worse.
        for seed in 0..3 {
            let found = self.index.search(vector(seed).into(), 10, Filter::Everything, soon()).await;
            assert!(matches!(found, Ok(_) | Err(IndexError::Damaged(_))), "{found:?}");
        }
        if let Some(base) = self.index.shared.state().base.clone() {
            let shared = self.index.shared.clone();
            if base.check(&AtomicBool::new(false)) == Some(false) {
                shared.found_damaged(&base);
            }
        }
        if self.index.is_damaged() {
            self.begin_anew().await;
        }
        self.doubtful = false;
        assert_eq!(self.index.len(), self.rows.len(), "what was lost was applied again");
    }

    async fn search(&self, seed: u64, k: usize, filter: Filter) {
        let query: Arc<[f32]> = vector(seed).into();
        let score = |row: &VectorRow| -> f32 { row.vector.iter().zip(&*query).map(|(a, b)| a * b).sum() };
        let mut expected: Vec<(f32, u64)> = self
            .rows
            .values()
            .filter(|row| filter.admits(row.document))
            .map(|row| (score(row), row.chunk))
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = self.index.search(query.clone(), k, filter, soon()).await.expect("found");
        assert_eq!(found.len(), expected.len().min(k));
        // A graph may miss one; so few rows are walked whole, so that it does not.
        for (found, (score, _)) in found.iter().zip(&expected) {
            assert!((found.score - score).abs() < 1e-5, "{found:?} instead of {score}");
        }
        let chunks: Vec<u64> = (0..400).step_by(7).collect();
        let scores = self.index.score(query.clone(), chunks.clone().into(), soon()).await.expect("scores");
        for (chunk, found) in chunks.iter().zip(scores) {
            let expected = self.rows.get(chunk).map(score);
            let alike = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-5,
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(alike, "{chunk}: {found:?} {expected:?}");
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
