//! A collection to ask, made of made-up documents.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;
use crate::process::{Place, Server, Settings, data_folder};
use crate::questions::Questions;

/// The collection that is measured.
pub const COLLECTION: &str = "bench";
/// Paragraphs of one made-up document.
const PARAGRAPHS: usize = 500;

/// A field of documents, summed up.
pub fn count(documents: &[serde_json::Value], field: &str) -> f64 {
    documents.iter().filter_map(|d| d[field].as_f64()).sum()
}

/// A collection of about so many chunks on a running server: how many there are, and how long that took.
pub async fn fill(server: &Server, questions: &Questions, chunks: usize) -> Outcome<(usize, Duration)> {
    let started = Instant::now();
    let (mut found, mut number) = (0, 0);
    while found < chunks {
        let paragraphs = PARAGRAPHS.min(chunks - found);
        let file = (format!("part-{number}.txt"), questions.document(number, paragraphs));
        let (_, documents) = server.upload(COLLECTION, vec![file]).await?;
        found += count(&documents, "chunks") as usize;
        number += 1;
    }
    Ok((found, started.elapsed()))
}

/// A server with a collection to ask.
pub struct Filled {
    pub server: Server,
    pub chunks: usize,
    pub seconds: f64,
    /// Removed after the server has ended.
    _folder: TempDir,
}

impl Filled {
    /// Starts it and fills its collection with about so many chunks.
    pub async fn new(
        place: &Place,
        questions: &Questions,
        model: Option<&Path>,
        chunks: usize,
    ) -> Outcome<Self> {
        let folder = data_folder()?;
        let server = Server::start(place, folder.path(), Settings { model, ..Settings::default() }).await?;
        server.loaded().await?;
        let (chunks, took) = fill(&server, questions, chunks).await?;
        Ok(Self { server, chunks, seconds: took.as_secs_f64(), _folder: folder })
    }
}
