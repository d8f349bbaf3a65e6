//! Collections kept equal to a folder: one subfolder each, with an optional `collection.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::task::JoinError;

use super::Ingest;
use super::names::shared;
use crate::access::Access;
use crate::collection::{Catalog, Collection, CollectionError, New, Settings, is_handle};
use crate::store::{OnConflict, Origin, Status, compared_name};
use crate::tasks;

/// Subfolders within a collection's folder are read this deep.
const DEEPEST: usize = 16;

/// What a file system makes by itself at its top.
const LOST_AND_FOUND: &str = "lost+found";
/// Says that a folder is empty because nothing should be in it.
const MEANT_EMPTY: &str = ".empty";

/// What a sync changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    pub added: usize,
    pub removed: usize,
    pub kept: usize,
    /// Of those kept: what had failed and is read once more.
    pub retried: usize,
}

/// Why a folder could not be synced.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {problem}")]
    Settings { path: PathBuf, problem: String },
    #[error("folder '{0}' has the name of an uploaded collection: rename one of them")]
    NameTaken(String),
    #[error(transparent)]
    Collection(#[from] CollectionError),
}

impl From<JoinError> for FolderError {
    fn from(died: JoinError) -> Self {
        Self::Collection(died.into())
    }
}

/// Makes the collections of a folder equal to it: new, changed and removed files, told by their content. A
/// collection that cannot be synced or removed is logged and left as it was; the others go on.
pub async fn sync_folder(catalog: &Catalog, ingest: &Ingest, root: &Path) -> Result<Synced, FolderError> {
    let access = Access::everything();
    let mut total = Synced::default();
    let mut present = Vec::new();
    let entries = list(root)?;
    for folder in &entries {
        if folder.ends_with(LOST_AND_FOUND) {
            continue;
        }
        let Some(name) = folder.file_name().and_then(|n| n.to_str()).map(str::to_owned) else { continue };
        if name.starts_with('.') || !folder.is_dir() {
            continue;
        }
        match sync_one(catalog, ingest, &access, folder, &name).await {
            Ok(synced) => {
                total.added += synced.added;
                total.removed += synced.removed;
                total.kept += synced.kept;
                total.retried += synced.retried;
            }
            Err(error) => tracing::error!(%error, folder = %folder.display(), "collection not synced"),
        }
        present.push(name);
    }
    let of_folders = catalog.list(&access).into_iter().filter(|c| c.origin == Origin::Folder);
    let gone: Vec<_> = of_folders.filter(|collection| !present.contains(&collection.name())).collect();
    if !gone.is_empty() && looks_unmounted(&entries) {
        tracing::warn!(
            folder = %root.display(),
            collections = gone.len(),
            "the folder is empty: taken for a mount that is missing, its collections are kept. To remove them, put a file named {MEANT_EMPTY} into it"
        );
        return Ok(total);
    }
    for collection in gone {
        match catalog.delete(&collection).await {
            Ok(()) => tracing::info!(collection = collection.label(), "removed with its folder"),
            Err(error) => {
                tracing::error!(%error, collection = collection.label(), "not removed with its folder")
            }
        }
    }
    Ok(total)
}

async fn sync_one(
    catalog: &Catalog,
    ingest: &Ingest,
    access: &Access,
    folder: &Path,
    name: &str,
) -> Result<Synced, FolderError> {
    // Before its settings are taken for gone too.
    if let Some(kept) = kept_unmounted(catalog, folder, name).await? {
        return Ok(kept);
    }
    let settings = read_settings(folder)?;
    let collection = open(catalog, access, name, &settings).await?;
    let folder = folder.to_owned();
    let files = tasks::blocking(move || hash_files(&folder)).await?;
    let mut synced = Synced::default();
    // Names that only differ in how their accents are encoded are two here, and one where documents are replaced.
    let shared = shared(files.values().map(|(filename, _)| filename.as_str()));
    let is_shared = |filename: &str| shared.contains(&compared_name(filename));
    let (mut missing, mut others, mut answering) = (files, Vec::new(), BTreeSet::new());
    for document in catalog.store().documents(&collection.id).await.map_err(CollectionError::from)? {
        match missing.get(&document.sha256) {
            Some((filename, _)) if *filename == document.filename => {
                missing.remove(&document.sha256);
                synced.kept += 1;
                if document.status == Status::Failed {
                    ingest.retry(&collection, &document.id).await?;
                    synced.retried += 1;
                }
                answering.extend(document.replaces);
            }
            _ => others.push(document),
        }
    }
    let edited: BTreeSet<&str> = missing.values().map(|(filename, _)| filename.as_str()).collect();
    for document in others {
        // What was read of an edited file answers until the file's new version is complete.
        let renamed = missing.contains_key(&document.sha256);
        let name = document.filename.as_str();
        let is_replaced = edited.contains(name) && !renamed && !is_shared(name);
        if answering.contains(&document.id) {
            continue;
        }
        if !is_replaced {
            catalog.delete_document(&collection, &document.id).await?;
        }
        synced.removed += 1;
    }
    // In order of their names, so that ingestion does not depend on the file system.
    let mut missing: Vec<_> = missing.into_values().collect();
    missing.sort();
    for (filename, path) in missing {
        let bytes =
            tokio::fs::read(&path).await.map_err(|source| FolderError::Io { path: path.clone(), source })?;
        let blob = catalog.store().blobs().stage(&bytes).await.map_err(CollectionError::from)?;
        let on_conflict = if is_shared(&filename) { OnConflict::Keep } else { OnConflict::Replace };
        ingest.submit(access, &collection, (&filename, blob), on_conflict).await?;
        synced.added += 1;
    }
    Ok(synced)
}

