//! Loops over rows of f32, written so that the compiler vectorises them.
//!
//! `pulp` compiles each for AVX-512, AVX2 and the baseline, and picks at run time; so a loop must be
//! free of calls that are not inlined, of branches and of sequential sums.

use pulp::{Simd, WithSimd};

use super::config::Activation;

/// How many partial sums a reduction keeps, so that it is a vector of them.
const LANES: usize = 16;

/// `x + bias`.
pub struct AddRows<'a> {
    pub rows: &'a mut [f32],
    pub bias: &'a [f32],
}

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(self.bias).for_each(|(x, b)| *x += b);
        }
    }
}

/// `activation(x + bias)`.
pub struct ActivateRows<'a> {
    pub rows: &'a mut [f32],
    pub bias: &'a [f32],
    pub activation: Activation,
}

impl WithSimd for ActivateRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            let values = row.iter_mut().zip(self.bias);
            match self.activation {
                Activation::Gelu => values.for_each(|(x, b)| *x = gelu(*x + b)),
                Activation::GeluTanh => values.for_each(|(x, b)| *x = gelu_tanh(*x + b)),
                Activation::Relu => values.for_each(|(x, b)| *x = (*x + b).max(0.0)),
            }
        }
    }
}

/// Softmax of rows of `width`.
pub struct SoftmaxRows<'a> {
    pub rows: &'a mut [f32],
    pub width: usize,
}

impl WithSimd for SoftmaxRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for row in self.rows.chunks_exact_mut(self.width.max(1)) {
            let top = max(row);
            row.iter_mut().for_each(|x| *x = exp(*x - top));
            let scale = 1.0 / sum(row, |x| x);
            row.iter_mut().for_each(|x| *x *= scale);
        }
    }
}

/// Layer normalisation of `x + bias + residual`; `parameters` are bias, scale and shift in a row.
pub struct NormRows<'a> {
    pub rows: &'a mut [f32],
    pub residual: &'a [f32],
    pub parameters: &'a [f32],
    pub epsilon: f32,
}

impl WithSimd for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let width = self.parameters.len() / 3;
        let (bias, rest) = self.parameters.split_at(width);
        let (scale, shift) = rest.split_at(width);
        for (row, residual) in self.rows.chunks_exact_mut(width).zip(self.residual.chunks_exact(width)) {
            for ((x, r), b) in row.iter_mut().zip(residual).zip(bias) {
                *x += r + b;
            }
            let mean = sum(row, |x| x) / width as f32;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            for ((x, g), s) in row.iter_mut().zip(scale).zip(shift) {
                *x = (*x - mean) * inverse * g + s;
            }
        }
    }
}

/// Folds a row into independent lanes, which the caller joins. Strictly sequential floating-point
/// folds cannot be vectorised.
#[inline(always)]
fn lanes(row: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = step(*lane, *x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, *x);
    }
    lanes
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    lanes(row, 0.0, |sum, x| sum + of(x)).iter().sum()
}

#[inline(always)]
fn max(row: &[f32]) -> f32 {
    let larger = |a, b| if b > a { b } else { a };
    lanes(row, f32::NEG_INFINITY, larger).into_iter().fold(f32::NEG_INFINITY, larger)
}

/// GELU by the error function: x/2 (1 + erf(x/√2)).
///
/// erf is Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, whose absolute error
/// is at most 1.5e-7, about that of f32 itself.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial =
        0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4)));
    let erf = 1.0 - polynomial * t * exp(-z * z);
    0.5 * (x + x.abs() * erf)
}

/// GELU by its approximation x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), as `gelu_new` has it.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    // (1 + tanh u) / 2 = 1 / (1 + e^-2u)
    x / (1.0 + exp(-2.0 * inner))
}

/// e^x to about 1e-7 relative, clamped to what f32 holds: 2^n e^r with |r| <= ln 2 / 2, the
/// second by its Taylor series to the seventh power.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that n * ln 2 loses nothing.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let p = 1.0 / 24.0 + r * (1.0 / 120.0 + r * p);
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * p)));
    let power = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127);
    p * f32::from_bits((power as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_f32_over_its_range() {
        for i in -8600..8700 {
            let x = i as f32 / 100.0;
            let gap = (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
            assert!(gap < 5e-7, "exp({x}) is off by {gap}");
        }
        assert!(exp(-1e4) < 1e-37 && exp(f32::NAN).is_nan());
    }
}
