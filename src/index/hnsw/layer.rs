//! The links of one layer, from each row to others: lists that lie one after the other.

/// Links that are read where they lie. Nothing that they hold is trusted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layer<'a> {
    /// Where the list of each row begins, and where the last one ends.
    pub offsets: &'a [u32],
    pub links: &'a [u32],
}

impl<'a> Layer<'a> {
    /// How many rows are on it.
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The rows that a row links to; none where the row or its list is not there.
    #[inline]
    pub fn of(&self, row: u32) -> &'a [u32] {
        match self.offsets.get(row as usize..) {
            Some([begin, end, ..]) => self.links.get(*begin as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Links in memory.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub offsets: Vec<u32>,
    pub links: Vec<u32>,
}

impl Links {
    /// The links of rows from 0 on, in their order.
    pub fn of_lists<L: AsRef<[u32]>>(lists: impl IntoIterator<Item = L>) -> Self {
        let mut all = Self { offsets: vec![0], links: Vec::new() };
        for list in lists {
            all.links.extend_from_slice(list.as_ref());
            all.offsets.push(all.links.len() as u32);
        }
        all
    }

    pub fn layer(&self) -> Layer<'_> {
        Layer { offsets: &self.offsets, links: &self.links }
    }

    /// How many rows have a list here.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }
}
