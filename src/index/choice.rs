//! The choice between comparing vectors one by one and walking a graph.

/// When a collection's vectors are compared one by one, and when a graph is walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// From so many chunks on, files are kept: fewer are read from the store as quickly.
    pub keep_from: usize,
    /// From so many chunks on, there is a graph. Under half as many it is given up again.
    pub graph_from: usize,
}

/// What is in use. A scan of 20,000 vectors of 384 dimensions takes about what a walk does; where exactly they meet, on which
/// machine, was not measured.
pub(super) const IN_USE: Choice = Choice { keep_from: 4_096, graph_from: 20_000 };

/// How an index stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Rows of the graph, if there is one.
    pub graph: Option<usize>,
    /// Those of them that are gone.
    pub dead: usize,
    /// Rows that were added since, and are compared one by one.
    pub tail: usize,
    /// Rows that were written down since, also those that are gone again.
    pub written: usize,
}

/// What an index is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A graph of all that is there.
    Graph,
    /// Rows that are compared one by one.
    Scan,
}

impl Choice {
    /// Whether something is to be done about an index.
    pub fn next(&self, standing: Standing) -> Option<Step> {
        let Standing { graph, dead, tail, written } = standing;
        let live = graph.unwrap_or(0).saturating_sub(dead) + tail;
        match graph {
            None if live >= self.graph_from.max(1) => Some(Step::Graph),
            // Most of what is written is of rows that are gone.
            None => (written > 3 * live.max(self.keep_from)).then_some(Step::Scan),
            Some(_) if live < self.graph_from / 2 => Some(Step::Scan),
            Some(rows) => {
                let much = rows / 4 + self.graph_from / 4;
                (tail > much || dead > much || written > 4 * much).then_some(Step::Graph)
            }
        }
    }
}

/// How wide a graph is walked for the nearest `k`.
pub(super) fn width(k: usize) -> usize {
    (k + k / 2).max(200)
}

/// Where a filter admits at most so many of a graph's rows, they are compared one by one.
///
/// A walk that looks for w rows among n of which m are admitted passes about w n / m rows, each with some ten others: the
/// fewer are admitted the longer it is. It costs what m comparisons do where m is the root of 10 w n.
pub(super) fn scanned_at_most(rows: usize) -> usize {
    ((rows * 2000) as f64).sqrt() as usize
}

/// How many threads build a graph: half of the processors, and at most four.
pub(super) fn build_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |all| (all.get() / 2).clamp(1, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_moves_over_in_both_directions() {
        let choice = Choice { keep_from: 100, graph_from: 1000 };
        let next = |graph, dead, tail, written| choice.next(Standing { graph, dead, tail, written });
        for (graph, dead, tail, written, step) in [
            (None, 0, 0, 0, None),
            (None, 0, 999, 999, None),
            (None, 0, 1000, 1000, Some(Step::Graph)),
            (None, 0, 500, 1501, Some(Step::Scan)),
            (Some(1000), 0, 0, 0, None),
            (Some(1000), 0, 500, 500, None),
            (Some(1000), 0, 501, 501, Some(Step::Graph)),
            (Some(10_000), 2_750, 0, 0, None),
            (Some(10_000), 2_751, 0, 0, Some(Step::Graph)),
            (Some(1000), 501, 0, 0, Some(Step::Scan)),
            (Some(1000), 500, 0, 0, None),
        ] {
            assert_eq!(next(graph, dead, tail, written), step, "{graph:?} {dead} {tail} {written}");
        }
    }
}
