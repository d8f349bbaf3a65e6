//! What can be wrong with the machine while a document is worked on, and no fault of the document's.

use crate::collection::CollectionError;
use crate::store::Failure;

/// Why a job is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The store could not be read or written.
    #[error(transparent)]
    Storage(CollectionError),
    /// No process, descriptor or memory for the parser, or no way to talk to it.
    #[error("{0}")]
    Parser(String),
    /// The system killed the parser, most likely for want of memory.
    #[error("the system killed the parser: most likely it ran out of memory")]
    Killed,
    /// The code is at fault.
    #[error("the work on a document panicked")]
    Panic,
}

impl Trouble {
    /// After so many times it is given up, whatever pauses are left: what the system kills again and again is most likely
    /// too large for this machine. `None` for what says nothing about the document.
    pub fn most_times(&self) -> Option<u32> {
        match self {
            Self::Storage(_) | Self::Parser(_) => None,
            Self::Killed | Self::Panic => Some(2),
        }
    }

    /// What a document fails with after all pauses.
    pub fn failure(&self) -> Failure {
        let (code, message) = match self {
            Self::Storage(_) => (
                "storage_failed",
                "What was read from this file could not be stored, although it was tried several times. The server's log has the cause: mend it, often by making room on the disk, and try this document again.",
            ),
            Self::Parser(_) => (
                "parser_unavailable",
                "The program that reads files could not be started or heard, although it was tried several times. The server's log has the cause: mend it, often by allowing the server more processes, open files or memory, and try this document again.",
            ),
            Self::Killed => (
                "out_of_memory",
                "The system stopped the reading of this file several times, most likely because it ran out of memory. Give the server more memory and try this document again, or split the file into smaller ones.",
            ),
            Self::Panic => (
                "internal_error",
                "The server made a mistake over this file several times; its log has the cause. Export the file anew, for example as PDF, and upload that.",
            ),
        };
        Failure { code: code.to_owned(), message: message.to_owned() }
    }
}
