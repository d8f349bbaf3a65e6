//! Which of tantivy's errors are damage, and which are the machine's.
//!
//! Damage is mended by building the index anew, which reads a whole collection. An error of the machine (no room, no
//! memory, no descriptor, no thread, no map) or of somebody who writes just now says nothing about the files.

use std::io::{Error, ErrorKind};
use std::sync::Arc;

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

use super::super::IndexError;

impl From<TantivyError> for IndexError {
    fn from(error: TantivyError) -> Self {
        use TantivyError as T;
        let text = error.to_string();
        match error {
            T::IoError(source) => of_io(&source, text),
            T::OpenReadError(OpenReadError::IoError { io_error, .. }) => of_io(&io_error, text),
            T::OpenWriteError(OpenWriteError::IoError { io_error, .. }) => of_io(&io_error, text),
            T::OpenDirectoryError(
                OpenDirectoryError::IoError { io_error, .. }
                | OpenDirectoryError::FailedToCreateTempDir(io_error),
            ) => of_io(&io_error, text),
            T::LockFailure(LockError::LockBusy, _) => Self::Busy,
            T::LockFailure(LockError::IoError(source), _) => of_io(&source, text),
            // What writing a part of a segment came to is told as text alone.
            T::InternalError(told) => match code_in(&told) {
                Some(code) => of_io(&Arc::new(Error::from_raw_os_error(code)), text),
                None => Self::Damaged(text),
            },
            // A thread that could not be started, or that ended; and what can only be a mistake of ours.
            T::SystemError(_) | T::ErrorInThread(_) | T::InvalidArgument(_) => Self::Io(Error::other(text)),
            // A file that the index names and that is gone, or what does not read as it was written.
            _ => Self::Damaged(text),
        }
    }
}

/// The operating system's errors are the machine's, save that a file is gone. What tantivy makes up itself is about what it read.
fn of_io(source: &Arc<Error>, text: String) -> IndexError {
    let made_up = source.raw_os_error().is_none();
    match source.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::InvalidInput if made_up => {
            IndexError::Damaged(text)
        }
        // A folder or file of the index that is gone: waiting brings none back.
        ErrorKind::NotFound => IndexError::Damaged(text),
        kind => IndexError::Io(Error::new(kind, text)),
    }
}

/// The operating system's code in the text of its error, which ends in `(os error 28)`.
fn code_in(told: &str) -> Option<i32> {
    told.rsplit_once("(os error ")?.1.split(')').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tantivy::error::DataCorruption;

    use super::*;

    fn read(source: Error) -> IndexError {
        let error = OpenReadError::wrap_io_error(source, PathBuf::from("a.term"));
        TantivyError::from(error).into()
    }

    #[test]
    fn what_is_gone_is_damage() {
        let gone = || Error::from_raw_os_error(2);
        let lock = TantivyError::LockFailure(LockError::wrap_io_error(gone()), None);
        for error in [read(gone()), TantivyError::from(gone()).into(), lock.into()] {
            assert!(matches!(error, IndexError::Damaged(_)), "{error}");
        }
    }

    #[test]
    fn what_the_machine_lacks_is_no_damage() {
        // No room, no descriptor of the process or of the machine, no map or memory, no thread, no right, a broken disk.
        for code in [28, 24, 23, 12, 11, 13, 30, 5] {
            let os = || Error::from_raw_os_error(code);
            let written = OpenWriteError::wrap_io_error(os(), PathBuf::from("a.term"));
            let directory = OpenDirectoryError::wrap_io_error(os(), PathBuf::from("lexical"));
            let lock = TantivyError::LockFailure(LockError::wrap_io_error(os()), None);
            for error in [
                read(os()),
                TantivyError::from(os()).into(),
                TantivyError::from(written).into(),
                TantivyError::from(directory).into(),
                lock.into(),
                TantivyError::InternalError(os().to_string()).into(),
            ] {
                let IndexError::Io(source) = error else { panic!("{code}: {error}") };
                assert_eq!(source.kind(), os().kind());
            }
        }
        let no_thread = TantivyError::SystemError("Failed to spawn segment updater thread".into());
        assert!(matches!(no_thread.into(), IndexError::Io(_)));
        let ended = TantivyError::ErrorInThread("The index writer was killed.".into());
        assert!(matches!(ended.into(), IndexError::Io(_)));
    }

    #[test]
    fn somebody_who_writes_just_now_is_no_damage() {
        let busy = TantivyError::LockFailure(LockError::LockBusy, Some("a writer works on it".into()));
        assert!(matches!(busy.into(), IndexError::Busy));
    }

    #[test]
    fn what_does_not_read_as_it_was_written_is_damage() {
        let missing = OpenReadError::FileDoesNotExist(PathBuf::from("a.term"));
        for error in [
            read(Error::new(ErrorKind::InvalidData, "Footer magic byte mismatch.")),
            read(Error::new(ErrorKind::UnexpectedEof, "The file is smaller than 4 bytes")),
            TantivyError::from(missing).into(),
            TantivyError::from(DataCorruption::comment_only("meta.json")).into(),
            TantivyError::InternalError("Invalid magic number (os error)".into()).into(),
        ] {
            assert!(matches!(error, IndexError::Damaged(_)), "{error}");
        }
    }
}
