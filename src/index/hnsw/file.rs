//! A graph in a file: written once, mapped, and read where it lies.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lastro_kernels::map::Number;
use lastro_kernels::{FineRows, Map};

use super::build::Built;
use super::header::{self, Header, Section};
use super::layer::Layer;
use super::table;
use super::walk::Graph;
use crate::index::IndexError;

/// The sections that each file has, in this order. Those of the layers follow: where lists begin, and the lists.
const CHUNKS: usize = 0;
const DOCUMENTS: usize = 1;
const CODES: usize = 2;
const SCALES: usize = 3;
const REST: usize = 4;
/// The rows in the order of their chunks.
const BY_CHUNK: usize = 5;
/// The rows in the order of their documents.
const BY_DOCUMENT: usize = 6;
const LAYERS: usize = 7;

/// Where a section may begin: at a line of the processor's cache.
const ALIGNMENT: u64 = 64;
/// Bytes that are checked between two looks whether anybody still wants to know.
const CHECKED_AT_ONCE: usize = 4 << 20;

/// A mapped graph with its vectors. Its header was checked, its sections were not: what they hold is not trusted.
pub(super) struct Base {
    path: PathBuf,
    map: Map,
    header: Header,
    checked: AtomicBool,
}

impl Base {
    /// Opens a file of vectors of this origin and length.
    pub fn open(path: &Path, origin: &str, dimensions: usize) -> Result<Self, IndexError> {
        let map = Map::open(path)?;
        let damaged = |what: &str| IndexError::Damaged(format!("{}: {what}", path.display()));
        let header = Header::read(map.bytes()).map_err(damaged)?;
        if header.origin != origin || header.dimensions as usize != dimensions {
            return Err(damaged("it is of other vectors"));
        }
        if header.length != map.bytes().len() as u64 {
            return Err(damaged("it is cut"));
        }
        let base = Self { path: path.to_owned(), map, header, checked: AtomicBool::new(false) };
        if !base.fits() {
            return Err(damaged("its header is damaged"));
        }
        Ok(base)
    }

    /// Whether each section has the size that the header says, and lies where such numbers may.
    fn fits(&self) -> bool {
        let rows = self.header.rows;
        let Some(values) = rows.checked_mul(u64::from(self.header.dimensions)) else { return false };
        let layers = self.header.sections.len().saturating_sub(LAYERS);
        rows <= u64::from(u32::MAX)
            && layers >= 2
            && layers.is_multiple_of(2)
            && self.checked::<u64>(CHUNKS) == Some(rows)
            && self.checked::<i64>(DOCUMENTS) == Some(rows)
            && self.checked::<i8>(CODES) == Some(values)
            && self.checked::<f32>(SCALES) == Some(rows)
            && self.checked::<i16>(REST) == Some(values)
            && self.checked::<u32>(BY_CHUNK) == Some(rows)
            && self.checked::<u32>(BY_DOCUMENT) == Some(rows)
            && self.checked::<u32>(LAYERS) == Some(rows + 1)
            && (LAYERS + 1..self.header.sections.len()).all(|section| {
                self.checked::<u32>(section).is_some_and(|numbers| numbers <= u64::from(u32::MAX))
            })
    }

    fn checked<T: Number>(&self, section: usize) -> Option<u64> {
        let Section { offset, bytes, .. } = self.header.sections.get(section)?;
        let size = size_of::<T>() as u64;
        self.map.numbers::<T>(*offset, bytes / size).ok().filter(|_| bytes.is_multiple_of(size))?;
        Some(bytes / size)
    }

    fn numbers<T: Number>(&self, section: usize) -> &[T] {
        let section = self.header.sections.get(section).copied().unwrap_or_default();
        self.map.numbers(section.offset, section.bytes / size_of::<T>() as u64).unwrap_or_default()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn revision(&self) -> u64 {
        self.header.revision
    }

    pub fn rows(&self) -> usize {
        self.header.rows as usize
    }

    pub fn chunks(&self) -> &[u64] {
        self.numbers(CHUNKS)
    }

    pub fn documents(&self) -> &[i64] {
        self.numbers(DOCUMENTS)
    }

    pub fn by_document(&self) -> &[u32] {
        self.numbers(BY_DOCUMENT)
    }

    /// The rows with all of their digits.
    pub fn fine(&self) -> Option<FineRows<'_>> {
        FineRows::new(self.graph_rows(), self.numbers(REST))
    }

    /// The scales of the rows.
    pub fn scales(&self) -> &[f32] {
        self.numbers(SCALES)
    }

