//! The changes since a graph was built, one after the other in a file.
//!
//! A record that is not whole ends the log: what a crash or damage left is as good as the revision before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::file::finish;
use crate::index::{IndexError, VectorBatch, VectorRow};

/// What such a file begins with.
const MAGIC: &[u8; 8] = b"LASTRO\x00L";
const FORMAT: u32 = 1;
/// Bytes before the origin.
const HEAD: usize = 40;
/// A longer record is damage: what is applied at once is written in several.
const LONGEST: usize = 1 << 30;

/// What a log is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub origin: String,
    pub dimensions: u32,
    /// Whether it goes on from a graph.
    pub of_graph: bool,
    /// The revision from which it goes on.
    pub revision: u64,
}

/// An open log, to which changes are added.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    /// How many rows were added in it, also those that are removed again.
    rows: usize,
}

impl Log {
    /// Writes a log with these changes under another name, syncs it, and gives it its name.
    pub fn create(path: &Path, head: &Head, batches: &[VectorBatch]) -> Result<Self, IndexError> {
        let unfinished = path.with_extension("new");
        let mut file = BufWriter::new(File::create(&unfinished)?);
        let mut bytes = head.to_bytes();
        let mut length = bytes.len() as u64;
        file.write_all(&bytes)?;
        for batch in batches {
            bytes.clear();
            record(batch, &mut bytes)?;
            file.write_all(&bytes)?;
            length += bytes.len() as u64;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        finish(&unfinished, path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            rows: batches.iter().map(|batch| batch.added.len()).sum(),
        })
    }

    /// Opens a log of these vectors, and gives each of its changes to `apply`.
    pub fn open(
        path: &Path,
        origin: &str,
        dimensions: usize,
        mut apply: impl FnMut(VectorBatch),
    ) -> Result<(Self, Head), IndexError> {
        let damaged = |what: &str| IndexError::Damaged(format!("{}: {what}", path.display()));
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let whole = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let head = Head::read(&mut reader)?.ok_or_else(|| damaged("its head is damaged"))?;
        if head.origin != origin || head.dimensions as usize != dimensions {
            return Err(damaged("it is of other vectors"));
        }
        let (mut length, mut rows) = (head.to_bytes().len() as u64, 0);
        while let Some((batch, bytes)) = next(&mut reader, dimensions)? {
            length += bytes;
            rows += batch.added.len();
            apply(batch);
        }
        drop(reader);
        if length < whole {
            tracing::warn!(file = %path.display(), at = length, "changes of a vector index are cut off where they are damaged");
            file.set_len(length)?;
        }
        let mut log = Self { path: path.to_owned(), file, length, rows };
        log.file.seek(SeekFrom::Start(length))?;
        Ok((log, head))
    }

