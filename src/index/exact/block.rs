//! Some hundred rows that never change, and which of them are gone.

use std::ops::Range;
use std::sync::Arc;

use lastro_kernels::{Coded, FineRows, I8Rows, code_fine};

use crate::index::filter::Filter;
use crate::index::vectors::VectorRow;

/// Rows in the order of their chunks: three bytes a dimension.
#[derive(Debug)]
struct Block {
    dimensions: usize,
    chunks: Vec<u64>,
    runs: Vec<Run>,
    /// A byte of each value, which is all that a scan reads.
    codes: Vec<i8>,
    /// What it leaves of the value.
    rest: Vec<i16>,
    scales: Vec<f32>,
    /// What bounds the error of every row.
    worst: Coded,
}

/// Neighbouring rows of one document.
#[derive(Clone, Copy, Debug)]
struct Run {
    document: i64,
    end: u32,
}

impl Block {
    fn with_room(dimensions: usize, rows: usize) -> Self {
        Self {
            dimensions,
            chunks: Vec::with_capacity(rows),
            runs: Vec::new(),
            codes: Vec::with_capacity(rows * dimensions),
            rest: Vec::with_capacity(rows * dimensions),
            scales: Vec::with_capacity(rows),
            worst: Coded::default(),
        }
    }

    fn count(&mut self, chunk: u64, document: i64, scale: f32) {
        self.chunks.push(chunk);
        self.scales.push(scale);
        let end = self.chunks.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.document == document => run.end = end,
            _ => self.runs.push(Run { document, end }),
        }
    }

    fn code(&mut self, row: &VectorRow) {
        let place = self.codes.len();
        self.codes.resize(place + self.dimensions, 0);
        self.rest.resize(place + self.dimensions, 0);
        let coded = code_fine(&row.vector, &mut self.codes[place..], &mut self.rest[place..]);
        self.worst = self.worst.worst(coded);
        self.count(row.chunk, row.document, coded.scale);
    }

    fn copy(&mut self, other: &Self, row: usize) {
        let values = row * self.dimensions..(row + 1) * self.dimensions;
        self.codes.extend_from_slice(&other.codes[values.clone()]);
        self.rest.extend_from_slice(&other.rest[values]);
        self.worst = self.worst.worst(other.worst);
        self.count(other.chunks[row], other.document(row), other.scales[row]);
    }

    fn document(&self, row: usize) -> i64 {
        self.runs[self.runs.partition_point(|run| run.end as usize <= row)].document
    }
}

/// A block, and which of its rows are gone. A copy is cheap.
#[derive(Clone, Debug)]
pub(super) struct Part {
    block: Arc<Block>,
    /// A bit for each row; none where all are there.
    gone: Arc<[u64]>,
    live: usize,
}

impl Part {
    /// Rows that are in the order of their chunks, each of which is there once.
    pub fn of(dimensions: usize, rows: &[&VectorRow]) -> Self {
        let mut block = Block::with_room(dimensions, rows.len());
        rows.iter().for_each(|row| block.code(row));
        Self::whole(block)
    }

    fn whole(mut block: Block) -> Self {
        block.runs.shrink_to_fit();
        Self { live: block.chunks.len(), block: Arc::new(block), gone: Arc::default() }
    }

    /// The rows of both that are there.
    pub fn merged(&self, other: &Self) -> Self {
        let dimensions = self.block.dimensions;
        let mut block = Block::with_room(dimensions, self.live + other.live);
        let (mut left, mut right) = (self.rows().peekable(), other.rows().peekable());
        loop {
            let chunk = |part: &Self, row: Option<&usize>| row.map(|row| part.block.chunks[*row]);
            let (from, row) = match (chunk(self, left.peek()), chunk(other, right.peek())) {
                (Some(one), Some(two)) if two < one => (other, right.next()),
                (Some(_), _) => (self, left.next()),
                (None, _) => (other, right.next()),
            };
            let Some(row) = row else { return Self::whole(block) };
            block.copy(&from.block, row);
        }
    }

    /// The rows that are there alone.
    pub fn compacted(&self) -> Self {
        let mut block = Block::with_room(self.block.dimensions, self.live);
        self.rows().for_each(|row| block.copy(&self.block, row));
        Self::whole(block)
    }

    /// How many rows are there.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Whether so many rows are gone that it is worth to be written anew.
    pub fn is_sparse(&self) -> bool {
        self.live * 4 < self.block.chunks.len() * 3
    }

    /// The places of the rows that are there.
    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.block.chunks.len()).filter(|row| self.has(*row))
    }

    /// The rows that are there, as they were.
    pub fn whole_rows(&self) -> impl Iterator<Item = VectorRow> {
        self.rows().map(|row| VectorRow {
            chunk: self.block.chunks[row],
            document: self.block.document(row),
            vector: self.fine().decode(row),
        })
    }

    /// Whether the row is there.
    pub fn has(&self, row: usize) -> bool {
        self.gone.get(row / 64).is_none_or(|bits| bits >> (row % 64) & 1 == 0)
    }

    /// The first and the last chunk, of those too that are gone.
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((*self.block.chunks.first()?, *self.block.chunks.last()?))
    }

    /// Where a chunk lies, if it is there.
    pub fn find(&self, chunk: u64) -> Option<usize> {
        self.block.chunks.binary_search(&chunk).ok().filter(|row| self.has(*row))
    }

    /// The chunk of a row.
    pub fn chunk(&self, row: usize) -> u64 {
        self.block.chunks[row]
    }

    /// Without these rows, which are there.
    pub fn without(&self, rows: &[usize]) -> Self {
        let mut gone = match self.gone.is_empty() {
            true => vec![0; self.block.chunks.len().div_ceil(64)],
            false => self.gone.to_vec(),
        };
        rows.iter().for_each(|row| gone[row / 64] |= 1 << (row % 64));
        Self { block: self.block.clone(), gone: gone.into(), live: self.live - rows.len() }
    }

    /// Ranges of rows that the filter admits, of those too that are gone. It is asked once for neighbouring rows of a
    /// document.
    pub fn admitted(&self, filter: &Filter, mut each: impl FnMut(Range<usize>)) {
        if *filter == Filter::Everything {
            return each(0..self.block.chunks.len());
        }
        let (mut start, mut begun) = (0, None);
        for run in &self.block.runs {
            match (filter.admits(run.document), begun) {
                (true, None) => begun = Some(start),
                (false, Some(from)) => {
                    each(from..start);
                    begun = None;
                }
                _ => {}
            }
            start = run.end as usize;
        }
        if let Some(from) = begun {
            each(from..start);
        }
    }

    /// The bytes of all rows.
    pub fn coarse(&self) -> I8Rows<'_> {
        I8Rows::new(&self.block.codes, &self.block.scales, self.block.dimensions).expect("whole rows")
    }

    /// All rows as they were.
    pub fn fine(&self) -> FineRows<'_> {
        FineRows::new(self.coarse(), &self.block.rest).expect("a rest of each value")
    }

    /// What bounds the error of every row's bytes.
    pub fn worst(&self) -> Coded {
        self.block.worst
    }
}
