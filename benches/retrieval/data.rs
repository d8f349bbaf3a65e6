//! Data folders that are filled through the store, once, and kept.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lastro::access::{Access, Keys};
use lastro::collection::{Bounds, Catalog, Collection, New};
use lastro::embed::{Embeddings, Languages, ModelInfo};
use lastro::store::{
    DocumentRecord, NewChunk, NewDocument, OnConflict, Outline, Quotas, ReadDocument, SqliteStore, Store,
};

use crate::corpus::{Corpus, EDITION, Question};
use crate::{Outcome, kept};

/// Chunks of a document.
const CHUNKS: u64 = 200;
/// The collection of a folder with one.
pub const COLLECTION: &str = "bench";

/// A catalog on a data folder.
pub struct Data {
    pub store: Arc<dyn Store>,
    pub catalog: Catalog,
    pub collection: Arc<Collection>,
}

/// A data folder of one collection of so many chunks, with vectors.
pub async fn one(corpus: &Corpus, chunks: u64) -> Outcome<PathBuf> {
    many(corpus, 1, chunks).await
}

/// A data folder of so many collections of so many chunks each, with vectors.
pub async fn many(corpus: &Corpus, collections: u64, each: u64) -> Outcome<PathBuf> {
    let name = format!("retrieval-{collections}x{each}-{}d-v{EDITION}", corpus.dimensions);
    let kept = kept::folder().join(name);
    if kept.exists() {
        return Ok(kept);
    }
    eprintln!("filling {}; later runs use it again", kept.display());
    let part = kept.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    {
        let (store, catalog) = catalog(&part, None).await?;
        for number in 0..collections {
            let name =
                if collections == 1 { COLLECTION.to_owned() } else { format!("{COLLECTION}-{number}") };
            let new = New { name, ..New::default() };
            let collection = catalog.create(&Access::everything(), new).await?;
            let first = number * each;
            for from in (first..first + each).step_by(CHUNKS as usize) {
                let until = (from + CHUNKS).min(first + each);
                add(&store, corpus, &collection, from..until, collections * each).await?;
            }
            if collections > 1 {
                catalog.sync(&collection).await?;
            }
        }
        catalog.close().await;
        store.close().await?;
    }
    fs::rename(&part, &kept)?;
    Ok(kept)
}

/// Adds a document of some chunks, with their vectors.
pub async fn add(
    store: &Arc<dyn Store>,
    corpus: &Corpus,
    collection: &Collection,
    chunks: std::ops::Range<u64>,
    of: u64,
) -> Outcome<DocumentRecord> {
    let texts: Vec<String> = chunks.clone().map(|chunk| corpus.text(chunk, of)).collect();
    let new = NewDocument {
        collection: collection.id.clone(),
        filename: format!("part-{}.txt", chunks.start),
        blob: store.blobs().stage(texts.join("\n\n").as_bytes()).await?,
        owner: None,
        quotas: Quotas::default(),
        on_conflict: OnConflict::Keep,
    };
    let document = store.add_document(new).await?.document;
    let outline = Outline { title: None, opening: String::new(), headings: Vec::new() };
    let chunk = |text: String| NewChunk {
        tokens: 180,
        page: None,
        last_page: None,
        headings: Vec::new(),
        start: 0,
        end: text.len() as u64,
        text,
    };
    let read = ReadDocument {
        chunks: texts.into_iter().map(chunk).collect(),
        outline,
        language: Some("en".to_owned()),
        ..ReadDocument::default()
    };
    store.commit_chunks(document.key, read, Quotas::default()).await?;
    let without =
        store.chunks_without_vector(&corpus.fingerprint, Some(document.key), 0, usize::MAX >> 1).await?;
    let vectors = without.iter().zip(chunks).map(|(stored, chunk)| (stored.id, corpus.vector(chunk)));
    store.commit_vectors(&corpus.fingerprint, vectors.collect()).await?;
    store.complete_document(document.key, None, None).await?;
    Ok(document)
}

async fn catalog(folder: &Path, embeddings: Option<Embeddings>) -> Outcome<(Arc<dyn Store>, Catalog)> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder)?);
    let keys = Arc::new(Keys::new([], false)?);
    let bounds = Bounds { open: 64, memory: u64::MAX, idle: Duration::from_secs(3_600) };
    let catalog = Catalog::open(store.clone(), embeddings, keys, folder.join("indexes"), bounds).await?;
    Ok((store, catalog))
}

impl Data {
    /// Opens a folder of one collection; its indexes are opened by the first question.
    pub async fn open(folder: &Path, embeddings: Option<Embeddings>) -> Outcome<Self> {
        let (store, catalog) = catalog(folder, embeddings).await?;
        let collection = catalog.find(&Access::everything(), COLLECTION)?;
        Ok(Self { store, catalog, collection })
    }

    /// Ends it, so that another may open the folder.
    pub async fn close(self) -> Outcome<()> {
        self.catalog.close().await;
        Ok(self.store.close().await?)
    }
}

static VECTORS: OnceLock<HashMap<String, Vec<f32>>> = OnceLock::new();

/// Gives the vectors of these questions, once for all of a run.
pub fn give<'a>(questions: impl Iterator<Item = &'a Question>) {
    VECTORS.get_or_init(|| questions.map(|q| (q.text.clone(), q.vector.clone())).collect());
}

/// A model that knows the vectors of the questions that were given, and computes nothing: the embedding of a question is
/// not measured.
pub fn given(corpus: &Corpus) -> Embeddings {
    let info = ModelInfo {
        name: "given".into(),
        fingerprint: corpus.fingerprint.clone(),
        dimensions: corpus.dimensions,
        window: 512,
        max_tokens: 510,
        languages: Languages::Multilingual,
        floor: None,
        relevance: None,
        device: "none".into(),
    };
    Embeddings::played(info, |text| {
        let vector = VECTORS.get().and_then(|vectors| vectors.get(text)).cloned();
        Box::pin(std::future::ready(Ok(vector.unwrap_or_default())))
    })
}

/// MiB of all files below a folder.
pub fn size(folder: &Path) -> f64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => bytes(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            })
            .sum()
    }
    bytes(folder) as f64 / f64::from(1 << 20)
}
