//! Filled collections, kept from run to run: embedding ten thousand chunks takes minutes.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Outcome;
use crate::filled::fill;
use crate::process::{Place, Server, Settings, data_folder};
use crate::questions::Questions;

/// To be raised when the documents change.
const EDITION: u32 = 1;

/// Where benchmarks keep what they can use again: in the build's folder, or where LASTRO_BENCH_DATA says.
pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("LASTRO_BENCH_DATA") {
        return folder.into();
    }
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).join("bench-data")
}

/// Where a target's output goes.
pub fn log(name: &str) -> Outcome<PathBuf> {
    let logs = folder().join("logs");
    std::fs::create_dir_all(&logs)?;
    Ok(logs.join(format!("{name}.log")))
}

/// A data folder with the collection, of this run alone; the kept one is filled where there is none.
pub async fn copy(
    place: &Place,
    questions: &Questions,
    model: Option<&Path>,
    chunks: usize,
) -> Outcome<TempDir> {
    let name = model.and_then(Path::file_name).map_or("words".into(), |name| name.to_string_lossy());
    let kept = folder().join(format!("{name}-{chunks}-v{EDITION}"));
    if !kept.exists() {
        eprintln!("filling {} with {chunks} chunks; later runs use it again", kept.display());
        let part = kept.with_extension("part");
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        std::fs::create_dir_all(&part)?;
        let settings = Settings { model, ..Settings::default() };
        let server = Server::start(place, &part, settings).await?;
        server.loaded().await?;
        let (found, took) = fill(&server, questions, chunks).await?;
        server.stop().await?;
        std::fs::rename(&part, &kept)?;
        eprintln!("filled with {found} chunks in {:.0} s", took.as_secs_f64());
    }
    let data = data_folder()?;
    copy_all(&kept, data.path()).map_err(|e| format!("{}: {e}", kept.display()))?;
    Ok(data)
}

/// Copies a folder's files and folders into another.
pub fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_all(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
