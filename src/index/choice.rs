//! The choice of a vector index.

use std::path::Path;
use std::sync::Arc;

use super::IndexError;
use super::exact::ExactScan;
use super::vectors::{VectorIndex, Vectors};

/// Opens the index of these vectors, or begins an empty one: the one place where a kind of index is chosen.
///
/// A collection's index is compared vector by vector, in memory: exact, and the fastest up to tens of thousands.
pub async fn open_vectors(vectors: &Vectors) -> Result<Arc<dyn VectorIndex>, IndexError> {
    Ok(Arc::new(ExactScan::new(vectors)))
}

/// Deletes the files of a vector index. One that is open goes on answering, and is not closed. To delete what is not there
/// is no error.
pub async fn remove_vectors(folder: &Path) -> Result<(), IndexError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
