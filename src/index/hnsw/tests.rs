//! Graphs and what they find, and how an index moves from a scan to a graph and back.

mod trial;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastro_kernels::Rows;

use super::Hnsw;
use super::build::{Built, build};
use super::layer::Links;
use super::repair::unreachable;
use super::table::Table;
use super::threads::{Stopped, Workers};
use super::walk::{Graph, Walker};
use crate::index::choice::Choice;
use crate::index::filter::Filter;
use crate::index::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};

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
    let stop = AtomicBool::new(false);
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
            assert!(pair[0].rows() >= pair[1].rows(), "{name}: higher layers have fewer rows");
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
    let stop = AtomicBool::new(false);
    let workers = Workers { threads: 2, stop: &stop };
    let built = build(table((0..4000).map(vector)), &workers).expect("not stopped");
    finds_nearly_all(&built);
}

fn finds_nearly_all(built: &Built) {
    let graph = Graph { rows: built.table.rows(), layers: built.layers.iter().map(Links::layer).collect() };
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

#[tokio::test]
async fn what_is_applied_at_once_is_written_in_several_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let scanned = Choice { keep_from: 0, graph_from: usize::MAX };
    let open = || async { Hnsw::open(&vectors(folder.path()), scanned).await.expect("opened") };
    let add = async |index: &Hnsw, revision: u64, chunks: std::ops::Range<u64>| {
        let batch = VectorBatch { revision, removed: vec![], added: chunks.map(row).collect() };
        index.apply(batch, soon()).await.expect("applied");
    };
    let index = open().await;
    add(&index, 1, 0..1).await;
    add(&index, 2, 1..10_000).await;
    drop(index);
    let log = folder.path().join("vectors").join("vectors-0.log");
    let log = std::fs::OpenOptions::new().write(true).open(log).expect("a log");
    log.set_len(log.metadata().expect("a length").len() - 1).expect("cut");
    let index = open().await;
    assert_eq!((index.revision(), index.len()), (1, 1 + 8192), "a part, which is applied again");
    add(&index, 2, 1..10_000).await;
    assert_eq!((index.revision(), index.len()), (2, 10_000));
}
