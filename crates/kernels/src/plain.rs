//! The kernels in plain Rust: what runs where the processor has nothing better, and what the others are tested against.

use half::f16;

/// The sum of products.
pub(crate) fn f32_dot(query: &[f32], row: &[f32]) -> f32 {
    sum(query, row, |value| value)
}

/// The same over half floats.
pub(crate) fn f16_dot(query: &[f32], row: &[f16]) -> f32 {
    sum(query, row, f16::to_f32)
}

/// The sum of products of whole numbers. [`crate::coded::query`] makes queries so small that no sum overflows, whatever the
/// row holds.
pub(crate) fn i8_dot(query: &[i16], row: &[i8]) -> i32 {
    query.iter().zip(row).map(|(q, x)| i32::from(*q) * i32::from(*x)).fold(0, i32::wrapping_add)
}

/// The sum of products with `codes * 65536 + rest`, each of which is a whole number that `f32` holds exactly.
pub(crate) fn fine_dot(query: &[f32], codes: &[i8], rest: &[i16]) -> f32 {
    let (query_blocks, query_left) = query.as_chunks::<16>();
    let (code_blocks, codes_left) = codes.as_chunks::<16>();
    let (rest_blocks, rest_left) = rest.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for ((q, code), rest) in query_blocks.iter().zip(code_blocks).zip(rest_blocks) {
        for lane in 0..16 {
            sums[lane] += q[lane] * whole(code[lane], rest[lane]) as f32;
        }
    }
    let left = query_left.iter().zip(codes_left).zip(rest_left);
    let left: f32 = left.map(|((q, code), rest)| q * whole(*code, *rest) as f32).sum();
    sums.iter().sum::<f32>() + left
}

#[inline(always)]
pub(crate) fn whole(code: i8, rest: i16) -> i32 {
    (i32::from(code) << 16) + i32::from(rest)
}

/// Sixteen sums side by side, which the compiler makes vectors of.
#[inline(always)]
fn sum<T: Copy>(query: &[f32], row: &[T], value: impl Fn(T) -> f32) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<16>();
    let (row_blocks, row_rest) = row.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        for lane in 0..16 {
            sums[lane] += q[lane] * value(x[lane]);
        }
    }
    let rest: f32 = query_rest.iter().zip(row_rest).map(|(q, x)| q * value(*x)).sum();
    sums.iter().sum::<f32>() + rest
}
