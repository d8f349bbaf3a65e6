//! Builds the next generation beside the one that answers, and puts it in its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::build::build;
use super::file::{self, Base};
use super::folder;
use super::log::{Head, Log};
use super::shared::{Shared, batches};
use super::state::State;
use super::table::Table;
use super::threads::{Stopped, Workers};
use crate::index::IndexError;
use crate::index::choice::{self, Step};
use crate::index::vectors::{VectorBatch, VectorRow};
use crate::tasks::blocking;

/// Begins a rebuild where one is due and none is under way.
pub(super) async fn consider(shared: &Arc<Shared>) {
    if shared.building.swap(true, Ordering::AcqRel) {
        return;
    }
    let Some(mut step) = due(shared).await else {
        shared.building.store(false, Ordering::Release);
        return;
    };
    let shared = shared.clone();
    tokio::spawn(async move {
        loop {
            attempt(&shared, step).await;
            // It may have grown on meanwhile.
            match due(&shared).await {
                Some(next) => step = next,
                None => break,
            }
        }
        shared.building.store(false, Ordering::Release);
    });
}

/// What is to be done now.
async fn due(shared: &Shared) -> Option<Step> {
    let writer = shared.writer.lock().await;
    let state = shared.state();
    let wanted = !shared.stop.load(Ordering::Relaxed)
        && !shared.damaged.load(Ordering::Relaxed)
        && state.len() >= shared.not_before.load(Ordering::Relaxed);
    shared.choice.next(shared.standing(&state, &writer)).filter(|_| wanted)
}

async fn attempt(shared: &Arc<Shared>, step: Step) {
    let outcome = rebuild(shared, step).await;
    shared.writer.lock().await.unseen = None;
    let folder = shared.wanted.folder.display();
    match outcome {
        Ok(Some(rows)) => tracing::info!(rows, ?step, %folder, "a vector index was built anew"),
        Ok(None) => tracing::debug!(%folder, "the build of a vector index was given up"),
        Err(error) => {
            // Not at every change: it takes long, and what there is answers.
            let live = shared.state().len();
            shared.not_before.store(live + live / 4 + 1, Ordering::Relaxed);
            tracing::warn!(%error, %folder, "a vector index was not built anew, and answers as it is");
        }
    }
}

/// What a build begins with.
struct Snapshot {
    state: Arc<State>,
    live: Vec<u32>,
    tail: Vec<VectorRow>,
    revision: u64,
}

/// How many rows the new generation has; none where nobody wants it any more.
async fn rebuild(shared: &Arc<Shared>, step: Step) -> Result<Option<usize>, IndexError> {
    let snapshot = {
        let mut writer = shared.writer.lock().await;
        writer.unseen = Some(Vec::new());
        let state = shared.state();
        Snapshot {
            live: state.live_rows().collect(),
            tail: state.tail_rows(),
            revision: state.revision(),
            state,
        }
    };
    let (generation, revision) = (snapshot.state.generation + 1, snapshot.revision);
    let worker = shared.clone();
    let Some(Made { base, rows }) = blocking(move || make(&worker, snapshot, step, generation)).await? else {
        return Ok(None);
    };
    let count = base.as_ref().map_or(rows.len(), Base::rows);
    let head = Head {
        origin: shared.wanted.origin.clone(),
        dimensions: shared.wanted.dimensions as u32,
        of_graph: base.is_some(),
        revision: base.as_ref().map_or(0, Base::revision),
    };
    let state = State::new(generation, base, &shared.wanted).await?;
    let mut changes = match head.of_graph {
        true => Vec::new(),
        false => batches(Vec::new(), rows, 0, revision),
    };
    for batch in &changes {
        state.apply(batch.clone()).await?;
    }
    // Most of what came meanwhile is caught up with before anybody has to wait.
    let unseen = shared.writer.lock().await.unseen.replace(Vec::new()).unwrap_or_default();
    catch_up(&state, unseen, &mut changes).await?;
    let mut writer = shared.writer.lock().await;
    let unseen = writer.unseen.take().unwrap_or_default();
    catch_up(&state, unseen, &mut changes).await?;
    let displaced = writer.log.as_ref().is_some_and(|log| !log.is_in_place());
    if shared.stop.load(Ordering::Relaxed) || displaced {
        let path = folder::graph_path(&shared.wanted.folder, generation);
        let _it_is_removed_at_the_next_start = tokio::fs::remove_file(path).await;
        let displaced = || {
            std::io::Error::new(std::io::ErrorKind::NotFound, "the index's files are not its own any more")
        };
        return if shared.stop.load(Ordering::Relaxed) { Ok(None) } else { Err(displaced().into()) };
    }
    let folder = shared.wanted.folder.clone();
    let log = blocking(move || Log::create(&folder::log_path(&folder, generation), &head, &changes)).await?;
    writer.log = Some(log);
    let state = Arc::new(state);
    *shared.state.write() = state;
    drop(writer);
    let folder = shared.wanted.folder.clone();
    let used = [folder::graph_path(&folder, generation), folder::log_path(&folder, generation)];
    blocking(move || folder::remove_all_but(&folder, |path| used.iter().any(|used| used == path))).await?;
    Ok(Some(count))
}

async fn catch_up(
    state: &State,
    unseen: Vec<VectorBatch>,
    changes: &mut Vec<VectorBatch>,
) -> Result<(), IndexError> {
    for batch in unseen {
        let from = state.revision();
        state.apply(batch.clone()).await?;
        changes.extend(batches(batch.removed, batch.added, from, batch.revision));
    }
    Ok(())
}

/// A graph in its file, or rows that are compared one by one.
struct Made {
    base: Option<Base>,
    rows: Vec<VectorRow>,
}

fn make(
    shared: &Shared,
    snapshot: Snapshot,
    step: Step,
    generation: u64,
) -> Result<Option<Made>, IndexError> {
    let Snapshot { state, live, tail, revision } = snapshot;
    if let Some(base) = &state.base {
        // Damage would be taken over, under a checksum that says all is well.
        match base.check(&shared.stop) {
            Some(true) => {}
            Some(false) => return Err(shared.found_damaged(base)),
            None => return Ok(None),
        }
    }
    if step == Step::Scan {
        let mut rows: Vec<VectorRow> = live.into_iter().filter_map(|row| state.row(row)).collect();
        rows.extend(tail);
        return Ok(Some(Made { base: None, rows }));
    }
    let mut table = Table::new(shared.wanted.dimensions);
    state.copy_rows(&live, &mut table);
    drop(state);
    for row in tail {
        table.push(row.chunk, row.document, &row.vector);
    }
    let workers = Workers { threads: choice::build_threads(), stop: &shared.stop };
    let built = match build(table, &workers) {
        Ok(built) => built,
        Err(Stopped) => return Ok(None),
    };
    let folder = &shared.wanted.folder;
    std::fs::create_dir_all(folder)?;
    let path = folder::graph_path(folder, generation);
    file::write(&path, &shared.wanted.origin, revision, &built)?;
    drop(built);
    let base = Base::open(&path, &shared.wanted.origin, shared.wanted.dimensions)?;
    Ok(Some(Made { base: Some(base), rows: Vec::new() }))
}
