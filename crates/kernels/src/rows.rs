//! Rows of numbers, one after the other, and the scores of one query against many of them.

use std::ops::Range;

use half::f16;

use crate::coded::{self, I8Query};
use crate::dispatch::{self, Pick};
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

/// Whether `values` are whole rows of a width.
fn whole_rows(values: usize, width: usize) -> bool {
    width > 0 && values.is_multiple_of(width)
}

fn row<T>(values: &[T], width: usize, row: usize) -> &[T] {
    &values[row * width..(row + 1) * width]
}

/// Rows of `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32Rows<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> F32Rows<'a> {
    /// Rows of this width, where the values are whole rows.
    pub fn new(values: &'a [f32], width: usize) -> Option<Self> {
        whole_rows(values.len(), width).then_some(Self { values, width })
    }

    /// One row.
    #[inline]
    pub fn row(&self, at: usize) -> &'a [f32] {
        row(self.values, self.width, at)
    }
}

/// Rows of half floats: half the memory, with eleven binary digits of each value.
#[derive(Clone, Copy, Debug)]
pub struct F16Rows<'a> {
    values: &'a [f16],
    width: usize,
}

impl<'a> F16Rows<'a> {
    /// Rows of this width, where the values are whole rows.
    pub fn new(values: &'a [f16], width: usize) -> Option<Self> {
        whole_rows(values.len(), width).then_some(Self { values, width })
    }

    /// One row.
    #[inline]
    pub fn row(&self, at: usize) -> &'a [f16] {
        row(self.values, self.width, at)
    }
}

/// Rows of bytes with a scale each, as [`code`](crate::code) makes them: a quarter of the memory, and a score whose error
/// is [bounded](I8Query::bound).
#[derive(Clone, Copy, Debug)]
pub struct I8Rows<'a> {
    codes: &'a [i8],
    scales: &'a [f32],
    width: usize,
}

impl<'a> I8Rows<'a> {
    /// Rows of this width, where there are whole rows and a scale for each.
    pub fn new(codes: &'a [i8], scales: &'a [f32], width: usize) -> Option<Self> {
        let whole = whole_rows(codes.len(), width) && codes.len() / width == scales.len();
        whole.then_some(Self { codes, scales, width })
    }

    /// The bytes of one row.
    #[inline]
    pub fn row(&self, at: usize) -> &'a [i8] {
        row(self.codes, self.width, at)
    }

    #[inline]
    pub(crate) fn scale(&self, row: usize) -> f32 {
        self.scales[row]
    }
}

/// Rows of bytes and what these leave of each value, as [`code_fine`](crate::code_fine) makes them: three quarters of the
/// memory of `f32`, and 24 binary digits of each row's largest value, which is what `f32` holds of it.
#[derive(Clone, Copy, Debug)]
pub struct FineRows<'a> {
    codes: I8Rows<'a>,
    rest: &'a [i16],
}

impl<'a> FineRows<'a> {
    /// The rows of these bytes, where the rest is as long as they are.
    pub fn new(codes: I8Rows<'a>, rest: &'a [i16]) -> Option<Self> {
        (codes.codes.len() == rest.len()).then_some(Self { codes, rest })
    }

    /// The bytes of one row, and the rest of them.
    #[inline]
    pub fn row(&self, at: usize) -> (&'a [i8], &'a [i16]) {
        (self.codes.row(at), row(self.rest, self.codes.width, at))
    }

    #[inline]
    pub(crate) fn scale(&self, row: usize) -> f32 {
        self.codes.scale(row) / coded::FINENESS
    }

    /// One row as it was before, to within 24 binary digits of its largest value.
    pub fn decode(&self, at: usize) -> Vec<f32> {
        let ((codes, rest), scale) = (self.row(at), self.scale(at));
        codes.iter().zip(rest).map(|(code, rest)| crate::plain::whole(*code, *rest) as f32 * scale).collect()
    }
}

macro_rules! rows {
    ($rows:ident, $each:ident, $query:ty, |$self:ident, $vector:ident| $make:expr, $count:expr, $width:expr) => {
        impl Rows for $rows<'_> {
            type Query = $query;

            fn query(&$self, $vector: &[f32]) -> $query {
                assert_eq!($vector.len(), $width, "the length of a query");
                $make
            }

            #[inline]
            fn len(&$self) -> usize {
                $count
            }

            #[inline]
            fn width(&$self) -> usize {
                $width
            }

            fn dot_range_at(
                &self,
                level: Level,
                query: &$query,
                rows: Range<usize>,
                scores: &mut Vec<f32>,
            ) {
                dispatch::$each(level, query, *self, Pick::Range(rows), scores);
            }

            fn dot_many_at(&self, level: Level, query: &$query, rows: &[u32], scores: &mut Vec<f32>) {
                dispatch::$each(level, query, *self, Pick::These(rows), scores);
            }
        }
    };
}

rows!(
    F32Rows,
    f32_each,
    Box<[f32]>,
    |self, vector| vector.into(),
    self.values.len() / self.width,
    self.width
);
rows!(
    F16Rows,
    f16_each,
    Box<[f32]>,
    |self, vector| vector.into(),
    self.values.len() / self.width,
    self.width
);
rows!(I8Rows, i8_each, I8Query, |self, vector| coded::query(vector), self.scales.len(), self.width);
rows!(FineRows, fine_each, Box<[f32]>, |self, vector| vector.into(), self.codes.len(), self.codes.width);