    fn graph_rows(&self) -> lastro_kernels::I8Rows<'_> {
        table::rows(self.numbers(CODES), self.numbers(SCALES), self.header.dimensions as usize)
    }

    pub fn graph(&self) -> Graph<'_> {
        let layer =
            |section: usize| Layer { offsets: self.numbers(section), links: self.numbers(section + 1) };
        let layers = (LAYERS..self.header.sections.len()).step_by(2).map(layer).collect();
        Graph { rows: self.graph_rows(), layers }
    }

    /// The row of a chunk.
    pub fn row_of(&self, chunk: u64) -> Option<u32> {
        let (rows, chunks) = (self.numbers::<u32>(BY_CHUNK), self.chunks());
        let of = |row: &u32| chunks.get(*row as usize).copied().unwrap_or(u64::MAX);
        let at = rows.partition_point(|row| of(row) < chunk);
        rows.get(at).copied().filter(|row| chunks.get(*row as usize) == Some(&chunk))
    }

    /// Compares each section with its checksum, unless that was done: all bytes are read. Whether they are as they were
    /// written; none where it was stopped.
    pub fn check(&self, stop: &AtomicBool) -> Option<bool> {
        if self.checked.load(Ordering::Relaxed) {
            return Some(true);
        }
        for section in &self.header.sections {
            let mut checksum = crc32fast::Hasher::new();
            let bytes = self.map.numbers::<u8>(section.offset, section.bytes).unwrap_or_default();
            for some in bytes.chunks(CHECKED_AT_ONCE) {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
                checksum.update(some);
            }
            if checksum.finalize() != section.checksum {
                return Some(false);
            }
        }
        self.checked.store(true, Ordering::Relaxed);
        Some(true)
    }
}

/// Writes a graph under another name, syncs it, and gives it its name.
pub(super) fn write(path: &Path, origin: &str, revision: u64, built: &Built) -> Result<(), IndexError> {
    let unfinished = path.with_extension("new");
    let written = write_all(&unfinished, origin, revision, built).and_then(|()| finish(&unfinished, path));
    if written.is_err() {
        let _it_stays_until_the_next_start = fs::remove_file(&unfinished);
    }
    written
}

/// Gives a synced file its name, so that it has it after a power cut.
pub(super) fn finish(unfinished: &Path, path: &Path) -> Result<(), IndexError> {
    fs::rename(unfinished, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write_all(path: &Path, origin: &str, revision: u64, built: &Built) -> Result<(), IndexError> {
    let table = &built.table;
    let mut sections =
        Sections { file: BufWriter::with_capacity(1 << 20, File::create(path)?), at: 0, list: Vec::new() };
    sections.file.write_all(&[0; header::LENGTH])?;
    sections.at = header::LENGTH as u64;
    sections.put(&table.chunks, |chunk| chunk.to_le_bytes())?;
    sections.put(&table.documents, |document| document.to_le_bytes())?;
    sections.put(&table.codes, |code| code.to_le_bytes())?;
    sections.put(&table.scales, |scale| scale.to_le_bytes())?;
    sections.put(&table.rest, |rest| rest.to_le_bytes())?;
    let mut rows: Vec<u32> = (0..table.len() as u32).collect();
    rows.sort_unstable_by_key(|row| table.chunks[*row as usize]);
    sections.put(&rows, |row| row.to_le_bytes())?;
    rows.sort_unstable_by_key(|row| (table.documents[*row as usize], *row));
    sections.put(&rows, |row| row.to_le_bytes())?;
    for layer in &built.layers {
        sections.put(&layer.offsets, |offset| offset.to_le_bytes())?;
        sections.put(&layer.links, |link| link.to_le_bytes())?;
    }
    let header = Header {
        dimensions: table.dimensions as u32,
        rows: table.len() as u64,
        revision,
        length: sections.at,
        origin: origin.to_owned(),
        sections: sections.list,
    };
    let mut file = sections.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header.to_bytes()?)?;
    Ok(file.sync_all()?)
}

struct Sections {
    file: BufWriter<File>,
    at: u64,
    list: Vec<Section>,
}

impl Sections {
    fn put<T, const N: usize>(&mut self, numbers: &[T], bytes_of: impl Fn(&T) -> [u8; N]) -> io::Result<()> {
        let gap = self.at.next_multiple_of(ALIGNMENT) - self.at;
        self.file.write_all(&vec![0; gap as usize])?;
        let offset = self.at + gap;
        let mut checksum = crc32fast::Hasher::new();
        let mut bytes = Vec::with_capacity(N * 8192);
        for some in numbers.chunks(8192) {
            bytes.clear();
            some.iter().for_each(|number| bytes.extend_from_slice(&bytes_of(number)));
            checksum.update(&bytes);
            self.file.write_all(&bytes)?;
        }
        let bytes = (numbers.len() * N) as u64;
        self.list.push(Section { offset, bytes, checksum: checksum.finalize() });
        self.at = offset + bytes;
        Ok(())
    }
}
