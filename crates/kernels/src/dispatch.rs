//! One loop over rows for each kind of them and each level of instructions.
//!
//! The loop is compiled into a function that has the instructions, with the kernel inlined, so that the choice is made once
//! a call.

use std::ops::Range;

use half::f16;

use crate::coded::I8Query;
use crate::kinds::{F16Rows, F32Rows, FineRows, I8Rows};
use crate::level::{Level, Set};
use crate::plain;
use crate::prefetch::prefetch;

/// The rows that are compared.
pub(crate) enum Pick<'a> {
    Range(Range<usize>),
    These(&'a [u32]),
}

/// How much is fetched ahead, in bytes: about as many lines as a core waits for at a time.
const AHEAD: usize = 1536;

/// Puts the score of each row that is picked into `scores`. `score` is called for rows that are there alone.
#[inline(always)]
fn each(
    count: usize,
    bytes: usize,
    pick: Pick<'_>,
    scores: &mut Vec<f32>,
    fetch: impl Fn(usize),
    score: impl Fn(usize) -> f32,
) {
    scores.clear();
    match pick {
        Pick::Range(rows) => {
            let wanted = rows.len();
            scores.extend((rows.start..rows.end.min(count)).map(&score));
            scores.resize(wanted, f32::NEG_INFINITY);
        }
        Pick::These(rows) => {
            let ahead = (AHEAD / bytes.max(1)).clamp(1, 8);
            let fetch =
                |row: Option<&u32>| row.map(|row| *row as usize).filter(|row| *row < count).map(&fetch);
            rows.iter().take(ahead).for_each(|row| {
                fetch(Some(row));
            });
            scores.extend(rows.iter().enumerate().map(|(at, row)| {
                fetch(rows.get(at + ahead));
                let row = *row as usize;
                if row < count { score(row) } else { f32::NEG_INFINITY }
            }));
        }
    }
}

#[inline(always)]
fn f32_loop(
    query: &[f32],
    rows: F32Rows<'_>,
    pick: Pick<'_>,
    scores: &mut Vec<f32>,
    dot: impl Fn(&[f32], &[f32]) -> f32,
) {
    let bytes = rows.length() * 4;
    each(rows.count(), bytes, pick, scores, |row| prefetch(rows.row(row)), |row| dot(query, rows.row(row)));
}

#[inline(always)]
fn f16_loop(
    query: &[f32],
    rows: F16Rows<'_>,
    pick: Pick<'_>,
    scores: &mut Vec<f32>,
    dot: impl Fn(&[f32], &[f16]) -> f32,
) {
    let bytes = rows.length() * 2;
    each(rows.count(), bytes, pick, scores, |row| prefetch(rows.row(row)), |row| dot(query, rows.row(row)));
}

#[inline(always)]
fn i8_loop(
    query: &I8Query,
    rows: I8Rows<'_>,
    pick: Pick<'_>,
    scores: &mut Vec<f32>,
    dot: impl Fn(&[i16], &[i8]) -> i32,
) {
    let score = |row| dot(&query.codes, rows.row(row)) as f32 * (query.scale * rows.scale(row));
    each(rows.count(), rows.length(), pick, scores, |row| prefetch(rows.row(row)), score);
}

#[inline(always)]
fn fine_loop(
    query: &[f32],
    rows: FineRows<'_>,
    pick: Pick<'_>,
    scores: &mut Vec<f32>,
    dot: impl Fn(&[f32], &[i8], &[i16]) -> f32,
) {
    let fetch = |row| {
        let (codes, rest) = rows.row(row);
        prefetch(codes);
        prefetch(rest);
    };
    let score = |row| {
        let (codes, rest) = rows.row(row);
        dot(query, codes, rest) * rows.scale(row)
    };
    each(rows.count(), rows.length() * 3, pick, scores, fetch, score);
}

/// Compiles a loop for each level, and chooses among them.
macro_rules! at_each_level {
    ($name:ident: $each:ident of $dot:ident($($part:ident),*), $query:ty, $rows:ty) => {
        pub(crate) fn $name(
            level: Level,
            query: &$query,
            rows: $rows,
            pick: Pick<'_>,
            scores: &mut Vec<f32>,
        ) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2(query: &$query, rows: $rows, pick: Pick<'_>, scores: &mut Vec<f32>) {
                $each(query, rows, pick, scores, |$($part),*| crate::x86::avx2::$dot($($part),*));
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
            fn avx512(query: &$query, rows: $rows, pick: Pick<'_>, scores: &mut Vec<f32>) {
                $each(query, rows, pick, scores, |$($part),*| crate::x86::avx512::$dot($($part),*));
            }

            #[cfg(target_arch = "aarch64")]
            #[target_feature(enable = "neon")]
            fn neon(query: &$query, rows: $rows, pick: Pick<'_>, scores: &mut Vec<f32>) {
                $each(query, rows, pick, scores, |$($part),*| crate::neon::$dot($($part),*));
            }

            match level.0 {
                Set::Plain => $each(query, rows, pick, scores, plain::$dot),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Level` of this set is made only where the processor has AVX2, FMA and F16C.
                Set::Avx2 => unsafe { avx2(query, rows, pick, scores) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Level` of this set is made only where the processor has AVX-512 F, BW and VNNI, AVX2, FMA and
                // F16C.
                Set::Avx512 => unsafe { avx512(query, rows, pick, scores) },
                #[cfg(target_arch = "aarch64")]
                // SAFETY: a `Level` of this set is made only where the processor has NEON.
                Set::Neon => unsafe { neon(query, rows, pick, scores) },
            }
        }
    };
}

at_each_level!(f32_each: f32_loop of f32_dot(query, row), [f32], F32Rows<'_>);
at_each_level!(f16_each: f16_loop of f16_dot(query, row), [f32], F16Rows<'_>);
at_each_level!(i8_each: i8_loop of i8_dot(query, row), I8Query, I8Rows<'_>);
at_each_level!(fine_each: fine_loop of fine_dot(query, codes, rest), [f32], FineRows<'_>);
