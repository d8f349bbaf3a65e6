//! A store without a database: that of another crate, built of what lastro exports. It is the seam as plain lists, and shows
//! that nothing of SQLite is in it: it passes the suite that every store must pass, and runs the whole program.

mod collections;
mod documents;
mod files;
mod housekeeping;
mod indexing;
mod jobs;
mod keys;
mod pages;
mod passages;
mod program;
mod queue;
mod quotas;
mod removals;
mod state;
mod store;
mod versions;

// Also what the suite takes from around it: it is the library's own, and names no more than is exported.
use lastro::store::*;

#[path = "../../src/store/conformance/mod.rs"]
mod conformance;

use store::MemoryStore;

async fn empty() -> MemoryStore {
    let folder = tempfile::tempdir().expect("a folder");
    let store = MemoryStore::open(folder.path()).expect("a store");
    // Kept until the process ends: the suite needs the store alone.
    let _ = folder.keep();
    store
}

#[tokio::test]
async fn conforms() {
    conformance::store(empty).await;
}
