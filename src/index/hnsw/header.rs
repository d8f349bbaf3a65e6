//! What stands at the beginning of a graph's file.

use crate::index::IndexError;

/// What such a file begins with.
const MAGIC: &[u8; 8] = b"LASTRO\x00G";
const FORMAT: u32 = 1;
/// The length of a header: a page.
pub(super) const LENGTH: usize = 4096;
/// Where the sections are listed, and the origin after them.
const SECTIONS_AT: usize = 64;
/// Bytes of a section in the list.
const SECTION: usize = 24;
const MOST_SECTIONS: usize = 64;
const ORIGIN_AT: usize = SECTIONS_AT + MOST_SECTIONS * SECTION;
const CHECKSUM_AT: usize = LENGTH - 4;

/// A part of the file: numbers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub offset: u64,
    pub bytes: u64,
    /// CRC-32 of its bytes.
    pub checksum: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub dimensions: u32,
    pub rows: u64,
    /// The revision up to which changes are in the file.
    pub revision: u64,
    /// The length of the file.
    pub length: u64,
    pub origin: String,
    pub sections: Vec<Section>,
}

impl Header {
    /// The bytes of a header. An origin that has no room there is refused.
    pub fn to_bytes(&self) -> Result<Vec<u8>, IndexError> {
        let origin = self.origin.as_bytes();
        if origin.len() > CHECKSUM_AT - ORIGIN_AT || self.sections.len() > MOST_SECTIONS {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "no room in a graph's header");
            return Err(error.into());
        }
        let mut bytes = vec![0; LENGTH];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, MAGIC);
        put(8, &FORMAT.to_le_bytes());
        put(12, &self.dimensions.to_le_bytes());
        put(16, &self.rows.to_le_bytes());
        put(24, &self.revision.to_le_bytes());
        put(32, &self.length.to_le_bytes());
        put(40, &(self.sections.len() as u32).to_le_bytes());
        put(44, &(origin.len() as u32).to_le_bytes());
        for (number, section) in self.sections.iter().enumerate() {
            let at = SECTIONS_AT + number * SECTION;
            put(at, &section.offset.to_le_bytes());
            put(at + 8, &section.bytes.to_le_bytes());
            put(at + 16, &section.checksum.to_le_bytes());
        }
        put(ORIGIN_AT, origin);
        let checksum = crc32fast::hash(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        Ok(bytes)
    }

    /// Reads a header, or says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.get(..LENGTH).ok_or("it is too short")?;
        if &bytes[..8] != MAGIC {
            return Err("it is no graph of lastro's");
        }
        if u32_at(bytes, 8) != FORMAT {
            return Err("it is of another format");
        }
        if crc32fast::hash(&bytes[..CHECKSUM_AT]) != u32_at(bytes, CHECKSUM_AT) {
            return Err("its header is damaged");
        }
        let (sections, origin) = (u32_at(bytes, 40) as usize, u32_at(bytes, 44) as usize);
        let origin = bytes.get(ORIGIN_AT..ORIGIN_AT + origin.min(LENGTH)).unwrap_or_default();
        let section = |number: usize| {
            let at = SECTIONS_AT + number * SECTION;
            Section {
                offset: u64_at(bytes, at),
                bytes: u64_at(bytes, at + 8),
                checksum: u32_at(bytes, at + 16),
            }
        };
        Ok(Self {
            dimensions: u32_at(bytes, 12),
            rows: u64_at(bytes, 16),
            revision: u64_at(bytes, 24),
            length: u64_at(bytes, 32),
            origin: String::from_utf8(origin.to_vec()).map_err(|_| "its header is damaged")?,
            sections: (0..sections.min(MOST_SECTIONS)).map(section).collect(),
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_changed_byte_is_seen() {
        let header = Header {
            dimensions: 384,
            rows: 7,
            revision: 9,
            length: 4096,
            origin: "a store".to_owned(),
            sections: vec![Section { offset: 4096, bytes: 56, checksum: 3 }; 11],
        };
        let bytes = header.to_bytes().expect("room");
        assert_eq!(Header::read(&bytes), Ok(header.clone()));
        for at in (0..LENGTH).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(Header::read(&changed).is_err(), "{at}");
        }
        assert!(Header::read(&bytes[..LENGTH - 1]).is_err());
        assert!(Header { origin: "x".repeat(4000), ..header }.to_bytes().is_err());
    }
}
