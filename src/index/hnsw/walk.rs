//! The search of a graph: from its entry down the layers to the nearest row, and on the lowest one best first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lastro_kernels::{I8Query, I8Rows, Rows};
use parking_lot::Mutex;

use super::layer::Layer;

/// A graph that is read where it lies. Rows of high layers come first, and those of a layer by chance: the first ones are a
/// sample of all.
#[derive(Clone)]
pub(super) struct Graph<'a> {
    pub rows: I8Rows<'a>,
    /// From the lowest, which has all rows, up.
    pub layers: Vec<Layer<'a>>,
}

/// Rows that are compared to find those from which a walk begins.
const SAMPLE: usize = 1024;
/// How many of them it begins from.
const ENTRIES: usize = 8;

/// How many rows are looked around between two looks at the clock.
const ROWS_PER_LOOK: usize = 64;

/// What a walk needs, kept for the next one: the marks alone are two bytes a row.
#[derive(Default)]
pub(super) struct Walker {
    marks: Vec<u16>,
    /// The mark of the present walk.
    walk: u16,
    entries: Vec<(f32, u32)>,
    ahead: BinaryHeap<u64>,
    best: BinaryHeap<Reverse<u64>>,
    fresh: Vec<u32>,
    scores: Vec<f32>,
}

/// The deadline passed.
#[derive(Debug)]
pub(super) struct Late;

impl Walker {
    /// Finds about the `width` nearest rows that are admitted, nearest first. More width finds more of the truly nearest and
    /// takes longer. Rows that are not admitted are walked through.
    pub fn walk(
        &mut self,
        graph: &Graph<'_>,
        query: &I8Query,
        width: usize,
        admits: impl Fn(u32) -> bool,
        late: impl Fn() -> bool,
    ) -> Result<Vec<(u32, f32)>, Late> {
        self.begin(graph.rows.len());
        self.enter(graph, query);
        let lowest = graph.layers.first().copied().unwrap_or_default();
        for (score, row) in std::mem::take(&mut self.entries) {
            if self.first_visit(row) {
                self.ahead.push(key(score, row));
                if admits(row) {
                    self.best.push(Reverse(key(score, row)));
                }
            }
        }
        let mut looked = 0;
        while let Some(next) = self.ahead.pop() {
            if self.best.len() >= width && self.best.peek().is_some_and(|worst| next < worst.0) {
                break;
            }
            looked += 1;
            if looked % ROWS_PER_LOOK == 0 && late() {
                return Err(Late);
            }
            self.look_around(graph, query, lowest, row_of(next), width, &admits);
        }
        let mut found: Vec<u64> = self.best.drain().map(|Reverse(key)| key).collect();
        found.sort_unstable_by_key(|key| Reverse(*key));
        Ok(found.into_iter().map(|key| (row_of(key), score_of(key))).collect())
    }

    fn look_around(
        &mut self,
        graph: &Graph<'_>,
        query: &I8Query,
        lowest: Layer<'_>,
        row: u32,
        width: usize,
        admits: &impl Fn(u32) -> bool,
    ) {
        self.fresh.clear();
        for near in lowest.of(row) {
            if self.first_visit(*near) {
                self.fresh.push(*near);
            }
        }
        graph.rows.dot_many(query, &self.fresh, &mut self.scores);
        for (near, score) in self.fresh.iter().zip(&self.scores) {
            let found = key(*score, *near);
            let full = self.best.len() >= width;
            if !score.is_finite() || (full && self.best.peek().is_some_and(|worst| found < worst.0)) {
                continue;
            }
            self.ahead.push(found);
            if admits(*near) {
                self.best.push(Reverse(found));
                if full {
                    self.best.pop();
                }
            }
        }
    }

    /// Finds rows to begin from: the nearest of a sample, and where the layers lead from the best of these. From one row
    /// alone, a walk does not come to a cluster of rows that are like none but one another.
    fn enter(&mut self, graph: &Graph<'_>, query: &I8Query) {
        let upper = graph.layers.get(1).or(graph.layers.first()).map_or(0, Layer::rows);
        graph.rows.dot_range(query, 0..upper.min(SAMPLE), &mut self.scores);
        let sampled = self.scores.iter().copied().zip(0..).filter(|(score, _)| score.is_finite());
        let mut entries: Vec<(f32, u32)> = sampled.collect();
        let nearer = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if entries.len() > ENTRIES {
            entries.select_nth_unstable_by(ENTRIES, nearer);
            entries.truncate(ENTRIES);
        }
        let Some(mut at) = entries.iter().copied().min_by(nearer) else { return };
        for layer in graph.layers.iter().skip(1).rev() {
            loop {
                let links = layer.of(at.1);
                graph.rows.dot_many(query, links, &mut self.scores);
                let scored = self.scores.iter().copied().zip(links.iter().copied());
                match scored.filter(|(score, _)| score.is_finite()).min_by(nearer) {
                    Some(best) if best.0 > at.0 => at = best,
                    _ => break,
                }
            }
        }
        entries.push(at);
        self.entries = entries;
    }

    fn begin(&mut self, rows: usize) {
        self.ahead.clear();
        self.best.clear();
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            self.marks.fill(0);
            self.walk = 1;
        }
        self.marks.resize(rows, 0);
    }

    /// Whether the walk comes to a row for the first time. It never comes to one that is not there.
    #[inline]
    fn first_visit(&mut self, row: u32) -> bool {
        match self.marks.get_mut(row as usize) {
            Some(mark) if *mark != self.walk => {
                *mark = self.walk;
                true
            }
            _ => false,
        }
    }
}

/// A score and a row as one number: greater for a greater score, and for the lower row where scores are equal.
fn key(score: f32, row: u32) -> u64 {
    let bits = score.to_bits();
    let ordered = bits ^ (((bits as i32 >> 31) as u32) | 1 << 31);
    u64::from(ordered) << 32 | u64::from(!row)
}

fn row_of(key: u64) -> u32 {
    !(key as u32)
}

fn score_of(key: u64) -> f32 {
    let ordered = (key >> 32) as u32;
    f32::from_bits(if ordered >> 31 == 1 { ordered ^ 1 << 31 } else { !ordered })
}

/// Walkers that nobody uses at the moment.
#[derive(Default)]
pub(super) struct Walkers {
    idle: Mutex<Vec<Walker>>,
}

/// How many walkers are kept: about as many as walk at a time.
const KEPT: usize = 16;

impl Walkers {
    /// Lends a walker.
    pub fn with<T>(&self, work: impl FnOnce(&mut Walker) -> T) -> T {
        let idle = self.idle.lock().pop();
        let mut walker = idle.unwrap_or_default();
        let done = work(&mut walker);
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(walker);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_scores_do_and_give_them_back() {
        let scores = [f32::MIN, -1.0, -0.5, -1e-30, 0.0, 1e-30, 0.25, 1.0, f32::MAX];
        for pair in scores.windows(2) {
            assert!(key(pair[0], 1) < key(pair[1], 2), "{pair:?}");
        }
        assert!(key(0.5, 3) > key(0.5, 4));
        for score in scores {
            assert_eq!((score_of(key(score, 77)), row_of(key(score, 77))), (score, 77));
        }
    }
}
