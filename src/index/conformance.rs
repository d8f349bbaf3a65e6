//! What every [`VectorIndex`] must do. An implementation's tests call this with a way to make an empty one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Filter, IndexError, VectorBatch, VectorIndex, VectorRow};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Vectors of length 1 that are spread without a random generator.
fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut values: Vec<f32> = (0..dimensions)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        })
        .collect();
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.iter_mut().for_each(|x| *x /= length);
    values
}

fn row(chunk: u64, document: i64, dimensions: usize) -> VectorRow {
    VectorRow { chunk, document, vector: vector(chunk, dimensions) }
}

async fn nearest(index: &dyn VectorIndex, query: &[f32], k: usize, filter: Filter) -> Vec<(u64, f32)> {
    let found = index.search(Arc::from(query), k, filter, soon()).await.expect("search");
    found.into_iter().map(|s| (s.chunk, s.score)).collect()
}

pub(super) async fn vector_index(empty: impl Fn(usize) -> Box<dyn VectorIndex>) {
    finds_what_brute_force_finds(&*empty(48)).await;
    replaces_and_removes(&*empty(48)).await;
    refuses_bad_vectors_unchanged(&*empty(48)).await;
    keeps_to_deadlines(&*empty(48)).await;
}

async fn finds_what_brute_force_finds(index: &dyn VectorIndex) {
    assert_eq!((index.revision(), index.len()), (0, 0));
    assert!(nearest(index, &vector(1, 48), 5, Filter::Everything).await.is_empty());
    let rows: Vec<_> = (1..=500).map(|chunk| row(chunk, (chunk % 7) as i64, 48)).collect();
    index
        .apply(VectorBatch { revision: 9, removed: vec![], added: rows.clone() }, soon())
        .await
        .expect("apply");
    assert_eq!((index.revision(), index.len()), (9, 500));
    for (seed, filter) in [(900, Filter::Everything), (901, Filter::Documents([3].into()))] {
        let query = vector(seed, 48);
        let mut expected: Vec<(u64, f32)> = rows
            .iter()
            .filter(|row| filter.admits(row.document))
            .map(|row| (row.chunk, row.vector.iter().zip(&query).map(|(a, b)| a * b).sum()))
            .collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(10);
        let found = nearest(index, &query, 10, filter).await;
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(&expected) {
            assert_eq!(f.0, e.0);
            assert!((f.1 - e.1).abs() < 1e-5, "raw cosine: {f:?} {e:?}");
        }
    }
    assert!(nearest(index, &vector(1, 48), 3, Filter::Documents([99].into())).await.is_empty());
}

async fn replaces_and_removes(index: &dyn VectorIndex) {
    let rows = (1..=20).map(|chunk| row(chunk, 1, 48)).collect();
    index.apply(VectorBatch { revision: 1, removed: vec![], added: rows }, soon()).await.expect("apply");
    let replaced = VectorRow { chunk: 5, document: 2, vector: vector(77, 48) };
    let batch = VectorBatch { revision: 2, removed: vec![1, 20, 4_000], added: vec![replaced] };
    index.apply(batch, soon()).await.expect("removing what is not there is no error");
    assert_eq!((index.revision(), index.len()), (2, 18));
    let found = nearest(index, &vector(77, 48), 1, Filter::Documents([2].into())).await;
    assert_eq!(found[0].0, 5);
    let all: Vec<u64> =
        nearest(index, &vector(1, 48), 100, Filter::Everything).await.iter().map(|f| f.0).collect();
    assert_eq!(all.len(), 18);
    assert!(!all.contains(&1) && !all.contains(&20));
}

async fn refuses_bad_vectors_unchanged(index: &dyn VectorIndex) {
    let mut infinite = row(3, 1, 48);
    infinite.vector[7] = f32::NAN;
    for bad in [infinite, row(3, 1, 47)] {
        let batch = VectorBatch { revision: 5, removed: vec![], added: vec![row(2, 1, 48), bad] };
        let error = index.apply(batch, soon()).await.expect_err("a bad vector");
        assert!(matches!(error, IndexError::Vector(_)), "{error}");
        assert_eq!((index.revision(), index.len()), (0, 0));
    }
    let error = index.search(Arc::from(vector(1, 47)), 3, Filter::Everything, soon()).await;
    assert!(matches!(error, Err(IndexError::Vector(_))));
}

async fn keeps_to_deadlines(index: &dyn VectorIndex) {
    let past = Instant::now();
    let batch = VectorBatch { revision: 1, removed: vec![], added: vec![row(1, 1, 48)] };
    assert!(matches!(index.apply(batch.clone(), past).await, Err(IndexError::Deadline)));
    assert_eq!(index.len(), 0);
    index.apply(batch, soon()).await.expect("apply");
    let found = index.search(Arc::from(vector(1, 48)), 1, Filter::Everything, past).await;
    assert!(matches!(found, Err(IndexError::Deadline)));
}
