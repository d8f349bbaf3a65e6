//! The scan against a naive one over random operations, and searches beside changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::ExactScan;
use super::rows::Rows;
use crate::index::filter::Filter;
use crate::index::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};
use crate::index::{IndexError, Scored};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn conforms() {
    crate::index::conformance::vector_index(
        async |vectors: &Vectors| Ok(Arc::new(ExactScan::new(vectors)) as Arc<dyn VectorIndex>),
        false,
    )
    .await;
}

const DIMENSIONS: usize = 37;

/// A vector of length 1. Vectors of one cluster are near one another, as chunks of one subject are, and some are the same.
fn vector(cluster: u64, seed: u64, nearness: f32) -> Vec<f32> {
    let values = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(move || random.f32() - 0.5).take(DIMENSIONS)
    };
    let mixed = values(cluster).zip(values(seed ^ 0x5555)).map(|(center, own)| center + own * nearness);
    let mut vector: Vec<f32> = mixed.collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

#[derive(Clone, Debug)]
enum Step {
    /// So many chunks of a document, from this id on.
    Add {
        first: u64,
        count: u64,
        document: i64,
        seed: u64,
        nearness: f32,
    },
    /// Every so-manieth chunk from this id on.
    Remove {
        first: u64,
        count: u64,
        every: u64,
    },
    Search {
        seed: u64,
        k: usize,
        filter: Filter,
    },
    Score {
        seed: u64,
        chunks: Vec<u64>,
    },
}

fn filters() -> impl Strategy<Value = Filter> {
    let documents = proptest::collection::vec(0i64..12, 0..5).prop_map(Filter::from_iter);
    prop_oneof![
        3 => Just(Filter::Everything),
        3 => documents.clone(),
        2 => documents.prop_map(|filter| Filter::Not(Arc::new(filter))),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u64..3000, 1u64..700, 0i64..12, any::<u64>(), prop_oneof![Just(0.0f32), Just(0.01), Just(0.3), Just(2.0)])
            .prop_map(|(first, count, document, seed, nearness)| Step::Add { first, count, document, seed, nearness }),
        2 => (0u64..3000, 1u64..900, 1u64..4).prop_map(|(first, count, every)| Step::Remove { first, count, every }),
        4 => (any::<u64>(), prop_oneof![1usize..5, 1usize..300, Just(usize::MAX)], filters())
            .prop_map(|(seed, k, filter)| Step::Search { seed, k, filter }),
        2 => (any::<u64>(), proptest::collection::vec(0u64..4000, 0..60))
            .prop_map(|(seed, chunks)| Step::Score { seed, chunks }),
    ];
    proptest::collection::vec(step, 1..25)
}

fn cosine(one: &[f32], two: &[f32]) -> f64 {
    one.iter().zip(two).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// What a search found against all cosines: the right number, in the right order, with true scores, and nothing better left.
fn is_nearest(found: &[Scored], all: &BTreeMap<u64, f64>, k: usize) {
    assert_eq!(found.len(), k.min(all.len()));
    for one in found {
        assert!((f64::from(one.score) - all[&one.chunk]).abs() < 1e-6, "{one:?} for {}", all[&one.chunk]);
    }
    for two in found.windows(2) {
        let ordered =
            two[0].score > two[1].score || two[0].score == two[1].score && two[0].chunk < two[1].chunk;
        assert!(ordered, "{two:?}");
    }
    let worst = found.last().map_or(f64::INFINITY, |last| f64::from(last.score));
    let better = all.iter().filter(|(_, score)| **score > worst + 1e-6);
    assert!(better.clone().count() <= found.len());
    for (chunk, score) in better {
        assert!(found.iter().any(|one| one.chunk == *chunk), "{chunk} with {score} was missed, over {worst}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_a_naive_scan_finds(steps in steps()) {
        let mut rows = Rows::default();
        let mut naive: BTreeMap<u64, (i64, Vec<f32>)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Add { first, count, document, seed, nearness } => {
                    let added: Vec<_> = (first..first + count)
                        .map(|chunk| VectorRow {
                            chunk,
                            document: document + (chunk / 9 % 2) as i64,
                            vector: vector(seed % 3, seed ^ chunk, nearness),
                        })
                        .collect();
                    rows = rows.changed(DIMENSIONS, &[], &added, soon()).expect("changed");
                    naive.extend(added.into_iter().map(|row| (row.chunk, (row.document, row.vector))));
                }
                Step::Remove { first, count, every } => {
                    let removed: Vec<u64> = (first..first + count).rev().filter(|chunk| chunk % every == 0).collect();
                    rows = rows.changed(DIMENSIONS, &removed, &[], soon()).expect("changed");
                    removed.iter().for_each(|chunk| drop(naive.remove(chunk)));
                }
                Step::Search { seed, k, filter } => {
                    let query = vector(seed % 3, seed, 0.5);
                    let admitted = naive.iter().filter(|(_, (document, _))| filter.admits(*document));
                    let all = admitted.map(|(chunk, (_, row))| (*chunk, cosine(&query, row))).collect();
                    is_nearest(&rows.nearest(&query, k, &filter, soon()).expect("found"), &all, k);
                }
                Step::Score { seed, chunks } => {
                    let query = vector(seed % 3, seed, 0.5);
                    let scores = rows.scores(&query, &chunks, soon()).expect("scores");
                    for (chunk, score) in chunks.iter().zip(scores) {
                        let expected = naive.get(chunk).map(|(_, row)| cosine(&query, row));
                        prop_assert_eq!(score.is_some(), expected.is_some(), "{}", chunk);
                        let (score, expected) = (f64::from(score.unwrap_or(0.0)), expected.unwrap_or(0.0));
                        prop_assert!((score - expected).abs() < 1e-6, "{}: {} for {}", chunk, score, expected);
                    }
                }
            }
            prop_assert_eq!(rows.len(), naive.len());
        }
    }
}

