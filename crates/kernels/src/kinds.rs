//! The kinds of rows: what lies one after the other, and how much of it.

use half::f16;

use crate::coded;
use crate::plain;

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

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.width
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

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.width
    }
}

/// Rows of bytes with a scale each, as [`code`](crate::code) makes them: a quarter of the memory, and a score whose error
/// is [bounded](crate::I8Query::bound).
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

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.scales.len()
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.width
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
        codes.iter().zip(rest).map(|(code, rest)| plain::whole(*code, *rest) as f32 * scale).collect()
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.codes.count()
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.codes.width
    }
}
