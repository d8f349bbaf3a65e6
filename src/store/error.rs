//! Why a store cannot be opened, and why an open one could not do what was asked. Neither speaks of the database behind
//! it: each implementation maps its own errors to these.

use std::io::ErrorKind;
use std::path::PathBuf;

use tokio::task::JoinError;

use crate::system::is_disk_full;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing of that id or name, or not any more.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A file that does not exist, for who asks.
    #[error("no file '{0}'")]
    UnknownFile(String),
    /// A list is to begin or to end at an element that it does not have.
    #[error("'{id}' is not in this list")]
    Cursor { end: &'static str, id: String },
    /// More than may be stored.
    #[error("{whose} may hold {most} {what}, and that would be more")]
    Quota { whose: &'static str, what: &'static str, most: u64 },
    /// The file is a document of a synced folder.
    #[error("the file belongs to a synced folder: remove it there")]
    Synced,
    /// There is nothing to try again.
    #[error("the document did not fail: there is nothing to try again")]
    NotFailed,
    /// A key that is in force has the name.
    #[error("a key named '{0}' is in force already")]
    KeyNameTaken(String),
    /// The server is stopping.
    #[error("the server is stopping: nothing is stored any more")]
    Closed,
    /// The deadline passed first.
    #[error("the store did not answer in time")]
    Deadline,
    /// There is no room left. The text is the cause, for the log.
    #[error("{0}")]
    Full(String),
    /// The storage is gone, or cannot be read or written just now. The text is the cause, for the log.
    #[error("{0}")]
    Unavailable(String),
    /// The database refused, for a reason of its own.
    #[error("database: {0}")]
    Database(String),
    /// A stored value does not read back as what was written.
    #[error("damaged record: {0}")]
    Damaged(String),
    /// A worker thread died.
    #[error("store worker: {0}")]
    Worker(String),
}

impl StoreError {
    /// Maps an error of the file system at this path.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::of_kind(error.kind(), format!("{}: {error}", path.display()))
    }

    fn of_kind(kind: ErrorKind, cause: String) -> Self {
        if is_disk_full(kind) { Self::Full(cause) } else { Self::Unavailable(cause) }
    }
}

impl From<JoinError> for StoreError {
    fn from(died: JoinError) -> Self {
        Self::Worker(died.to_string())
    }
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the data folder.
    #[error("the data folder {path} is in use by another lastro process{}", .holder.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
    InUse { path: PathBuf, holder: Option<String> },
    /// The folder above the data folder is missing.
    #[error(
        "{}: the folder above it is not there: make it, mount the disk that should be there, or name another with --data",
        .0.display()
    )]
    NoParent(PathBuf),
    /// There is no room for the copy that is kept of an older database.
    #[error(
        "the database was not brought to a new format version, since no copy of it could be kept: {source}; make room in its folder for {bytes} bytes and start again, nothing was changed"
    )]
    NoCopy { bytes: u64, source: StoreError },
    /// The folder was written by a newer lastro.
    #[error(
        "the data folder has format version {found}, this lastro knows up to {known}; use a newer lastro, or another --data folder"
    )]
    TooNew { found: i64, known: i64 },
    /// What is there could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<JoinError> for OpenError {
    fn from(died: JoinError) -> Self {
        Self::Store(died.into())
    }
}