/// However chunks come, one by one in any order, there are never many more blocks than full ones would be.
#[test]
fn small_changes_do_not_leave_many_small_blocks() {
    let mut rows = Rows::default();
    for number in 0..3000u64 {
        let chunk = number * 1237 % 3000;
        let added = [VectorRow { chunk, document: 1, vector: vector(1, chunk, 1.0) }];
        rows = rows.changed(DIMENSIONS, &[], &added, soon()).expect("changed");
        assert!(
            rows.parts().len() <= 3 * (number as usize / 1024 + 1) + 10,
            "{number}: {}",
            rows.parts().len()
        );
    }
    for chunk in 0..3000 {
        if chunk % 100 != 0 {
            rows = rows.changed(DIMENSIONS, &[chunk], &[], soon()).expect("changed");
        }
    }
    assert_eq!(rows.len(), 30);
    assert!(rows.parts().len() < 8, "{}", rows.parts().len());
}

/// Of many rows that score the same, those of the lowest chunks are the nearest.
#[test]
fn equal_scores_are_in_the_order_of_chunks() {
    let same = |chunk| VectorRow { chunk, document: 1, vector: vector(1, 1, 1.0) };
    let rows =
        Rows::default().changed(DIMENSIONS, &[], &(1..=2500).rev().map(same).collect::<Vec<_>>(), soon());
    let rows =
        rows.expect("changed").changed(DIMENSIONS, &[1, 3], &[same(4), same(0)], soon()).expect("changed");
    let found = rows.nearest(&vector(1, 9, 1.0), 5, &Filter::Everything, soon()).expect("found");
    assert_eq!(found.iter().map(|one| one.chunk).collect::<Vec<_>>(), [0, 2, 4, 5, 6]);
}

/// A row that comes twice in one batch is there once, as it came last.
#[test]
fn the_last_of_two_additions_counts() {
    let row = |document, seed| VectorRow { chunk: 5, document, vector: vector(1, seed, 1.0) };
    let added = [row(1, 1), row(2, 2)];
    let rows = Rows::default().changed(DIMENSIONS, &[5], &added, soon()).expect("changed");
    assert_eq!(rows.len(), 1);
    let found = rows.nearest(&vector(1, 2, 1.0), 3, &[2].into_iter().collect(), soon()).expect("found");
    assert_eq!(found.len(), 1);
    assert!((found[0].score - 1.0).abs() < 1e-6);
}

/// Searches see whole batches while changes are made, and none waits for the other's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_beside_changes_see_whole_batches() {
    let vectors = Vectors {
        origin: "a store and a model".to_owned(),
        dimensions: DIMENSIONS,
        expected: 0,
        folder: std::path::PathBuf::new(),
    };
    let index = Arc::new(ExactScan::new(&vectors));
    let writer = {
        let index = index.clone();
        tokio::spawn(async move {
            for revision in 1..=60u64 {
                // Ten chunks at a time take the place of ten others.
                let added = (0..10).map(|n| revision * 10 + n);
                let row =
                    |chunk| VectorRow { chunk, document: revision as i64, vector: vector(1, chunk, 1.0) };
                let removed = (0..10).map(|n| (revision - 1) * 10 + n).collect();
                let batch = VectorBatch { revision, removed, added: added.map(row).collect() };
                index.apply(batch, soon()).await.expect("applied");
            }
        })
    };
    let mut seen = 0;
    while seen < 60 {
        let found =
            index.search(vector(1, 7, 1.0).into(), 100, Filter::Everything, soon()).await.expect("found");
        assert!(found.is_empty() || found.len() == 10, "{found:?}");
        let revision = found.first().map_or(0, |one| one.chunk / 10);
        assert!(found.iter().all(|one| one.chunk / 10 == revision), "of one revision: {found:?}");
        assert!(revision >= seen, "never back");
        seen = revision;
    }
    writer.await.expect("the writer ends");
    assert_eq!((index.revision(), index.len()), (60, 10));
}

/// A change that does not end in time changes nothing.
#[tokio::test]
async fn a_late_change_changes_nothing() {
    let rows = Rows::default();
    let added = [VectorRow { chunk: 1, document: 1, vector: vector(1, 1, 1.0) }];
    let late = rows.changed(DIMENSIONS, &[], &added, Instant::now());
    assert!(matches!(late, Err(IndexError::Deadline)));
    let rows = rows.changed(DIMENSIONS, &[], &added, soon()).expect("changed");
    let late = rows.nearest(&vector(1, 1, 1.0), 1, &Filter::Everything, Instant::now());
    assert!(matches!(late, Err(IndexError::Deadline)));
}
