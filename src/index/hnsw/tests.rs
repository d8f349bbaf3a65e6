//! A graph against a scan of all vectors, over random changes, ends and damage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::build::build;
use super::refine::refine;
use super::repair::unreachable;
use super::table::Table;
use super::threads::{Stopped, Workers};
use super::walk::{Graph, Walker};
use super::{Hnsw, rebuild};
use crate::index::IndexError;
use crate::index::choice::Choice;
use crate::index::filter::Filter;
use crate::index::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};
use lastro_kernels::Rows;

const DIMENSIONS: usize = 24;

/// A graph from 60 chunks on, all of it kept.
const SMALL: Choice = Choice { keep_from: 0, graph_from: 60 };

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Vectors of length 1 around a few centres.
fn vector(seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut centre = fastrand::Rng::with_seed(seed % 7 + 1_000_000);
    let values: Vec<f32> = (0..DIMENSIONS).map(|_| centre.f32() - 0.5 + (random.f32() - 0.5) * 0.8).collect();
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.iter().map(|x| x / length).collect()
}

fn row(chunk: u64) -> VectorRow {
    VectorRow { chunk, document: (chunk % 13) as i64, vector: vector(chunk) }
}

fn vectors(folder: &Path) -> Vectors {
    Vectors {
        origin: "a store".to_owned(),
        dimensions: DIMENSIONS,
        expected: 0,
        folder: folder.join("vectors"),
    }
}

fn table(rows: impl IntoIterator<Item = Vec<f32>>) -> Table {
    let mut table = Table::new(DIMENSIONS);
    for (chunk, vector) in rows.into_iter().enumerate() {
        table.push(chunk as u64, 0, &vector);
    }
    table
}

const GO_ON: AtomicBool = AtomicBool::new(false);

#[tokio::test(flavor = "multi_thread")]
async fn conforms_by_a_graph_and_by_a_scan() {
    for graph_from in [1, 100, 10_000] {
        crate::index::conformance::vector_index(
            async |vectors: &Vectors| {
                let index = Hnsw::open(vectors, Choice { keep_from: 0, graph_from }).await?;
                Ok(Arc::new(index) as Arc<dyn VectorIndex>)
            },
            true,
        )
        .await;
    }
}

#[test]
fn every_row_is_reached_also_among_many_that_are_alike() {
    let stop = GO_ON;
    let workers = Workers { threads: 2, stop: &stop };
    for (name, rows) in [
        ("none", table([])),
        ("one", table([vector(1)])),
        ("clusters", table((0..3000).map(vector))),
        ("alike", table((0..500).map(|_| vector(3)))),
        ("some alike", table((0..1500).map(|number| vector(number % 40)))),
        ("zeros", table((0..100).map(|_| vec![0.0; DIMENSIONS]))),
    ] {
        let count = rows.len();
        let built = build(rows, &workers).expect("not stopped");
        assert_eq!(built.table.len(), count, "{name}");
        assert_eq!(unreachable(&built.layers[0]), 0, "{name}");
        let chunks: BTreeSet<u64> = built.table.chunks.iter().copied().collect();
        assert_eq!(chunks.len(), count, "{name}: each row is there once");
        for pair in built.layers.windows(2) {
            assert!(pair[0].rows() > pair[1].rows(), "{name}: each layer has fewer rows");
        }
    }
}

#[test]
fn a_build_that_nobody_wants_ends() {
    let stop = AtomicBool::new(true);
    let workers = Workers { threads: 1, stop: &stop };
    assert!(matches!(build(table((0..300).map(vector)), &workers), Err(Stopped)));
}

#[test]
fn nearly_all_of_the_nearest_are_found() {
    let stop = GO_ON;
    let workers = Workers { threads: 2, stop: &stop };
    let mut built = build(table((0..4000).map(vector)), &workers).expect("not stopped");
    refine(&built.table, &mut built.layers, &workers).expect("not stopped");
    let graph = Graph {
        rows: built.table.rows(),
        layers: built.layers.iter().map(super::layer::Links::layer).collect(),
    };
    let (mut walker, mut hits) = (Walker::default(), 0);
    for seed in 0..50 {
        let query = graph.rows.query(&vector(900_000 + seed));
        let found = walker.walk(&graph, &query, 100, |_| true, || false).expect("in time");
        let mut scores = Vec::new();
        graph.rows.dot_range(&query, 0..graph.rows.len(), &mut scores);
        let mut all: Vec<u32> = (0..graph.rows.len() as u32).collect();
        all.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
        hits += all[..10].iter().filter(|row| found[..10].iter().any(|found| found.0 == **row)).count();
    }
    assert!(hits >= 490, "{hits} of 500");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_filter_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = Hnsw::open(&vectors(folder.path()), SMALL).await.expect("opened");
    let mut rows: Vec<VectorRow> = (0..3000).map(row).collect();
    rows.iter_mut().for_each(|row| row.document = (row.chunk / 3) as i64);
    index.apply(VectorBatch { revision: 1, removed: vec![], added: rows }, soon()).await.expect("applied");
    built(&index).await;
    for document in (0..1000).step_by(37) {
        let only: Filter = [document].into_iter().collect();
        let wide: Filter = (0..1000).filter(|other| other % 2 == 0 || *other == document).collect();
        for (filter, k, expected) in
            [(only, 10, 3), (wide.clone(), 3000, 0), (Filter::Not(Arc::new(wide)), 3000, 0)]
        {
            let admitted = (0..3000u64).filter(|chunk| filter.admits((chunk / 3) as i64)).count();
            let found = index.search(vector(5).into(), k, filter, soon()).await.expect("found");
            assert_eq!(found.len(), admitted.min(k));
            assert!(expected == 0 || found.len() == expected);
        }
    }
}

/// Waits until nothing is being built.
async fn built(index: &Hnsw) {
    for _ in 0..3000 {
        if !index.shared.building.load(Ordering::Acquire) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a build goes on for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_moves_over_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = Hnsw::open(&vectors(folder.path()), SMALL).await.expect("opened");
    let graph = |index: &Hnsw| index.shared.state().base.is_some();
    let add = async |revision: u64, chunks: std::ops::Range<u64>| {
        let batch = VectorBatch { revision, removed: vec![], added: chunks.map(row).collect() };
        index.apply(batch, soon()).await.expect("applied");
        built(&index).await;
    };
    add(1, 0..59).await;
    assert!(!graph(&index));
    add(2, 59..200).await;
    assert!(graph(&index));
    let first = index.shared.state().generation;
    add(3, 200..300).await;
    assert!(index.shared.state().generation > first, "much was added");
    let removed = (20..300).collect();
    index.apply(VectorBatch { revision: 4, removed, added: vec![] }, soon()).await.expect("applied");
    built(&index).await;
    assert!(!graph(&index));
    assert_eq!((index.revision(), index.len()), (4, 20));
    drop(index);
    let again = Hnsw::open(&vectors(folder.path()), SMALL).await.expect("opened");
    assert_eq!((again.revision(), again.len()), (4, 20));
}

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
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
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
            Operation::Kill => trial.reopen().await,
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
        for batch in self.history[from..].to_vec() {
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
