//! Files mapped into memory, read as numbers where they lie.
//!
//! # The contract
//! A mapped file must not change: its bytes are read as shared references, and Rust assumes that what is behind one stays as
//! it is. If it gets shorter, a read beyond its end stops the process (SIGBUS), as does one that the disk fails. No program
//! can rule that out for a file that others may write; so
//! - map only files of one's own data folder, which no other program writes;
//! - write each under another name, sync it, and rename it: a name stands for one content for ever;
//! - never write to, and never truncate, a file that has its name. To replace it, rename another over it; to delete it,
//!   unlink it. Either leaves those who have mapped it with the old bytes, until they let go.
//!
//! Bytes that are wrong from the start are harmless: every number type here is valid whatever its bytes are, places are
//! checked, and nothing is read beyond the length that the file had when it was mapped.

use std::fs::File;
use std::io;
use std::path::Path;

use half::f16;
use memmap2::{Mmap, MmapOptions};

mod sealed {
    pub trait Sealed {}
}

/// A number that a file may hold: every sequence of bytes of its size is one. Numbers of more than a byte are as the
/// processor has them, least significant byte first on all that lastro runs on.
pub trait Number: sealed::Sealed + Copy + 'static {}

macro_rules! numbers {
    ($($number:ty),*) => { $(impl sealed::Sealed for $number {} impl Number for $number {})* };
}

numbers!(u8, u16, u32, u64, i8, i16, i32, i64, f16, f32, f64);

/// Why a part of a file cannot be read as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// It does not lie within the file.
    Beyond,
    /// It does not begin where such numbers may.
    Unaligned,
}

impl std::fmt::Display for MapError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Beyond => "the file is too short",
            Self::Unaligned => "a part of the file begins at an odd place",
        })
    }
}

impl std::error::Error for MapError {}

/// A file in memory, for reading alone. Pages are read when they are touched, and the system may drop them.
#[derive(Debug)]
pub struct Map {
    /// None for an empty file, which cannot be mapped.
    mapped: Option<Mmap>,
}

impl Map {
    /// Maps a whole file, under [the contract](self) of this module.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        if metadata.len() == 0 {
            return Ok(Self { mapped: None });
        }
        // SAFETY: the file is a regular one, opened for reading, and by the contract of this module nobody changes it as
        // long as it is mapped. The length is the file's own at this moment, so nothing beyond its end is mapped.
        let mapped = unsafe { MmapOptions::new().map(&file) }?;
        Ok(Self { mapped: Some(mapped) })
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        self.mapped.as_deref().unwrap_or_default()
    }

    /// `count` numbers from the byte `offset` on.
    pub fn numbers<T: Number>(&self, offset: u64, count: u64) -> Result<&[T], MapError> {
        numbers(self.bytes(), offset, count)
    }

    /// Tells the system that parts will be read here and there, so that it reads no neighbours in advance.
    pub fn expect_random(&self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(mapped) = &self.mapped {
            mapped.advise(memmap2::Advice::Random)?;
        }
        Ok(())
    }

    /// Tells the system that a part will soon be read, so that it reads it in advance. It does not wait for that.
    pub fn expect_soon(&self, offset: u64, bytes: u64) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(mapped) = &self.mapped {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(mapped.len());
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(mapped.len() - offset);
            mapped.advise_range(memmap2::Advice::WillNeed, offset, bytes)?;
        }
        #[cfg(not(unix))]
        let _ = (offset, bytes);
        Ok(())
    }
}

/// `count` numbers from the byte `offset` on, where they lie within these bytes and begin where such numbers may.
pub fn numbers<T: Number>(bytes: &[u8], offset: u64, count: u64) -> Result<&[T], MapError> {
    let wanted = count.checked_mul(size_of::<T>() as u64).ok_or(MapError::Beyond)?;
    let end = offset.checked_add(wanted).ok_or(MapError::Beyond)?;
    // Both fit into `usize`, since `bytes` is at least as long.
    if end > bytes.len() as u64 {
        return Err(MapError::Beyond);
    }
    let part = &bytes[offset as usize..end as usize];
    // SAFETY: `Number` is sealed, and all that are one are valid whatever their bytes are. `align_to` gives the numbers that
    // lie within `part`, and the unaligned bytes before and after them, which must be none.
    let (before, numbers, after) = unsafe { part.align_to::<T>() };
    if before.is_empty() && after.is_empty() && numbers.len() as u64 == count {
        Ok(numbers)
    } else {
        Err(MapError::Unaligned)
    }
}
