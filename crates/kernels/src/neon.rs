//! The kernels with NEON. All loops run over arrays of a fixed length, so that nothing is read beside them; what is left
//! over at the end is summed by [`plain`]. Half floats are widened by the crate `half`.

use std::arch::aarch64::*;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::plain;

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn f32_dot(query: &[f32], row: &[f32]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<16>();
    let (row_blocks, row_rest) = row.as_chunks::<16>();
    let mut sums = [vdupq_n_f32(0.0); 4];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        add(&mut sums, q, x);
    }
    sum(sums) + plain::f32_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn f16_dot(query: &[f32], row: &[f16]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<16>();
    let (row_blocks, row_rest) = row.as_chunks::<16>();
    let mut sums = [vdupq_n_f32(0.0); 4];
    let mut wide = [0.0; 16];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        x.convert_to_f32_slice(&mut wide);
        add(&mut sums, q, &wide);
    }
    sum(sums) + plain::f16_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn i8_dot(query: &[i16], row: &[i8]) -> i32 {
    let (query_blocks, query_rest) = query.as_chunks::<8>();
    let (row_blocks, row_rest) = row.as_chunks::<8>();
    let mut sums = [vdupq_n_s32(0); 2];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (words(q), vmovl_s8(bytes(x)));
        sums[0] = vmlal_s16(sums[0], vget_low_s16(q), vget_low_s16(x));
        sums[1] = vmlal_s16(sums[1], vget_high_s16(q), vget_high_s16(x));
    }
    vaddvq_s32(vaddq_s32(sums[0], sums[1])).wrapping_add(plain::i8_dot(query_rest, row_rest))
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn fine_dot(query: &[f32], codes: &[i8], rest: &[i16]) -> f32 {
    let (query_blocks, query_left) = query.as_chunks::<8>();
    let (code_blocks, codes_left) = codes.as_chunks::<8>();
    let (rest_blocks, rest_left) = rest.as_chunks::<8>();
    let mut sums = [vdupq_n_f32(0.0); 4];
    for ((q, code), rest) in query_blocks.iter().zip(code_blocks).zip(rest_blocks) {
        let q = q.as_chunks::<4>().0;
        let (code, rest) = (vmovl_s8(bytes(code)), words(rest));
        let low = vaddq_s32(vshll_n_s16::<16>(vget_low_s16(code)), vmovl_s16(vget_low_s16(rest)));
        let high = vaddq_s32(vshll_n_s16::<16>(vget_high_s16(code)), vmovl_s16(vget_high_s16(rest)));
        sums[0] = vfmaq_f32(sums[0], floats(&q[0]), vcvtq_f32_s32(low));
        sums[1] = vfmaq_f32(sums[1], floats(&q[1]), vcvtq_f32_s32(high));
    }
    sum(sums) + plain::fine_dot(query_left, codes_left, rest_left)
}

#[inline]
#[target_feature(enable = "neon")]
fn add(sums: &mut [float32x4_t; 4], query: &[f32; 16], row: &[f32; 16]) {
    let (q, x) = (query.as_chunks::<4>().0, row.as_chunks::<4>().0);
    for lane in 0..4 {
        sums[lane] = vfmaq_f32(sums[lane], floats(&q[lane]), floats(&x[lane]));
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn sum(sums: [float32x4_t; 4]) -> f32 {
    vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])))
}

#[inline]
#[target_feature(enable = "neon")]
fn floats(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: the reference points to 16 readable bytes, aligned for `f32`, which is what is read.
    unsafe { vld1q_f32(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn words(values: &[i16; 8]) -> int16x8_t {
    // SAFETY: the reference points to 16 readable bytes, aligned for `i16`, which is what is read.
    unsafe { vld1q_s16(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn bytes(values: &[i8; 8]) -> int8x8_t {
    // SAFETY: the reference points to 8 readable bytes, which is what is read.
    unsafe { vld1_s8(values.as_ptr()) }
}
