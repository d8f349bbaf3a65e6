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
    for (value, code) in row.iter().zip(codes.iter_mut()) {
        *code = (value / scale).round_ties_even() as i8;
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
    for ((value, code), rest) in row.iter().zip(codes.iter_mut()).zip(rest) {
        // At most 127 * 65536, so both parts fit: the rest lies between -32768 and 32767.
        let whole = (f64::from(*value) / f64::from(scale) * f64::from(FINENESS)).round_ties_even() as i32;
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

fn measure(row: &[f32], codes: &[i8], scale: f32) -> Coded {
    let (mut norm, mut error) = (0.0f64, 0.0f64);
    for (value, code) in row.iter().zip(codes) {
        let value = f64::from(*value);
        norm += value * value;
        error += (value - f64::from(*code) * f64::from(scale)).powi(2);
    }
    Coded { scale, norm: above(norm.sqrt()), error: above(error.sqrt()) }
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
    // A number that is too large for 16 binary digits becomes the greatest, and one that is none 0.
    let codes: Box<[i16]> = match room {
        0 => vector.iter().map(|_| 0).collect(),
        _ => vector.iter().map(|value| (value / scale).round_ties_even() as i16).collect(),
    };
    let (mut norm, mut error) = (0.0f64, 0.0f64);
    for (value, code) in vector.iter().zip(&codes) {
        let value = f64::from(*value);
        norm += value * value;
        error += (value - f64::from(*code) * f64::from(scale)).powi(2);
    }
    I8Query { codes, scale, norm: above(norm.sqrt()), error: above(error.sqrt()) }
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
