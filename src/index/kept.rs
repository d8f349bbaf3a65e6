//! A vector index that outlives its process, for the conformance suite alone: an exact scan, and all of it in one file.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::exact::ExactScan;
use super::filter::Filter;
use super::vectors::{VectorBatch, VectorIndex, VectorRow, Vectors};
use super::{IndexError, Scored};

/// What the file holds.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Contents {
    origin: String,
    revision: u64,
    rows: Vec<(u64, i64, Vec<f32>)>,
}

/// The index.
pub(super) struct Kept {
    scan: ExactScan,
    file: PathBuf,
    contents: Mutex<Contents>,
}

impl Kept {
    /// Opens what is in the folder of these vectors, where it is of their origin.
    pub async fn open(vectors: &Vectors) -> Result<Arc<dyn VectorIndex>, IndexError> {
        let file = vectors.folder.join("vectors.json");
        let read = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Contents>(&bytes).ok());
        let contents = read.filter(|contents| contents.origin == vectors.origin);
        let contents =
            contents.unwrap_or_else(|| Contents { origin: vectors.origin.clone(), ..Contents::default() });
        let scan = ExactScan::new(vectors);
        let row = |(chunk, document, vector): &(u64, i64, Vec<f32>)| VectorRow {
            chunk: *chunk,
            document: *document,
            vector: vector.clone(),
        };
        let added = contents.rows.iter().map(row).collect();
        let batch = VectorBatch { revision: contents.revision, removed: Vec::new(), added };
        scan.apply(batch, super::conformance::soon()).await?;
        Ok(Arc::new(Self { scan, file, contents: Mutex::new(contents) }))
    }
}

#[async_trait]
impl VectorIndex for Kept {
    fn origin(&self) -> &str {
        self.scan.origin()
    }

    fn revision(&self) -> u64 {
        self.scan.revision()
    }

    fn len(&self) -> usize {
        self.scan.len()
    }

    async fn apply(&self, batch: VectorBatch, deadline: Instant) -> Result<(), IndexError> {
        self.scan.apply(batch.clone(), deadline).await?;
        let mut contents = self.contents.lock();
        let gone =
            |chunk: u64| batch.removed.contains(&chunk) || batch.added.iter().any(|row| row.chunk == chunk);
        contents.rows.retain(|(chunk, _, _)| !gone(*chunk));
        contents.rows.extend(batch.added.iter().map(|row| (row.chunk, row.document, row.vector.clone())));
        contents.revision = batch.revision;
        Ok(())
    }

    async fn search(
        &self,
        query: Arc<[f32]>,
        k: usize,
        filter: Filter,
        deadline: Instant,
    ) -> Result<Vec<Scored>, IndexError> {
        self.scan.search(query, k, filter, deadline).await
    }

    async fn score(
        &self,
        query: Arc<[f32]>,
        chunks: Arc<[u64]>,
        deadline: Instant,
    ) -> Result<Vec<Option<f32>>, IndexError> {
        self.scan.score(query, chunks, deadline).await
    }

    async fn close(&self) -> Result<(), IndexError> {
        let text = serde_json::to_string(&*self.contents.lock()).map_err(std::io::Error::from)?;
        fs::create_dir_all(self.file.parent().unwrap_or(&self.file))?;
        Ok(fs::write(&self.file, text)?)
    }
}

#[tokio::test]
async fn conforms() {
    super::conformance::vector_index(async |vectors: &Vectors| Kept::open(vectors).await, true).await;
}
