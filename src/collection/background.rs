//! What a collection says to a question whatever it is: the scale on which a cosine is high or low.
//!
//! Cosines of one model lie in a band of their own (multilingual-e5-small: .75 to .9), and a question moves all of them
//! up or down. How far a chunk stands above the others says more than its cosine.

/// Cosines fewer than these say nothing of the rest.
const LEAST_SAMPLE: usize = 8;
/// Chunks that are all alike have no deviation to measure by; no model's cosines spread less over different texts.
const LEAST_DEVIATION: f32 = 0.01;

/// Mean and deviation of a question's cosines with a sample of a scope's chunks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    pub mean: f32,
    pub deviation: f32,
}

impl Background {
    /// `None` where the sample is too small.
    pub fn of(cosines: &[f32]) -> Option<Self> {
        if cosines.len() < LEAST_SAMPLE {
            return None;
        }
        let count = cosines.len() as f32;
        let mean = cosines.iter().sum::<f32>() / count;
        let variance = cosines.iter().map(|cosine| (cosine - mean).powi(2)).sum::<f32>() / count;
        mean.is_finite().then(|| Self { mean, deviation: variance.sqrt().max(LEAST_DEVIATION) })
    }

    /// How many deviations a cosine lies above the mean.
    pub fn above(&self, cosine: f32) -> f32 {
        (cosine - self.mean) / self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_is_measured_in_deviations_from_the_mean() {
        let sample: Vec<f32> = (0..10).map(|n| if n % 2 == 0 { 0.7 } else { 0.9 }).collect();
        let background = Background::of(&sample).expect("a background");
        assert!((background.mean - 0.8).abs() < 1e-5 && (background.deviation - 0.1).abs() < 1e-5);
        assert!((background.above(1.0) - 2.0).abs() < 1e-4 && (background.above(0.7) + 1.0).abs() < 1e-4);
    }

    #[test]
    fn chunks_that_are_alike_or_few_or_broken_do_no_harm() {
        assert_eq!(Background::of(&[0.5; 7]), None);
        assert_eq!(Background::of(&[f32::NAN; 9]), None);
        assert!(Background::of(&[0.5; 9]).expect("a background").above(0.6).is_finite());
    }
}
