//! The kernels with AVX2, FMA and F16C. All loops run over arrays of a fixed length, so that nothing is read beside them;
//! what is left over at the end is summed by [`plain`].

use std::arch::x86_64::*;

use half::f16;

use crate::plain;

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn f32_dot(query: &[f32], row: &[f32]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<32>();
    let (row_blocks, row_rest) = row.as_chunks::<32>();
    let mut sums = [_mm256_setzero_ps(); 4];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<8>().0, x.as_chunks::<8>().0);
        for lane in 0..4 {
            sums[lane] = _mm256_fmadd_ps(floats(&q[lane]), floats(&x[lane]), sums[lane]);
        }
    }
    sum(sums) + plain::f32_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn f16_dot(query: &[f32], row: &[f16]) -> f32 {
    let (query_blocks, query_rest) = query.as_chunks::<32>();
    let (row_blocks, row_rest) = row.as_chunks::<32>();
    let mut sums = [_mm256_setzero_ps(); 4];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<8>().0, x.as_chunks::<8>().0);
        for lane in 0..4 {
            sums[lane] = _mm256_fmadd_ps(floats(&q[lane]), halves(&x[lane]), sums[lane]);
        }
    }
    sum(sums) + plain::f16_dot(query_rest, row_rest)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn i8_dot(query: &[i16], row: &[i8]) -> i32 {
    let (query_blocks, query_rest) = query.as_chunks::<32>();
    let (row_blocks, row_rest) = row.as_chunks::<32>();
    let mut sums = [_mm256_setzero_si256(); 2];
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, x) = (q.as_chunks::<16>().0, x.as_chunks::<16>().0);
        for lane in 0..2 {
            let products = _mm256_madd_epi16(words(&q[lane]), _mm256_cvtepi8_epi16(bytes(&x[lane])));
            sums[lane] = _mm256_add_epi32(sums[lane], products);
        }
    }
    let sums = _mm256_add_epi32(sums[0], sums[1]);
    let half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b_11_10_11_10>(half));
    let one = _mm_add_epi32(quarter, _mm_shuffle_epi32::<0b_01_01_01_01>(quarter));
    _mm_cvtsi128_si32(one).wrapping_add(plain::i8_dot(query_rest, row_rest))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn fine_dot(query: &[f32], codes: &[i8], rest: &[i16]) -> f32 {
    let (query_blocks, query_left) = query.as_chunks::<16>();
    let (code_blocks, codes_left) = codes.as_chunks::<16>();
    let (rest_blocks, rest_left) = rest.as_chunks::<16>();
    let mut sums = [_mm256_setzero_ps(); 4];
    for ((q, code), rest) in query_blocks.iter().zip(code_blocks).zip(rest_blocks) {
        let q = q.as_chunks::<8>().0;
        let (code, rest) = (bytes(code), words(rest));
        let codes = [_mm256_cvtepi8_epi32(code), _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(code))];
        let rests = [_mm256_castsi256_si128(rest), _mm256_extracti128_si256::<1>(rest)];
        for lane in 0..2 {
            let whole =
                _mm256_add_epi32(_mm256_slli_epi32::<16>(codes[lane]), _mm256_cvtepi16_epi32(rests[lane]));
            sums[lane] = _mm256_fmadd_ps(floats(&q[lane]), _mm256_cvtepi32_ps(whole), sums[lane]);
        }
    }
    sum(sums) + plain::fine_dot(query_left, codes_left, rest_left)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum(sums: [__m256; 4]) -> f32 {
    let all = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps::<1>(all));
    let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn floats(values: &[f32; 8]) -> __m256 {
    // SAFETY: the reference points to 32 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn halves(values: &[f16; 8]) -> __m256 {
    // Miri does not know the instruction.
    if cfg!(miri) {
        return floats(&values.map(f16::to_f32_const));
    }
    // SAFETY: `f16` is a `u16` in memory, so the reference points to 16 readable bytes, which is what is read, and the
    // instruction asks for no alignment.
    let halves = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
    _mm256_cvtph_ps(halves)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn words(values: &[i16; 16]) -> __m256i {
    // SAFETY: the reference points to 32 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn bytes(values: &[i8; 16]) -> __m128i {
    // SAFETY: the reference points to 16 readable bytes, which is what is read, and the instruction asks for no alignment.
    unsafe { _mm_loadu_si128(values.as_ptr().cast()) }
}
