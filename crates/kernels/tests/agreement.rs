//! Every level of instructions agrees with the definition of a dot product, computed in `f64`, over random lengths and
//! values; and codes are as near as their bounds say.

use lastro_kernels::{Coded, F16Rows, F32Rows, FineRows, I8Rows, Level, Rows, code, code_fine, f16};
use proptest::prelude::*;

/// Miri takes seconds where the processor takes microseconds. It runs vector instructions where the compiler is told of
/// them, and then rows must be long enough for these.
const CASES: u32 = if cfg!(miri) { 3 } else { 400 };
const WIDTHS: std::ops::Range<usize> = match (cfg!(miri), cfg!(target_feature = "avx2")) {
    (false, _) => 1..300,
    (true, false) => 1..24,
    (true, true) => 64..140,
};

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

/// Values of all sizes, by a seed: Miri would take minutes to draw each by itself.
fn values(mut seed: u64, count: usize) -> Vec<f32> {
    let next = || {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let unit = (seed >> 40) as f32 / (1 << 23) as f32 - 1.0;
        match seed >> 33 & 15 {
            0 => 0.0,
            1 => unit * 1e6,
            2 => 1e-41,
            _ => unit,
        }
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A query and some rows of its length.
fn rows_of() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (WIDTHS, 0usize..6, any::<u64>())
        .prop_map(|(width, count, seed)| (values(seed, width), values(!seed, width * count)))
}

fn dot(query: &[f32], row: impl Iterator<Item = f32>) -> f64 {
    query.iter().zip(row).map(|(q, x)| f64::from(*q) * f64::from(x)).sum()
}

/// What `f32` may round off.
fn slack(query: &[f32], row: &[f32]) -> f64 {
    let size: f64 = query.iter().zip(row).map(|(q, x)| (f64::from(*q) * f64::from(*x)).abs()).sum();
    size * (query.len() + 2) as f64 * f64::from(f32::EPSILON) + 1e-30
}

/// The scores at each level by range and by place are the same, and what is not there is negative infinity.
fn scored<R: Rows>(rows: R, query: &[f32]) -> Vec<(Level, Vec<f32>)> {
    let query = rows.query(query);
    let count = rows.len();
    let places: Vec<u32> = (0..count as u32 + 2).rev().collect();
    let all = Level::all().into_iter().map(|level| {
        let (mut by_range, mut by_place) = (vec![7.0], vec![8.0; 99]);
        rows.dot_range_at(level, &query, 0..count + 2, &mut by_range);
        rows.dot_many_at(level, &query, &places, &mut by_place);
        by_place.reverse();
        // One NaN is as good as another: Miri makes a different one each time.
        let bits = |scores: &[f32]| {
            scores.iter().map(|score| (!score.is_nan()).then_some(score.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(bits(&by_range), bits(&by_place), "{level:?}");
        assert_eq!(by_range.split_off(count), [f32::NEG_INFINITY; 2], "{level:?}");
        (level, by_range)
    });
    all.collect()
}

fn near(scores: &[(Level, Vec<f32>)], expected: impl Fn(usize) -> (f64, f64)) {
    for (level, scores) in scores {
        for (row, score) in scores.iter().enumerate() {
            let (expected, slack) = expected(row);
            assert!(
                (f64::from(*score) - expected).abs() <= slack,
                "{level:?}, row {row}: {score} for {expected}"
            );
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn f32_rows((query, values) in rows_of()) {
        let width = query.len();
        let rows = F32Rows::new(&values, width).expect("whole rows");
        near(&scored(rows, &query), |row| {
            let row = rows.row(row);
            (dot(&query, row.iter().copied()), slack(&query, row))
        });
    }

    #[test]
    fn f16_rows((query, values) in rows_of()) {
        let width = query.len();
        // Beyond 65504 a half float is infinite, which has a test of its own.
        let halves: Vec<f16> = values.iter().map(|value| f16::from_f32_const(value.clamp(-65504.0, 65504.0))).collect();
        let rows = F16Rows::new(&halves, width).expect("whole rows");
        near(&scored(rows, &query), |row| {
            let row: Vec<f32> = rows.row(row).iter().map(|value| value.to_f32()).collect();
            (dot(&query, row.iter().copied()), slack(&query, &row))
        });
    }

    /// Codes of any value, also those that no coding makes. Whole numbers: every level gives the same bits.
    #[test]
    fn i8_rows((query, codes) in (WIDTHS, 0usize..6, any::<u64>()).prop_map(|(width, count, seed)| {
        let codes = values(!seed, width * count).into_iter().map(|value| (value * 128.0).floor() as i8);
        (values(seed, width), codes.collect::<Vec<i8>>())
    })) {
        let width = query.len();
        let scales: Vec<f32> = (0..codes.len() / width).map(|row| row as f32 * 0.37 - 1.0).collect();
        let rows = I8Rows::new(&codes, &scales, width).expect("whole rows");
        let scores = scored(rows, &query);
        for (level, other) in &scores {
            prop_assert_eq!(other, &scores[0].1, "{:?}", level);
        }
        let greatest = query.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
        near(&scores, |row| {
            let values: Vec<f32> = rows.row(row).iter().map(|code| f32::from(*code) * scales[row]).collect();
            let step = f64::from(greatest) / 32767.0;
            let size: f64 = values.iter().map(|value| f64::from(value.abs())).sum();
            (dot(&query, values.iter().copied()), slack(&query, &values) + step * size)
        });
    }

    #[test]
    fn scores_of_codes_are_within_their_bound((query, values) in rows_of()) {
        let width = query.len();
        let (mut codes, mut scales) = (vec![0; values.len()], Vec::new());
        let mut worst = Coded::default();
        for (row, codes) in values.chunks_exact(width).zip(codes.chunks_exact_mut(width)) {
            let coded = code(row, codes);
            scales.push(coded.scale);
            worst = worst.worst(coded);
        }
        let rows = I8Rows::new(&codes, &scales, width).expect("whole rows");
        let bound = f64::from(rows.query(&query).bound(worst)) + 1e-30;
        near(&scored(rows, &query), |row| {
            (dot(&query, values[row * width..(row + 1) * width].iter().copied()), bound)
        });
    }

    #[test]
    fn fine_rows((query, values) in rows_of()) {
        let width = query.len();
        let (mut codes, mut rest, mut scales) = (vec![0; values.len()], vec![0; values.len()], Vec::new());
        for (at, row) in values.chunks_exact(width).enumerate() {
            let part = at * width..(at + 1) * width;
            scales.push(code_fine(row, &mut codes[part.clone()], &mut rest[part]).scale);
        }
        let rows = FineRows::new(I8Rows::new(&codes, &scales, width).expect("rows"), &rest).expect("rows");
        for at in 0..rows.len() {
            let row = &values[at * width..(at + 1) * width];
            let greatest = row.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
            for (value, decoded) in row.iter().zip(rows.decode(at)) {
                prop_assert!((value - decoded).abs() <= greatest / (1 << 23) as f32 + 1e-37, "{value} {decoded}");
            }
        }
        near(&scored(rows, &query), |at| {
            let row = rows.decode(at);
            (dot(&query, row.iter().copied()), slack(&query, &row))
        });
    }
}

/// A value that is not finite makes the score so wherever it stands, and stops nothing.
#[test]
fn values_that_are_not_finite() {
    let widths: &[usize] = if cfg!(miri) { &[1, 70] } else { &[1, 7, 8, 15, 16, 31, 33, 64, 65, 129] };
    for &width in widths {
        for at in [0, width / 2, width - 1] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let query = vec![1.0; width];
                let mut row = vec![0.5; width];
                row[at] = bad;
                let halves: Vec<f16> = row.iter().map(|value| f16::from_f32_const(*value)).collect();
                let as_expected = |scores: Vec<(Level, Vec<f32>)>| {
                    for (level, scores) in scores {
                        let same = if bad.is_nan() { scores[0].is_nan() } else { scores[0] == bad };
                        assert!(same, "{level:?}: {} for {bad}", scores[0]);
                    }
                };
                as_expected(scored(F32Rows::new(&row, width).expect("a row"), &query));
                as_expected(scored(F16Rows::new(&halves, width).expect("a row"), &query));
                let (mut codes, mut rest) = (vec![0; width], vec![0; width]);
                let scale = [code_fine(&row, &mut codes, &mut rest).scale];
                let coded = I8Rows::new(&codes, &scale, width).expect("a row");
                scored(coded, &row);
                scored(FineRows::new(coded, &rest).expect("a row"), &row);
                scored(coded, &query);
            }
        }
    }
}

/// The greatest sums that can be: every level has them exactly, without overflow.
#[test]
fn the_greatest_codes_do_not_overflow() {
    let widths: &[usize] = if cfg!(miri) { &[1, 150] } else { &[1, 384, 516, 1024, 4096, 20_000, 70_000] };
    for &width in widths {
        for code in [-128i8, 127] {
            let (codes, query) = (vec![code; width], vec![1.0; width]);
            let rows = I8Rows::new(&codes, &[1.0], width).expect("a row");
            let expected = f32::from(code) * width as f32;
            for (level, scores) in scored(rows, &query) {
                let difference = (scores[0] - expected).abs();
                assert!(
                    difference <= expected.abs() * 1e-5,
                    "{level:?}, {width}: {} for {expected}",
                    scores[0]
                );
            }
        }
    }
}

#[test]
fn only_whole_rows_are_rows() {
    assert!(F32Rows::new(&[1.0, 2.0, 3.0], 2).is_none());
    assert!(F32Rows::new(&[1.0], 0).is_none());
    assert!(F16Rows::new(&[f16::ONE; 3], 2).is_none());
    assert!(I8Rows::new(&[1, 2, 3, 4], &[1.0], 2).is_none(), "a scale for each");
    let coded = I8Rows::new(&[1, 2, 3, 4], &[1.0, 1.0], 2).expect("rows");
    assert!(FineRows::new(coded, &[1; 3]).is_none());
    let none = F32Rows::new(&[], 2).expect("no rows");
    assert!(none.is_empty());
    assert_eq!((none.len(), none.width()), (0, 2));
    let some = F32Rows::new(&[1.0, 2.0], 2).expect("rows");
    let mut scores = vec![3.0];
    some.dot_range(&some.query(&[1.0, 1.0]), 5..7, &mut scores);
    assert_eq!(scores, [f32::NEG_INFINITY; 2]);
    some.dot_many(&some.query(&[1.0, 1.0]), &[], &mut scores);
    assert_eq!(scores, []);
    some.dot_many(&some.query(&[1.0, 1.0]), &[u32::MAX, 0], &mut scores);
    assert_eq!(scores, [f32::NEG_INFINITY, 3.0]);
}

#[test]
#[should_panic = "the length of a query"]
fn a_query_of_another_length_is_a_mistake() {
    F32Rows::new(&[1.0, 2.0], 2).expect("rows").query(&[1.0]);
}

#[test]
fn zeros_have_codes() {
    for value in [0.0, f32::MIN_POSITIVE, 1e-45] {
        let row = [value; 5];
        let (mut codes, mut rest) = ([1; 5], [1; 5]);
        let coded = code_fine(&row, &mut codes, &mut rest);
        assert!(coded.scale.is_finite() && coded.error <= 1e-37, "{coded:?}");
        assert_eq!(code(&row, &mut codes).scale, coded.scale);
    }
}
