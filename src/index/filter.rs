//! Which chunks a search may find.

use std::collections::BTreeSet;
use std::sync::Arc;

/// A condition on the document of a chunk. Copies share their sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Admits every chunk.
    #[default]
    Everything,
    /// Admits the chunks of these documents.
    Documents(Arc<BTreeSet<i64>>),
    /// Admits what the other does not.
    Not(Arc<Filter>),
    /// Admits what all of these admit; without any, everything.
    All(Arc<[Filter]>),
    /// Admits what one of these admits; without any, nothing.
    Any(Arc<[Filter]>),
}

impl Filter {
    /// Whether a chunk of this document may be found.
    pub fn admits(&self, document: i64) -> bool {
        match self {
            Self::Everything => true,
            Self::Documents(documents) => documents.contains(&document),
            Self::Not(filter) => !filter.admits(document),
            Self::All(filters) => filters.iter().all(|filter| filter.admits(document)),
            Self::Any(filters) => filters.iter().any(|filter| filter.admits(document)),
        }
    }
}

impl FromIterator<i64> for Filter {
    fn from_iter<I: IntoIterator<Item = i64>>(documents: I) -> Self {
        Self::Documents(Arc::new(documents.into_iter().collect()))
    }
}

/// Filters of every kind over documents 0 to 6, and how many of these each admits.
#[cfg(test)]
pub(super) fn examples() -> Vec<(Filter, usize)> {
    let of = |documents: &[i64]| documents.iter().copied().collect::<Filter>();
    let not = |filter| Filter::Not(Arc::new(filter));
    vec![
        (Filter::Everything, 7),
        (of(&[3]), 1),
        (of(&[]), 0),
        (not(of(&[3, 99])), 6),
        (not(Filter::Everything), 0),
        (Filter::All([].into()), 7),
        (Filter::Any([].into()), 0),
        (Filter::All([of(&[1, 2, 3]), not(of(&[2]))].into()), 2),
        (Filter::Any([of(&[1]), of(&[1, 5]), Filter::All([of(&[2]), of(&[4])].into())].into()), 2),
        (not(Filter::Any([of(&[0]), not(of(&[0, 1]))].into())), 1),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_kind_admits_what_it_says() {
        for (filter, admitted) in super::examples() {
            assert_eq!((0..7).filter(|document| filter.admits(*document)).count(), admitted, "{filter:?}");
        }
    }
}
