//! Rows that a graph is built of, in memory.

use lastro_kernels::{I8Query, I8Rows, Rows, code_fine};

/// Vectors, each with its chunk and document.
pub(super) struct Table {
    pub dimensions: usize,
    pub chunks: Vec<u64>,
    pub documents: Vec<i64>,
    /// What the walk reads.
    pub codes: Vec<i8>,
    pub scales: Vec<f32>,
    /// What the codes leave of each value.
    pub rest: Vec<i16>,
}

impl Table {
    /// An empty table of vectors of this length, which is not 0.
    pub fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            chunks: Vec::new(),
            documents: Vec::new(),
            codes: Vec::new(),
            scales: Vec::new(),
            rest: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Adds a row. A vector of another length is a mistake of the caller.
    pub fn push(&mut self, chunk: u64, document: i64, vector: &[f32]) {
        let at = self.codes.len();
        self.codes.resize(at + self.dimensions, 0);
        self.rest.resize(at + self.dimensions, 0);
        let coded = code_fine(vector, &mut self.codes[at..], &mut self.rest[at..]);
        self.scales.push(coded.scale);
        self.chunks.push(chunk);
        self.documents.push(document);
    }

    /// Adds a row that is coded already.
    pub fn push_coded(&mut self, chunk: u64, document: i64, scale: f32, codes: &[i8], rest: &[i16]) {
        self.codes.extend_from_slice(codes);
        self.rest.extend_from_slice(rest);
        self.scales.push(scale);
        self.chunks.push(chunk);
        self.documents.push(document);
    }

    /// The rows as they are compared.
    pub fn rows(&self) -> I8Rows<'_> {
        rows(&self.codes, &self.scales, self.dimensions)
    }

    /// A row as a query for its like. `values` is room for it.
    pub fn query(&self, row: u32, values: &mut Vec<f32>) -> I8Query {
        let scale = self.scales[row as usize];
        values.clear();
        values.extend(self.rows().row(row as usize).iter().map(|code| f32::from(*code) * scale));
        self.rows().query(values)
    }

    /// The same rows in another order.
    pub fn arranged(&self, order: &[u32]) -> Self {
        let mut arranged = Self::new(self.dimensions);
        arranged.codes.reserve_exact(self.codes.len());
        arranged.rest.reserve_exact(self.rest.len());
        for row in order {
            let row = *row as usize;
            let values = row * self.dimensions..(row + 1) * self.dimensions;
            let (codes, rest) = (&self.codes[values.clone()], &self.rest[values]);
            arranged.push_coded(self.chunks[row], self.documents[row], self.scales[row], codes, rest);
        }
        arranged
    }
}

/// Rows of these codes; none where they are not whole rows with a scale each.
pub(super) fn rows<'a>(codes: &'a [i8], scales: &'a [f32], dimensions: usize) -> I8Rows<'a> {
    let none: (&[i8], &[f32]) = (&[], &[]);
    let width = dimensions.max(1);
    I8Rows::new(codes, scales, width)
        .or_else(|| I8Rows::new(none.0, none.1, width))
        .unwrap_or_else(|| unreachable!("no values are whole rows of any width"))
}

/// How far apart two rows of this cosine are.
pub(super) fn distance(cosine: f32) -> f32 {
    (1.0 - cosine).max(0.0)
}
