//! The kernels with AVX-512. All loops run over arrays of a fixed length, so that nothing is read beside them; what is left
//! over at the end is summed by [`plain`].

use std::arch::x86_64::*;

use half::f16;

use crate::plain;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
pub(crate) fn f32_dot(query: &[f32], row: &[f32]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<64>();
    let (row_blocks, row_rest) = row.as_chunks::<64>();
    let mut sums = [_mm512_setzero_ps(); 4];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<16>().0, x.as_chunks::<16>().0);
        for lane in 0..4 {
            sums[lane] = _mm512_fmadd_ps(floats(&q[lane]), floats(&x[lane]), sums[lane]);
        }
    }
    sum(sums) + plain::f32_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
pub(crate) fn f16_dot(query: &[f32], row: &[f16]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<64>();
    let (row_blocks, row_rest) = row.as_chunks::<64>();
    let mut sums = [_mm512_setzero_ps(); 4];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<16>().0, x.as_chunks::<16>().0);
        for lane in 0..4 {
            sums[lane] = _mm512_fmadd_ps(floats(&q[lane]), halves(&x[lane]), sums[lane]);
        }
    }
    sum(sums) + plain::f16_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
pub(crate) fn i8_dot(query: &[i16], row: &[i8]) -> i32 {
    let (query_blocks, query_rest) = query.as_chunks::<64>();
    let (row_blocks, row_rest) = row.as_chunks::<64>();
    let mut sums = [_mm512_setzero_si512(); 2];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<32>().0, x.as_chunks::<32>().0);
        for lane in 0..2 {
            sums[lane] = add_products(sums[lane], words(&q[lane]), _mm512_cvtepi8_epi16(bytes(&x[lane])));
        }
    }
    let sums = _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]));
    sums.wrapping_add(plain::i8_dot(query_rest, row_rest))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
pub(crate) fn fine_dot(query: &[f32], codes: &[i8], rest: &[i16]) -> f32 {
    let (query_blocks, query_left) = query.as_chunks::<32>();
    let (code_blocks, codes_left) = codes.as_chunks::<32>();
    let (rest_blocks, rest_left) = rest.as_chunks::<32>();
    let mut sums = [_mm512_setzero_ps(); 4];
    for ((q, code), rest) in query_blocks.iter().zip(code_blocks).zip(rest_blocks) {
        let q = q.as_chunks::<16>().0;
        let (code, rest) = (bytes(code), words(rest));
        let codes = [_mm256_castsi256_si128(code), _mm256_extracti128_si256::<1>(code)];
        let rests = [_mm512_castsi512_si256(rest), _mm512_extracti64x4_epi64::<1>(rest)];
        for lane in 0..2 {
            let high = _mm512_slli_epi32::<16>(_mm512_cvtepi8_epi32(codes[lane]));
            let whole = _mm512_add_epi32(high, _mm512_cvtepi16_epi32(rests[lane]));
            sums[lane] = _mm512_fmadd_ps(floats(&q[lane]), _mm512_cvtepi32_ps(whole), sums[lane]);
        }
    }
    sum(sums) + plain::fine_dot(query_left, codes_left, rest_left)
}

/// Adds the products of neighbours: one instruction of VNNI, which Miri does not know, or two.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn add_products(sum: __m512i, one: __m512i, two: __m512i) -> __m512i {
    if cfg!(miri) {
        return _mm512_add_epi32(sum, _mm512_madd_epi16(one, two));
    }
    _mm512_dpwssd_epi32(sum, one, two)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn sum(sums: [__m512; 4]) -> f32 {
    let (low, high) = (_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
    _mm512_reduce_add_ps(_mm512_add_ps(low, high))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn floats(values: &[f32; 16]) -> __m512 {
    // SAFETY: the reference points to 64 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn halves(values: &[f16; 16]) -> __m512 {
    // Miri does not know the instruction.
    if cfg!(miri) {
        return floats(&values.map(f16::to_f32_const));
    }
    // SAFETY: `f16` is a `u16` in memory, so the reference points to 32 readable bytes, which is what is read, and the
    // instruction asks for no alignment.
    let halves = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
    _mm512_cvtph_ps(halves)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn words(values: &[i16; 32]) -> __m512i {
    // SAFETY: the reference points to 64 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn bytes(values: &[i8; 32]) -> __m256i {
    // SAFETY: the reference points to 32 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}