/// Whether a folder of these entries holds nothing, as the place of a mount does before it is mounted, and nobody said
/// that it should.
fn looks_unmounted(entries: &[PathBuf]) -> bool {
    let hidden = |path: &PathBuf| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let meant = entries.iter().any(|path| path.ends_with(MEANT_EMPTY));
    !meant && entries.iter().all(|path| hidden(path) || path.ends_with(LOST_AND_FOUND))
}

/// What is kept of a collection whose folder looks as if it were not mounted.
async fn kept_unmounted(catalog: &Catalog, folder: &Path, name: &str) -> Result<Option<Synced>, FolderError> {
    let Some(collection) = catalog.of_folder(name) else { return Ok(None) };
    let documents = catalog.store().documents(&collection.id).await.map_err(CollectionError::from)?;
    let kept = documents.len();
    if kept == 0 || !looks_unmounted(&list(folder)?) {
        return Ok(None);
    }
    tracing::warn!(
        folder = %folder.display(),
        documents = kept,
        "the folder is empty: taken for a mount that is missing, its documents are kept. To remove them, put a file named {MEANT_EMPTY} into it"
    );
    Ok(Some(Synced { kept, ..Synced::default() }))
}

fn read_settings(folder: &Path) -> Result<Settings, FolderError> {
    let path = folder.join("collection.toml");
    match fs::read_to_string(&path) {
        Ok(text) => Settings::from_toml(&text)
            .map_err(|error| FolderError::Settings { path, problem: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(source) => Err(FolderError::Io { path, source }),
    }
}

async fn open(
    catalog: &Catalog,
    access: &Access,
    name: &str,
    settings: &Settings,
) -> Result<Arc<Collection>, FolderError> {
    let Some(collection) = catalog.of_folder(name) else {
        if !is_handle(name) {
            return Err(CollectionError::BadName(name.to_owned()).into());
        }
        // Whoever asks for the uploaded one by this name would get another's answers.
        match catalog.find(access, name) {
            Err(CollectionError::Unknown(_)) => {}
            _ => return Err(FolderError::NameTaken(name.to_owned())),
        }
        let new =
            New { name: name.to_owned(), of_folder: true, settings: settings.clone(), ..New::default() };
        return Ok(catalog.create(access, new).await?);
    };
    if *collection.settings() != *settings {
        catalog.configure(&collection, settings).await?;
    }
    Ok(collection)
}

/// Content hash to name within the folder and path. Equal files are one document, under the first name.
fn hash_files(folder: &Path) -> Result<BTreeMap<String, (String, PathBuf)>, FolderError> {
    let mut files = BTreeMap::new();
    for path in files_below(folder)? {
        let mut file =
            fs::File::open(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        files.entry(hex::encode(hash.finalize())).or_insert((name, path));
    }
    Ok(files)
}

/// The files below a folder that a sync would take, in order of their paths.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files)?;
    files.sort();
    Ok(files)
}

/// Regular files below a folder, but hidden ones and the collection's own settings. Links are not followed:
/// they could lead out of the folder.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), FolderError> {
    for path in list(folder)? {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let kind = fs::symlink_metadata(&path)
            .map_err(|source| FolderError::Io { path: path.clone(), source })?
            .file_type();
        if hidden || (depth == 0 && (path.ends_with("collection.toml") || path.ends_with(LOST_AND_FOUND))) {
            continue;
        }
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && depth < DEEPEST {
            walk(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>());
    entries.map_err(|source| FolderError::Io { path: folder.to_owned(), source })
}
