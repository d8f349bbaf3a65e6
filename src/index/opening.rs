//! Where vector indexes come from and how they go.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::IndexError;
use super::choice::IN_USE;
use super::hnsw::Hnsw;
use super::vectors::{VectorIndex, Vectors};

/// Opens the index of these vectors, or begins an empty one.
///
/// Few vectors are compared one by one. Once there are many, a graph of them is built beside that, and given up again where
/// few are left, as `choice.rs` says.
pub async fn open_vectors(vectors: &Vectors) -> Result<Arc<dyn VectorIndex>, IndexError> {
    Ok(Arc::new(Hnsw::open(vectors, IN_USE).await?))
}

/// Deletes the files of a vector index. One that is open goes on answering, and is not closed. To delete what is not there
/// is no error.
pub async fn remove_vectors(folder: &Path) -> Result<(), IndexError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}