    /// Adds changes: all of them or, with an error, none.
    pub fn append(&mut self, batches: &[VectorBatch]) -> Result<(), IndexError> {
        let (mut bytes, mut length) = (Vec::new(), self.length);
        let written = batches.iter().try_for_each(|batch| {
            bytes.clear();
            record(batch, &mut bytes)?;
            self.file.write_all(&bytes)?;
            length += bytes.len() as u64;
            Ok::<_, IndexError>(())
        });
        if let Err(error) = written {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length = length;
        self.rows += batches.iter().map(|batch| batch.added.len()).sum::<usize>();
        Ok(())
    }

    /// Waits until all that was added is on the disk.
    pub fn sync(&self) -> Result<(), IndexError> {
        Ok(self.file.sync_all()?)
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the file that has the log's name is still this one.
    pub fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (named, ours) = (fs::metadata(&self.path), self.file.metadata());
            matches!((named, ours), (Ok(named), Ok(ours)) if named.ino() == ours.ino() && named.dev() == ours.dev())
        }
        #[cfg(not(unix))]
        self.path.exists()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Head {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.origin.len() + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.dimensions.to_le_bytes());
        bytes.extend_from_slice(&self.revision.to_le_bytes());
        bytes.extend_from_slice(&u64::from(self.of_graph).to_le_bytes());
        bytes.extend_from_slice(&(self.origin.len() as u64).to_le_bytes());
        bytes.extend_from_slice(self.origin.as_bytes());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn read(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(head) = exactly(reader, HEAD)? else { return Ok(None) };
        let mut fields = Fields(&head);
        let (magic, format) = (fields.take::<8>(), fields.u32());
        let (dimensions, revision, of_graph, origin) =
            (fields.u32(), fields.u64(), fields.u64(), fields.u64());
        if magic.as_ref() != Some(MAGIC)
            || format != Some(FORMAT)
            || origin.is_none_or(|bytes| bytes > 1 << 16)
        {
            return Ok(None);
        }
        let rest = exactly(reader, origin.unwrap_or_default() as usize + 4)?;
        let Some((origin, checksum)) = rest.as_deref().and_then(|rest| rest.split_last_chunk::<4>()) else {
            return Ok(None);
        };
        let mut hashed = crc32fast::Hasher::new();
        hashed.update(&head);
        hashed.update(origin);
        let Ok(origin) = String::from_utf8(origin.to_vec()) else { return Ok(None) };
        let whole = hashed.finalize() == u32::from_le_bytes(*checksum);
        let head = Self {
            origin,
            dimensions: dimensions.unwrap_or_default(),
            of_graph: of_graph == Some(1),
            revision: revision.unwrap_or_default(),
        };
        Ok(whole.then_some(head))
    }
}

/// Appends a record: its length, its checksum, and the changes.
fn record(batch: &VectorBatch, bytes: &mut Vec<u8>) -> Result<(), IndexError> {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&batch.revision.to_le_bytes());
    bytes.extend_from_slice(&(batch.removed.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(batch.added.len() as u32).to_le_bytes());
    batch.removed.iter().for_each(|chunk| bytes.extend_from_slice(&chunk.to_le_bytes()));
    for row in &batch.added {
        bytes.extend_from_slice(&row.chunk.to_le_bytes());
        bytes.extend_from_slice(&row.document.to_le_bytes());
        row.vector.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    }
    let length = bytes.len() - begin - 8;
    if length > LONGEST {
        return Err(io::Error::new(ErrorKind::InvalidInput, "too many changes at once").into());
    }
    let checksum = crc32fast::hash(&bytes[begin + 8..]);
    bytes[begin..begin + 4].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[begin + 4..begin + 8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// The next record and its length, if there is a whole one.
fn next(reader: &mut impl Read, dimensions: usize) -> io::Result<Option<(VectorBatch, u64)>> {
    let Some(head) = exactly(reader, 8)? else { return Ok(None) };
    let mut fields = Fields(&head);
    let (Some(length), Some(checksum)) = (fields.u32(), fields.u32()) else { return Ok(None) };
    if length as usize > LONGEST {
        return Ok(None);
    }
    let Some(bytes) = exactly(reader, length as usize)? else { return Ok(None) };
    if crc32fast::hash(&bytes) != checksum {
        return Ok(None);
    }
    Ok(batch(&bytes, dimensions).map(|batch| (batch, u64::from(length) + 8)))
}

fn batch(bytes: &[u8], dimensions: usize) -> Option<VectorBatch> {
    let mut fields = Fields(bytes);
    let (revision, removed, added) = (fields.u64()?, fields.u32()?, fields.u32()?);
    let removed = (0..removed).map(|_| fields.u64()).collect::<Option<_>>()?;
    let mut row = || {
        let (chunk, document) = (fields.u64()?, fields.take().map(i64::from_le_bytes)?);
        let vector = (0..dimensions).map(|_| fields.take().map(f32::from_le_bytes)).collect::<Option<_>>()?;
        Some(VectorRow { chunk, document, vector })
    };
    let added = (0..added).map(|_| row()).collect::<Option<_>>()?;
    fields.0.is_empty().then_some(VectorBatch { revision, removed, added })
}

/// So many bytes, if they are there.
fn exactly(reader: &mut impl Read, bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    reader.take(bytes as u64).read_to_end(&mut read)?;
    Ok((read.len() == bytes).then_some(read))
}

/// Numbers that are read one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
