//! Reads tensors out of a safetensors file, one at a time and always as f32.
//!
//! The layout (<https://github.com/huggingface/safetensors#format>): the length of the header as
//! a little-endian u64, the header as JSON, then the bytes of all tensors. Reading by seeking
//! keeps the peak at the model plus one tensor; mapping the file would need `unsafe`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::ModelError;

/// The format's own bound on the header, in bytes.
const MAX_HEADER: u64 = 100_000_000;
/// What [`Weights::hash_sample`] reads: this many pieces of this many bytes, evenly spread.
const SAMPLES: u64 = 64;
const SAMPLE_BYTES: u64 = 4096;
/// How much of an f32 tensor is converted at a time, in bytes.
const READ_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// An open safetensors file.
pub struct Weights {
    path: PathBuf,
    file: File,
    size: u64,
    header: Vec<u8>,
    entries: HashMap<String, Entry>,
    /// What the names of this file begin with before the names of a bare encoder.
    prefix: String,
}

impl Weights {
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|e| ModelError::unreadable(path, &e))?;
        let size = file.metadata().map_err(|e| ModelError::unreadable(path, &e))?.len();
        let mut weights = Weights {
            path: path.to_owned(),
            file,
            size,
            header: Vec::new(),
            entries: HashMap::new(),
            prefix: String::new(),
        };
        weights.read_header()?;
        Ok(weights)
    }

    fn read_header(&mut self) -> Result<(), ModelError> {
        let mut start = [0_u8; 8];
        let length = match self.read_at(0, &mut start) {
            Ok(()) => u64::from_le_bytes(start),
            Err(_) => return Err(self.broken("it is too short for a safetensors file")),
        };
        if &start == b"version " {
            return Err(self.broken("it is a Git LFS pointer, not the weights: run `git lfs pull`"));
        }
        if length > MAX_HEADER || length + 8 > self.size {
            return Err(self.broken("it is not a safetensors file, or it is cut short"));
        }
        let mut header = vec![0; length as usize];
        self.read_at(8, &mut header).map_err(|e| ModelError::unreadable(&self.path, &e))?;
        let mut raw: HashMap<String, serde_json::Value> = serde_json::from_slice(&header)
            .map_err(|e| self.broken(&format!("its header is not JSON ({e})")))?;
        raw.remove("__metadata__");
        for (name, value) in raw {
            let entry: Entry = serde_json::from_value(value)
                .map_err(|e| self.broken(&format!("its entry for {name} is malformed ({e})")))?;
            let (start, end) = entry.data_offsets;
            if start > end || end.checked_add(8 + length).is_none_or(|end| end > self.size) {
                return Err(self.broken("it is cut short"));
            }
            self.entries.insert(name, entry);
        }
        self.header = header;
        let word = "embeddings.word_embeddings.weight";
        let found = self.entries.keys().find_map(|name| name.strip_suffix(word));
        self.prefix = found.unwrap_or_default().to_owned();
        Ok(())
    }

    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(bytes)
    }

    fn broken(&self, why: &str) -> ModelError {
        ModelError::broken(&self.path, why)
    }

    /// The tensor `name` (without the file's prefix) in `shape`, on the CPU, f16 and bf16 made f32.
    pub fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let full = format!("{}{name}", self.prefix);
        let entry = self.entries.get(&full).or_else(|| {
            // The names that layer normalisation had in TensorFlow's checkpoints.
            let old = full.strip_suffix("LayerNorm.weight").map(|n| format!("{n}LayerNorm.gamma"));
            let old = old.or(full.strip_suffix("LayerNorm.bias").map(|n| format!("{n}LayerNorm.beta")));
            self.entries.get(&old?)
        });
        let Some(entry) = entry else {
            return Err(self.broken(&format!("it has no tensor {name}, so it is not a BERT-type encoder")));
        };
        if entry.shape != shape {
            let why = format!("{name} is {:?} but config.json implies {shape:?}", entry.shape);
            return Err(self.broken(&why));
        }
        let dtype = match entry.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            other => {
                let why = format!("{name} has the type {other}; F32, F16 and BF16 can be read");
                return Err(self.broken(&why));
            }
        };
        let (start, end) = entry.data_offsets;
        let count: usize = shape.iter().product();
        if (end - start) as usize != count * dtype.size_in_bytes() {
            return Err(self.broken(&format!("{name} has the wrong number of bytes")));
        }
        let at = 8 + self.header.len() as u64 + start;
        let read = if dtype == DType::F32 {
            self.read_f32(at, count).map(|values| Tensor::from_vec(values, shape, &Device::Cpu))
        } else {
            let mut bytes = vec![0; (end - start) as usize];
            self.read_at(at, &mut bytes)
                .map(|()| Tensor::from_raw_buffer(&bytes, dtype, shape, &Device::Cpu)?.to_dtype(DType::F32))
        };
        read.map_err(|e| ModelError::unreadable(&self.path, &e))?.map_err(ModelError::Compute)
    }

    fn read_f32(&mut self, at: u64, count: usize) -> std::io::Result<Vec<f32>> {
        let mut values = Vec::with_capacity(count);
        let mut bytes = vec![0; READ_BYTES.min(count * 4)];
        self.file.seek(SeekFrom::Start(at))?;
        while values.len() < count {
            let piece = &mut bytes[..READ_BYTES.min((count - values.len()) * 4)];
            self.file.read_exact(piece)?;
            values.extend(piece.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)));
        }
        Ok(values)
    }

    /// Feeds `hasher` the header, the size and 64 pieces of 4 KiB spread over the file: enough to
    /// tell models apart in milliseconds, where hashing all of a large file would take seconds.
    pub fn hash_sample(&mut self, hasher: &mut Sha256) -> Result<(), ModelError> {
        hasher.update(&self.header);
        hasher.update(self.size.to_le_bytes());
        let first = 8 + self.header.len() as u64;
        let span = self.size - first;
        let mut piece = vec![0; SAMPLE_BYTES.min(span) as usize];
        for sample in 0..SAMPLES {
            let at = first + (span - piece.len() as u64) * sample / (SAMPLES - 1);
            self.read_at(at, &mut piece).map_err(|e| ModelError::unreadable(&self.path, &e))?;
            hasher.update(&piece);
        }
        Ok(())
    }
}
