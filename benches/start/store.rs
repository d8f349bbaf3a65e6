//! What the targets open: a collection of made-up documents, the same with vectors, and both as a chat in Python has them.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use lastro::embed::{DeviceChoice, Embeddings};
use lastro::store::{ChunkMark, Collections, Indexing, SqliteStore};

use crate::filled::{COLLECTION, fill};
use crate::process::{Place, Server, Settings};
use crate::questions::{Questions, Random};
use crate::{Arguments, Outcome, kept};

/// To be raised when the documents, or the format of the store, change.
const EDITION: u32 = 1;
/// Vectors of one transaction, as ingestion has it.
const AT_ONCE: usize = 64;

/// The folders, each of them or why it is not there.
pub struct Stores {
    /// Searched by words.
    pub words: PathBuf,
    /// The same documents with vectors of the model.
    pub vectors: Outcome<PathBuf>,
    /// The same texts and vectors, in FAISS.
    pub python_chat: Outcome<PathBuf>,
    pub model: PathBuf,
}

/// Makes what is missing; that takes minutes, once.
pub async fn prepare(arguments: &Arguments, place: &Place, questions: &Questions) -> Outcome<Stores> {
    let folder = |what: &str| kept::folder().join(format!("start-{what}-{}-v{EDITION}", arguments.chunks));
    let words = folder("words");
    if !words.exists() {
        eprintln!("filling {} with {} chunks; later runs use it again", words.display(), arguments.chunks);
        let part = begin(&words)?;
        let server = Server::start(place, &part, Settings::default()).await?;
        fill(&server, questions, arguments.chunks).await?;
        server.stop().await?;
        fs::rename(&part, &words)?;
    }
    let model = arguments.model.canonicalize();
    let model = model.map_err(|e| format!("{}: {e}; --model names it", arguments.model.display()));
    let vectors = match &model {
        Ok(model) => with_vectors(&words, &folder("vectors"), model).await,
        Err(error) => Err(error.clone().into()),
    };
    let python_chat = match &vectors {
        Ok(vectors) if arguments.wants("python-chat") => {
            for_python_chat(vectors, &folder("python-chat")).await
        }
        Ok(_) => Err("not wanted".into()),
        Err(error) => Err(error.to_string().into()),
    };
    Ok(Stores { words, vectors, python_chat, model: model.unwrap_or_default() })
}

fn begin(kept: &Path) -> Outcome<PathBuf> {
    let part = kept.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    Ok(part)
}

/// The same collection with a vector for each chunk. They are random and of length 1: what they find means nothing, and
/// opening and searching them takes as long as true ones do, which the processor would compute for most of an hour.
async fn with_vectors(words: &Path, kept: &Path, model: &Path) -> Outcome<PathBuf> {
    if kept.exists() {
        return Ok(kept.to_owned());
    }
    eprintln!("writing vectors into {}", kept.display());
    let part = begin(kept)?;
    kept::copy_all(words, &part)?;
    let info = Embeddings::start(model.to_owned(), DeviceChoice::Cpu).ready().await?;
    let store = SqliteStore::open(&part)?;
    let mut random = Random::new(1);
    for collection in store.collections().await? {
        let chunks = store.chunk_changes(&collection.id, ChunkMark::default(), usize::MAX).await?.added;
        for some in chunks.chunks(AT_ONCE) {
            let vectors = some.iter().map(|c| (c.id, unit(&mut random, info.dimensions))).collect();
            store.commit_vectors(&info.fingerprint, vectors).await?;
        }
    }
    drop(store);
    fs::rename(&part, kept)?;
    Ok(kept.to_owned())
}

fn unit(random: &mut Random, dimensions: usize) -> Vec<f32> {
    let vector: Vec<f64> = (0..dimensions).map(|_| random.part() - 0.5).collect();
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector.iter().map(|x| (x / length) as f32).collect()
}

async fn for_python_chat(vectors: &Path, kept: &Path) -> Outcome<PathBuf> {
    if kept.exists() {
        return Ok(kept.to_owned());
    }
    eprintln!("writing the same for FAISS into {}", kept.display());
    let part = begin(kept)?;
    let store = SqliteStore::open(vectors)?;
    let fingerprint = fingerprint(vectors)?;
    let mut texts = Vec::new();
    let mut file = BufWriter::new(fs::File::create(part.join("vectors.f32"))?);
    for collection in store.collections().await?.iter().filter(|c| c.name == COLLECTION) {
        texts.extend(
            store
                .chunk_changes(&collection.id, ChunkMark::default(), usize::MAX)
                .await?
                .added
                .into_iter()
                .map(|c| c.text),
        );
        for (_, _, vector) in store.vector_changes(&collection.id, &fingerprint, 0, usize::MAX).await?.added {
            for value in vector {
                file.write_all(&value.to_le_bytes())?;
            }
        }
    }
    file.flush()?;
    fs::write(part.join("chunks.json"), serde_json::to_vec(&texts)?)?;
    let app = Path::new("benches/start/python-chat.py").canonicalize()?;
    let python = Path::new(".tools/peers/python-chat/bin/python");
    if !python.exists() {
        return Err("not installed; run scripts/vllm-cpu and scripts/install python-chat".into());
    }
    let built = Command::new(python).arg(app).arg("--build").arg("--store").arg(&part).status()?;
    if !built.success() {
        return Err(format!("{} --build ended with {built}", python.display()).into());
    }
    fs::remove_file(part.join("vectors.f32"))?;
    fs::remove_file(part.join("chunks.json"))?;
    fs::rename(&part, kept)?;
    Ok(kept.to_owned())
}

/// Of the model whose vectors are in a store.
fn fingerprint(data: &Path) -> Outcome<String> {
    let database = rusqlite::Connection::open(data.join("lastro.sqlite3"))?;
    Ok(database.query_row("SELECT fingerprint FROM vectors LIMIT 1", [], |row| row.get(0))?)
}
