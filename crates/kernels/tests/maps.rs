//! Files as numbers: what is read, and what is refused.

use lastro_kernels::f16;
use lastro_kernels::map::{Map, MapError, numbers};
use proptest::prelude::*;

/// Bytes whose first lies where every number may.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    let whole = bytes.chunks(8).map(|some| {
        let mut word = [0; 8];
        word[..some.len()].copy_from_slice(some);
        u64::from_ne_bytes(word)
    });
    whole.collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 5 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn numbers_lie_within_the_bytes(content in proptest::collection::vec(any::<u8>(), 0..64), offset in 0u64..80, count in 0u64..40) {
        let words = aligned(&content);
        let all: &[u8] = numbers::<u8>(bytes_of(&words), 0, content.len() as u64).expect("bytes");
        prop_assert_eq!(all, &content[..]);
        let read = numbers::<u32>(all, offset, count);
        if offset + count * 4 > content.len() as u64 {
            prop_assert_eq!(read, Err(MapError::Beyond));
        } else if count > 0 && !offset.is_multiple_of(4) {
            prop_assert_eq!(read, Err(MapError::Unaligned));
        } else if let Ok(read) = read {
            let expected: Vec<u32> = content[offset as usize..]
                .chunks_exact(4)
                .take(count as usize)
                .map(|bytes| u32::from_ne_bytes(bytes.try_into().expect("four bytes")))
                .collect();
            prop_assert_eq!(read, expected);
        } else {
            prop_assert!(count == 0);
        }
    }
}

/// The words as bytes, without unsafe code of the tests' own.
fn bytes_of(words: &[u64]) -> &'static [u8] {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    // A vector of bytes may begin anywhere: one more word, and it begins where words do.
    let mut padded = vec![0u8; bytes.len() + 8].leak();
    let skip = padded.as_ptr().align_offset(8);
    padded = &mut padded[skip..skip + bytes.len()];
    padded.copy_from_slice(&bytes);
    padded
}

#[test]
fn sizes_that_overflow_lie_beyond() {
    for (offset, count) in
        [(0, u64::MAX), (u64::MAX, 1), (u64::MAX - 3, 1), (0, u64::MAX / 4 + 1), (8, u64::MAX / 4)]
    {
        assert_eq!(numbers::<u32>(&[0; 16], offset, count), Err(MapError::Beyond));
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no files")]
fn a_file_is_read_where_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("numbers");
    let mut bytes = Vec::new();
    bytes.extend(7u64.to_le_bytes());
    bytes.extend([1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(f16::from_f32(0.25).to_le_bytes());
    bytes.extend((-3i16).to_le_bytes());
    bytes.extend([200, 0xff]);
    std::fs::write(&path, &bytes).expect("written");
    let map = Map::open(&path).expect("mapped");
    assert_eq!(map.bytes(), bytes);
    assert_eq!(map.numbers::<u64>(0, 1), Ok(&[7][..]));
    assert_eq!(map.numbers::<f32>(8, 2), Ok(&[1.5, -2.0][..]));
    assert_eq!(map.numbers::<f16>(16, 1), Ok(&[f16::from_f32(0.25)][..]));
    assert_eq!(map.numbers::<i16>(18, 1), Ok(&[-3][..]));
    assert_eq!(map.numbers::<u8>(20, 2), Ok(&[200, 255][..]));
    assert_eq!(map.numbers::<i8>(21, 1), Ok(&[-1][..]));
    assert_eq!(map.numbers::<u8>(20, 3), Err(MapError::Beyond));
    assert_eq!(map.numbers::<f32>(9, 2), Err(MapError::Unaligned));
    map.expect_random().expect("told");
    map.expect_soon(0, u64::MAX).expect("told");
    map.expect_soon(u64::MAX, 1).expect("told");
    // Another file takes its name: who has it mapped keeps the old one.
    let other = folder.path().join("other");
    std::fs::write(&other, [1, 2, 3]).expect("written");
    std::fs::rename(&other, &path).expect("renamed");
    assert_eq!(map.bytes(), bytes);
    assert_eq!(Map::open(&path).expect("mapped").bytes(), [1, 2, 3]);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(map.numbers::<u64>(0, 1), Ok(&[7][..]));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no files")]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Map::open(folder.path()).is_err());
    assert!(Map::open(&folder.path().join("none")).is_err());
    let empty = folder.path().join("empty");
    std::fs::write(&empty, []).expect("written");
    let map = Map::open(&empty).expect("mapped");
    assert!(map.bytes().is_empty());
    assert_eq!(map.numbers::<f32>(0, 0).map(<[f32]>::len), Ok(0));
    assert_eq!(map.numbers::<f32>(0, 1), Err(MapError::Beyond));
    map.expect_random().expect("told");
    map.expect_soon(0, 1).expect("told");
}
