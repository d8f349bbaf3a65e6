//! The scores of one query against many rows.

use std::ops::Range;

use crate::coded::{self, I8Query};
use crate::dispatch::{self, Pick};
use crate::kinds::{F16Rows, F32Rows, FineRows, I8Rows};
use crate::level::Level;

/// Vectors of one length that lie one after the other, and may be compared with a query.
///
/// A call compares the query with many rows, since one row costs less than a call. Rows are named by their place, from 0.
/// Nothing here panics on what rows hold: a damaged file gives wrong scores, and no worse.
pub trait Rows: Copy {
    /// A query that was made ready for rows of this kind.
    type Query;

    /// Makes a query ready.
    ///
    /// # Panics
    /// Where it is not as long as a row.
    fn query(&self, vector: &[f32]) -> Self::Query;

    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of a row.
    fn width(&self) -> usize;

    /// Puts the scores of neighbouring rows into `scores`, in place of what it held. What lies beyond the last row scores
    /// negative infinity.
    fn dot_range(&self, query: &Self::Query, rows: Range<usize>, scores: &mut Vec<f32>) {
        self.dot_range_at(Level::best(), query, rows, scores);
    }

    /// Puts the scores of these rows into `scores`, in their order and in place of what it held. A place without a row
    /// scores negative infinity. Rows are fetched from memory ahead of their turn.
    fn dot_many(&self, query: &Self::Query, rows: &[u32], scores: &mut Vec<f32>) {
        self.dot_many_at(Level::best(), query, rows, scores);
    }

    /// [`Self::dot_range`] with the instructions of a level.
    fn dot_range_at(&self, level: Level, query: &Self::Query, rows: Range<usize>, scores: &mut Vec<f32>);

    /// [`Self::dot_many`] with the instructions of a level.
    fn dot_many_at(&self, level: Level, query: &Self::Query, rows: &[u32], scores: &mut Vec<f32>);
}

macro_rules! rows {
    ($rows:ident, $each:ident, $query:ty, |$vector:ident| $make:expr) => {
        impl Rows for $rows<'_> {
            type Query = $query;

            fn query(&self, $vector: &[f32]) -> $query {
                assert_eq!($vector.len(), self.length(), "the length of a query");
                $make
            }

            #[inline]
            fn len(&self) -> usize {
                self.count()
            }

            #[inline]
            fn width(&self) -> usize {
                self.length()
            }

            fn dot_range_at(&self, level: Level, query: &$query, rows: Range<usize>, scores: &mut Vec<f32>) {
                dispatch::$each(level, query, *self, Pick::Range(rows), scores);
            }

            fn dot_many_at(&self, level: Level, query: &$query, rows: &[u32], scores: &mut Vec<f32>) {
                dispatch::$each(level, query, *self, Pick::These(rows), scores);
            }
        }
    };
}

rows!(F32Rows, f32_each, Box<[f32]>, |vector| vector.into());
rows!(F16Rows, f16_each, Box<[f32]>, |vector| vector.into());
rows!(I8Rows, i8_each, I8Query, |vector| coded::query(vector));
rows!(FineRows, fine_each, Box<[f32]>, |vector| vector.into());
