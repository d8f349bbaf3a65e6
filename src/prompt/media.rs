//! How many tokens pictures, sounds, videos and files are: an estimate that errs on the high side.
//!
//! Only the model's own processor knows. A picture is at least what tiling models take of any (LLaVA, 1,600), a token for
//! each 16 x 16 pixels up to what Pixtral takes at most (4,160), and a token for each 28 x 28 pixels beyond that, as
//! Qwen-VL takes, up to its limit of 16,384. One whose size is not known is taken for 1,024 x 1,024. A recording is 25
//! tokens a second, as Qwen2-Audio takes; a video what Qwen-VL takes at most. An eighth is added to everything.

use crate::openai::Medium;

const LEAST: u64 = 1_600;
const SMALL_CELL: u32 = 16;
const MOST_SMALL_CELLS: u64 = 4_160;
const LARGE_CELL: u32 = 28;
const MOST_LARGE_CELLS: u64 = 16_384;
const UNSEEN_PICTURE: (u32, u32) = (1_024, 1_024);
const TOKENS_PER_SECOND: f64 = 25.0;
/// Two minutes and a half.
const UNSEEN_SOUND: f64 = 150.0;
const VIDEO: u64 = 24_576;
/// A PDF's fonts and pictures are most of it.
const PDF_BYTES_PER_TOKEN: u64 = 8;
const FILE_BYTES_PER_TOKEN: u64 = 2;
const UNSEEN_FILE: u64 = 8_192;

/// An upper estimate of a medium's tokens.
pub(super) fn estimate_medium(medium: &Medium) -> u64 {
    let tokens = match medium {
        Medium::Picture(size) => {
            let (width, height) = size.unwrap_or(UNSEEN_PICTURE);
            let cells = |cell: u32| u64::from(width.div_ceil(cell)) * u64::from(height.div_ceil(cell));
            cells(SMALL_CELL).min(MOST_SMALL_CELLS).max(cells(LARGE_CELL).min(MOST_LARGE_CELLS))
        }
        Medium::Sound(seconds) => (seconds.unwrap_or(UNSEEN_SOUND) * TOKENS_PER_SECOND).ceil() as u64,
        Medium::Video => VIDEO,
        Medium::File { bytes: None, .. } => UNSEEN_FILE,
        Medium::File { bytes: Some(bytes), pdf } => {
            bytes.div_ceil(if *pdf { PDF_BYTES_PER_TOKEN } else { FILE_BYTES_PER_TOKEN })
        }
    };
    let tokens = tokens.max(LEAST);
    tokens + tokens.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_at_least_what_known_models_take() {
        // Pixtral fits a picture into 1,024 x 1,024 and takes a token for 16 x 16 pixels, and one for each row. Qwen-VL
        // takes one for 28 x 28, up to 16,384. LLaVA-NeXT takes up to 2,880, of a small picture 1,176.
        for (size, known) in [
            ((100, 100), 1_176),
            ((672, 672), 42 * 42 + 42),
            ((1_024, 1_024), 64 * 64 + 64),
            ((1_920, 1_080), 69 * 39),
            ((1_920, 1_080), 2_880),
            ((4_000, 3_000), 143 * 108),
            ((12_000, 9_000), 16_384),
            ((u32::MAX, u32::MAX), 16_384),
            ((u32::MAX, 1), 16_384),
        ] {
            let tokens = estimate_medium(&Medium::Picture(Some(size)));
            assert!((known..known * 2).contains(&tokens) || tokens <= 4_680, "{size:?}: {tokens}");
            assert!(tokens >= known, "{size:?}: {tokens}");
        }
        assert_eq!(estimate_medium(&Medium::Picture(None)), 4_096 * 9 / 8);
    }

    #[test]
    fn what_else_there_is_has_its_size_too() {
        for (medium, least, most) in [
            (Medium::Sound(Some(30.0)), 750, 2_000),
            (Medium::Sound(Some(600.0)), 15_000, 17_000),
            (Medium::Sound(None), 3_750, 5_000),
            (Medium::Video, 24_576, 28_000),
            // 150 KB of PDF: some ten pages.
            (Medium::File { bytes: Some(150_000), pdf: true }, 15_000, 22_000),
            (Medium::File { bytes: Some(30_000), pdf: false }, 10_000, 17_000),
            (Medium::File { bytes: None, pdf: false }, 8_192, 10_000),
        ] {
            let tokens = estimate_medium(&medium);
            assert!((least..most).contains(&tokens), "{medium:?}: {tokens}");
        }
    }
}
