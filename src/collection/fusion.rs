//! Two rankings into one: a weighted sum of normalised scores.
//!
//! Not reciprocal rank fusion: where one ranking is weak (an English model on Portuguese text), ranks drag
//! the strong one down, while scores with a weight that fits the model do not.

use std::collections::HashMap;
use std::hash::Hash;

/// Weight of meaning where the model speaks the collection's language.
const DENSE_WEIGHT: f32 = 0.5;
/// And where it does not: enough to break ties.
const DENSE_WEIGHT_FOREIGN: f32 = 0.2;

/// The default weight of meaning against words.
pub(super) fn default_dense_weight(speaks: bool) -> f32 {
    if speaks { DENSE_WEIGHT } else { DENSE_WEIGHT_FOREIGN }
}

/// What both rankings say of one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fused {
    pub score: f32,
    pub lexical: Option<f32>,
    pub dense: Option<f32>,
}

/// Fuses two rankings pooled over all collections of a request, each normalised once over the pool:
/// BM25 by its maximum (its least is 0), cosines by their range. Best first; equal scores keep the order of `Key`.
pub(super) fn fuse<Key: Copy + Eq + Hash + Ord>(
    lexical: &[(Key, f32)],
    dense: &[(Key, f32)],
    dense_weight: impl Fn(&Key) -> f32,
) -> Vec<(Key, Fused)> {
    let mut fused: HashMap<Key, Fused> = HashMap::new();
    let highest = lexical.iter().map(|(_, s)| *s).fold(0.0, f32::max);
    for (key, score) in lexical {
        let entry = fused.entry(*key).or_default();
        entry.lexical = Some(*score);
        if highest > 0.0 {
            entry.score += (1.0 - dense_weight(key)) * score / highest;
        }
    }
    let (least, most) =
        dense.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, m), (_, s)| (l.min(*s), m.max(*s)));
    let range = most - least;
    for (key, score) in dense {
        let entry = fused.entry(*key).or_default();
        entry.dense = Some(*score);
        entry.score += dense_weight(key) * if range > 0.0 { (score - least) / range } else { 1.0 };
    }
    let mut ranking: Vec<_> = fused.into_iter().collect();
    ranking.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
    ranking
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lexical: &[(u64, f32)], dense: &[(u64, f32)], weight: f32) -> Vec<u64> {
        fuse(lexical, dense, |_| weight).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_chunk_that_both_rankings_like_comes_first() {
        assert_eq!(order(&[(1, 9.0), (2, 8.5)], &[(3, 0.9), (2, 0.85), (4, 0.1)], 0.5), [2, 1, 3, 4]);
    }

    #[test]
    fn the_weight_decides_and_missing_rankings_are_no_trouble() {
        let (lexical, dense) = ([(1, 9.0), (2, 1.0)], [(2, 0.9), (1, 0.2)]);
        assert_eq!(order(&lexical, &dense, 0.1), [1, 2]);
        assert_eq!(order(&lexical, &dense, 0.9), [2, 1]);
        assert_eq!(order(&lexical, &[], 0.5), [1, 2]);
        assert_eq!(order(&[], &[(7, 0.3)], 0.5), [7]);
        assert!(order(&[], &[], 0.5).is_empty());
    }
}
