//! Vectors as bytes with a scale, and how far a score of theirs may be from the truth.

/// How many parts the rest divides a code into.
pub(crate) const FINENESS: f32 = 65536.0;

/// The greatest code. -128 is not used, so that codes are as far from 0 on either side.
const GREATEST: f32 = 127.0;

/// What is kept of a row beside its codes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coded {
    /// What a code of 1 stands for.
    pub scale: f32,
    /// The length of the row.
    pub norm: f32,
    /// The length of the difference between the row and what its codes stand for, or a little more.
    pub error: f32,
}

impl Coded {
    /// What bounds both, for a bound of many rows at once.
    pub fn worst(self, other: Self) -> Self {
        Self {
            scale: self.scale.max(other.scale),
            norm: self.norm.max(other.norm),
            error: self.error.max(other.error),
        }
    }
}

/// Codes a row into bytes.
///
/// # Panics
/// Where there are not as many codes as values.
pub fn code(row: &[f32], codes: &mut [i8]) -> Coded {
    assert_eq!(row.len(), codes.len(), "the length of a row");
    let scale = scale(row);
    let inverse = 1.0 / f64::from(scale);
    for (value, code) in row.iter().zip(codes.iter_mut()) {
        *code = nearest(f64::from(*value) * inverse) as i8;
    }
    measure(row, codes, scale)
}

/// Codes a row into bytes and the rest of each value.
///
/// # Panics
/// Where there are not as many codes and rests as values.
pub fn code_fine(row: &[f32], codes: &mut [i8], rest: &mut [i16]) -> Coded {
    assert_eq!((row.len(), row.len()), (codes.len(), rest.len()), "the length of a row");
    let scale = scale(row);
    let inverse = f64::from(FINENESS) / f64::from(scale);
    for ((value, code), rest) in row.iter().zip(codes.iter_mut()).zip(rest) {
        // At most 127 * 65536 and a rounding, so both parts fit: the rest lies between -32768 and 32767.
        let whole = nearest(f64::from(*value) * inverse);
        let high = (whole + 32768) >> 16;
        (*code, *rest) = (high as i8, (whole - (high << 16)) as i16);
    }
    measure(row, codes, scale)
}

/// What a code of 1 stands for: 127 of them are the greatest value. Where all values are 0, or too small to be divided, they
/// are 0 as codes too. A value that is not finite codes into nonsense and nothing worse.
fn scale(row: &[f32]) -> f32 {
    let greatest = row.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    (greatest / GREATEST).max(f32::MIN_POSITIVE)
}

/// The nearest whole number, of two the even one, of what is less than 2^31; of anything else, anything. A number between
/// 2^52 and 2^53 has no digits after the point: adding one leaves the sum's whole digits in the lowest bits. The compiler
/// makes vectors of this, which it does not of a conversion that saturates.
#[inline(always)]
fn nearest(value: f64) -> i32 {
    const WHOLE: f64 = (3u64 << 51) as f64;
    (value + WHOLE).to_bits() as i32
}

fn measure(row: &[f32], codes: &[i8], scale: f32) -> Coded {
    let (norm, error) = lengths(row, codes, |code| f64::from(code) * f64::from(scale));
    Coded { scale, norm, error }
}

/// The length of some values, and of their difference to what their codes stand for. Eight sums run side by side, which
/// the compiler makes vectors of.
#[inline(always)]
fn lengths<C: Copy>(values: &[f32], codes: &[C], decode: impl Fn(C) -> f64) -> (f32, f32) {
    let (value_blocks, values_left) = values.as_chunks::<8>();
    let (code_blocks, codes_left) = codes.as_chunks::<8>();
    let (mut norms, mut errors) = ([0.0f64; 8], [0.0f64; 8]);
    let mut add = |lane: usize, value: f32, code: C| {
        let value = f64::from(value);
        let off = value - decode(code);
        norms[lane] += value * value;
        errors[lane] += off * off;
    };
    for (values, codes) in value_blocks.iter().zip(code_blocks) {
        for lane in 0..8 {
            add(lane, values[lane], codes[lane]);
        }
    }
    for (lane, (value, code)) in values_left.iter().zip(codes_left).enumerate() {
        add(lane, *value, *code);
    }
    (above(norms.iter().sum::<f64>().sqrt()), above(errors.iter().sum::<f64>().sqrt()))
}

/// The value as `f32`, rounded up.
fn above(value: f64) -> f32 {
    (value as f32).next_up()
}

/// A query for rows of bytes: whole numbers of up to 16 binary digits, so that almost all of the error is the rows'.
#[derive(Clone, Debug)]
pub struct I8Query {
    pub(crate) codes: Box<[i16]>,
    pub(crate) scale: f32,
    norm: f32,
    error: f32,
}

/// Makes whole numbers of a query, so small that the sum of their products with any bytes fits into 32 binary digits.
pub(crate) fn query(vector: &[f32]) -> I8Query {
    let greatest = vector.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    let room = i32::MAX as usize / (128 * vector.len().max(1));
    let scale = (greatest / room.min(32767) as f32).max(f32::MIN_POSITIVE);
    let inverse = if room == 0 { 0.0 } else { 1.0 / f64::from(scale) };
    let codes: Box<[i16]> = vector.iter().map(|value| nearest(f64::from(*value) * inverse) as i16).collect();
    let (norm, error) = lengths(vector, &codes, |code| f64::from(code) * f64::from(scale));
    I8Query { codes, scale, norm, error }
}

impl I8Query {
    /// How far the score of a row may be from the true one, at most.
    ///
    /// Let q and x be query and row, and q' and x' what their codes stand for. Then |q·x - q'·x'| is at most
    /// |q·(x - x')| + |(q - q')·x'|, hence at most |q| |x - x'| + |q - q'| |x'| (Cauchy and Schwarz). What `f32` rounds off,
    /// here and in a score computed in `f32`, is less than one part in 2^23 for each value that is summed, and a few more.
    pub fn bound(&self, row: Coded) -> f32 {
        let coded = row.norm + row.error;
        let rounding = (self.codes.len() + 16) as f32 * f32::EPSILON * self.norm * coded;
        self.norm * row.error + self.error * coded + rounding
    }
}
