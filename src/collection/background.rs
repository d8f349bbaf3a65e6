//! What collections say to a question whatever it is: the scale on which a cosine is high or low.
//!
//! Cosines of one model lie in a band of their own (multilingual-e5-small: .75 to .9), and a question moves all of them
//! up or down. How far a chunk stands above the others says more than its cosine.

/// Cosines fewer than these say nothing of the rest.
const LEAST_SAMPLE: usize = 3;
/// Chunks that are all alike leave no spread to measure by. Over texts of one set, multilingual-e5-small has .012 to .025
/// and all-MiniLM-L6-v2 .05 to .1.
const LEAST_SPREAD: f32 = 0.01;

/// Where a question's cosines with a sample of the chunks of all that is searched lie.
///
/// Half of a small collection may be about the question: the middle and the lower side are the same without them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    /// The median.
    pub middle: f32,
    /// From the median down to where a sixth lies below: the standard deviation, where cosines are normally distributed.
    pub spread: f32,
}

impl Background {
    /// `None` where the sample is too small.
    pub fn of(mut cosines: Vec<f32>) -> Option<Self> {
        cosines.retain(|cosine| cosine.is_finite());
        if cosines.len() < LEAST_SAMPLE {
            return None;
        }
        cosines.sort_unstable_by(f32::total_cmp);
        let middle = (cosines[(cosines.len() - 1) / 2] + cosines[cosines.len() / 2]) / 2.0;
        let low = cosines[cosines.len() * 16 / 100];
        Some(Self { middle, spread: (middle - low).max(LEAST_SPREAD) })
    }

    /// By how many deviations a cosine lies above the middle.
    pub fn above(&self, cosine: f32) -> f32 {
        (cosine - self.middle) / self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_is_measured_by_what_lies_below_the_middle() {
        // The upper half may be about the question.
        for upper in [0.84, 0.99] {
            let sample = (0..100).map(|n| if n < 51 { 0.7 + n as f32 / 500.0 } else { upper }).collect();
            let background = Background::of(sample).expect("a background");
            assert!((background.middle - 0.799).abs() < 1e-3, "{background:?}");
            assert!((background.spread - 0.067).abs() < 2e-3, "{background:?}");
            assert!((background.above(background.middle + background.spread) - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn chunks_that_are_alike_or_few_or_broken_do_no_harm() {
        assert_eq!(Background::of(vec![0.5; 2]), None);
        assert_eq!(Background::of(vec![f32::NAN; 9]), None);
        let alike = Background::of(vec![0.5; 9]).expect("a background");
        assert_eq!((alike.middle, alike.spread), (0.5, LEAST_SPREAD));
        let three = Background::of(vec![0.88, 0.78, 0.8]).expect("a background");
        assert!(three.above(0.88) > 3.0 && three.above(0.78) < 0.0, "{three:?}");
    }
}
