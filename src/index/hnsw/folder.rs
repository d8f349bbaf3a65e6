//! The files of an index: a graph and the changes since, of one generation. A new generation is written beside the old one,
//! and is there once its log is.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::file::Base;
use super::log::Log;
use crate::index::{IndexError, VectorBatch, Vectors};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub generation: u64,
    pub base: Option<Base>,
    pub log: Option<Log>,
    /// The changes of the log.
    pub batches: Vec<VectorBatch>,
}

pub(super) fn graph_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("vectors-{generation}.graph"))
}

pub(super) fn log_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("vectors-{generation}.log"))
}

/// Opens the newest generation that is whole. Where none is, the newest graph is better than nothing: its revision says
/// how much that is. Files that are not used are removed, damaged and foreign ones with a word in the log.
pub(super) fn open(wanted: &Vectors) -> Result<Found, IndexError> {
    let folder = &wanted.folder;
    let mut found = Found::default();
    let generations = generations(folder)?;
    for generation in generations.iter().rev().copied() {
        if let Some(whole) = open_whole(wanted, generation)? {
            found = whole;
            break;
        }
    }
    if found.log.is_none() {
        for generation in generations.iter().rev().copied() {
            if let Some(base) =
                usable(Base::open(&graph_path(folder, generation), &wanted.origin, wanted.dimensions))?
            {
                found = Found { generation, base: Some(base), ..Found::default() };
                break;
            }
        }
    }
    let used = (found.base.as_ref().map(Base::path), found.log.as_ref().map(Log::path));
    remove_all_but(folder, |path| Some(path) == used.0 || Some(path) == used.1)?;
    if found.base.is_none() && found.log.is_none() {
        // Not the number of a file that somebody may still have open.
        found.generation = generations.last().map_or(0, |last| last + 1);
    }
    Ok(found)
}

fn open_whole(wanted: &Vectors, generation: u64) -> Result<Option<Found>, IndexError> {
    let (folder, mut batches) = (&wanted.folder, Vec::new());
    let opened = Log::open(&log_path(folder, generation), &wanted.origin, wanted.dimensions, |batch| {
        batches.push(batch)
    });
    let Some((log, head)) = usable(opened)? else { return Ok(None) };
    let mut base = None;
    if head.of_graph {
        let opened = Base::open(&graph_path(folder, generation), &wanted.origin, wanted.dimensions);
        base = usable(opened)?.filter(|base| base.revision() == head.revision);
        if base.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(Found { generation, base, log: Some(log), batches }))
}

/// What can be used of an outcome: nothing of a file that is not there, or is damaged or foreign, which is logged.
fn usable<T>(opened: Result<T, IndexError>) -> Result<Option<T>, IndexError> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(IndexError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(IndexError::Damaged(what)) => {
            tracing::warn!(what, "a file of a vector index is not used: what it held is read from the store");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The numbers of all generations of which there is a file.
fn generations(folder: &Path) -> Result<BTreeSet<u64>, IndexError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        read => read?,
    };
    let mut generations = BTreeSet::new();
    for entry in entries {
        generations.extend(generation_of(&entry?.path()));
    }
    Ok(generations)
}

fn generation_of(path: &Path) -> Option<u64> {
    let kind = path.extension()?.to_str()?;
    let number = path.file_stem()?.to_str()?.strip_prefix("vectors-")?;
    matches!(kind, "graph" | "log" | "new").then(|| number.parse().ok()).flatten()
}

/// Removes the files of all generations but those that are kept.
pub(super) fn remove_all_but(folder: &Path, keep: impl Fn(&Path) -> bool) -> Result<(), IndexError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    for entry in entries {
        let path = entry?.path();
        if generation_of(&path).is_some() && !keep(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
