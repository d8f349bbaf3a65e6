//! What every [`VectorIndex`] must do. An implementation's tests call this with its way to open one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::IndexError;
use super::filter::{self, Filter};
use super::opening::remove_vectors;
use super::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};

pub(super) fn soon() -> Instant {
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

/// Holds an implementation to the contract. `open` opens the index of some vectors, and `outlives` says whether what was
/// closed is there again when it is opened.
pub(super) async fn vector_index(
    open: impl AsyncFn(&Vectors) -> Result<Arc<dyn VectorIndex>, IndexError>,
    outlives: bool,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let vectors = |name: &str, origin: &str| Vectors {
        origin: origin.to_owned(),
        dimensions: 48,
        expected: 500,
        folder: folder.path().join(name),
    };
    let begun = async |name: &str| open(&vectors(name, "a store and a model")).await.expect("an index");
    finds_what_brute_force_finds(&*begun("a").await).await;
    scores_given_chunks(&*begun("b").await).await;
    replaces_and_removes(&*begun("c").await).await;
    refuses_bad_vectors_unchanged(&*begun("d").await).await;
    keeps_to_deadlines(&*begun("e").await).await;
    says_where_it_stands_when_it_is_opened(async |origin: &str| open(&vectors("f", origin)).await, outlives)
        .await;
    remove_vectors(&folder.path().join("f")).await.expect("removed");
    remove_vectors(&folder.path().join("f")).await.expect("what is not there is no error");
    let anew = begun("f").await;
    assert_eq!((anew.revision(), anew.len()), (0, 0), "what was removed is gone");
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
    for (seed, (filter, _)) in (900..).zip(filter::examples()) {
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
    assert!(nearest(index, &vector(1, 48), 3, [99].into_iter().collect()).await.is_empty());
}

async fn scores_given_chunks(index: &dyn VectorIndex) {
    let rows: Vec<_> = (1..=60).map(|chunk| row(chunk, 1, 48)).collect();
    let batch = VectorBatch { revision: 1, removed: vec![], added: rows };
    index.apply(batch, soon()).await.expect("apply");
    let query: Arc<[f32]> = vector(7, 48).into();
    let chunks = [9, 4_000, 60, 9, 1];
    let scores = index.score(query.clone(), chunks.into(), soon()).await.expect("scores");
    let all = nearest(index, &query, 60, Filter::Everything).await;
    let expected = chunks.map(|chunk| all.iter().find(|found| found.0 == chunk).map(|found| found.1));
    assert_eq!(scores, expected, "as a search has them, and none for what is not there");
    assert_eq!(index.score(query.clone(), [].into(), soon()).await.expect("scores"), []);
    let late = index.score(query, [1].into(), Instant::now()).await;
    assert!(matches!(late, Err(IndexError::Deadline)));
    let bad = index.score(Arc::from(vector(1, 47)), [1].into(), soon()).await;
    assert!(matches!(bad, Err(IndexError::Vector(_))));
}

async fn says_where_it_stands_when_it_is_opened(
    open: impl AsyncFn(&str) -> Result<Arc<dyn VectorIndex>, IndexError>,
    outlives: bool,
) {
    let index = open("this").await.expect("an index");
    assert_eq!(index.origin(), "this");
    let rows = (1..=5).map(|chunk| row(chunk, 1, 48)).collect();
    let batch = VectorBatch { revision: 7, removed: vec![], added: rows };
    index.apply(batch, soon()).await.expect("apply");
    index.close().await.expect("closed");
    assert_eq!(nearest(&*index, &vector(3, 48), 1, Filter::Everything).await[0].0, 3, "it still answers");
    drop(index);
    let again = open("this").await.expect("an index");
    let expected = if outlives { (7, 5) } else { (0, 0) };
    assert_eq!((again.revision(), again.len()), expected);
    if outlives {
        assert_eq!(nearest(&*again, &vector(3, 48), 1, Filter::Everything).await[0].0, 3);
    }
    drop(again);
    let other = open("another").await.expect("an index");
    assert_eq!((other.origin(), other.revision(), other.len()), ("another", 0, 0));
}

async fn replaces_and_removes(index: &dyn VectorIndex) {
    let rows = (1..=20).map(|chunk| row(chunk, 1, 48)).collect();
    index.apply(VectorBatch { revision: 1, removed: vec![], added: rows }, soon()).await.expect("apply");
    let replaced = VectorRow { chunk: 5, document: 2, vector: vector(77, 48) };
    let batch = VectorBatch { revision: 2, removed: vec![1, 20, 4_000], added: vec![replaced] };
    index.apply(batch, soon()).await.expect("removing what is not there is no error");
    assert_eq!((index.revision(), index.len()), (2, 18));
    let found = nearest(index, &vector(77, 48), 1, [2].into_iter().collect()).await;
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
