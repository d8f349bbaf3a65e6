//! The truth: what was uploaded, what was read from it, and every vector computed for it.
//!
//! [`Store`] is the seam. An implementation promises, and the conformance suite checks:
//! - **Commit is the acknowledgement.** When a writing call returns `Ok`, the change survives the death of the process.
//! - **Chunk ids are never used twice**, not even after a deletion, so an index that lags can never
//!   name a chunk that came later.
//! - **Every change of a collection's chunks or vectors raises its revision**, and the changes since a
//!   revision can be read back in order; an index that applied them all stands at that revision.
//! - **A store that was put back to an older state has another identity**, so that revisions and ids which had another
//!   meaning in the time that was lost are never taken for those of now.
//! - **A place outlives its element**: a page may begin or end at what left the list within the last days.
//! - **Reading back is one transaction**: what was deleted is absent, whatever an index still says.
//!
//! The shortest one is that of the tests, plain lists in memory (`tests/integration/memory`): it promises all but the first,
//! and reads as what each call does. [`SqliteStore`] is the one of the program.
//!
//! This module is a leaf: it knows no other room of the crate.

mod belonging;
mod blobs;
#[cfg(test)]
mod conformance;
mod error;
mod lock;
mod records;
mod room;
mod seam;
mod sqlite;

pub use blobs::{BlobReader, BlobWriter, Blobs, LocalBlob, Original, StagedBlob};
pub use error::{OpenError, Result, StoreError};
pub use lock::{DataLock, Holder};
pub use records::*;
pub use room::{Room, room};
pub use seam::{Collections, Documents, Files, Housekeeping, Indexing, Jobs, Keys, Passages, Store};
pub use sqlite::{
    Content, Inspection, Originals, SqliteStore, inspect, look_at_originals, originals_without_database,
};
