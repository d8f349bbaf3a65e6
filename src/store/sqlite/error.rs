//! SQLite's errors as those of a store.

use rusqlite::{Error, ErrorCode};

use crate::store::{OpenError, StoreError};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let cause = || format!("database: {error}");
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(cause()),
            Some(ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                Self::Unavailable(cause())
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

/// The error that a row was not found, where it was not, and otherwise the database's.
pub(super) fn not_found(error: Error, what: &'static str) -> StoreError {
    match error {
        Error::QueryReturnedNoRows => StoreError::NotFound(what),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), Some("it says".to_owned()))
    }

    #[test]
    fn codes_that_ask_for_an_answer_of_their_own_are_told_apart() {
        for code in [ffi::SQLITE_READONLY, ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN] {
            let error = StoreError::from(failure(code));
            assert!(matches!(error, StoreError::Unavailable(_)), "{code}: {error:?}");
            assert_eq!(error.to_string(), "database: it says");
        }
        let full = StoreError::from(failure(ffi::SQLITE_FULL));
        assert!(matches!(&full, StoreError::Full(cause) if cause == "database: it says"), "{full:?}");
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_CORRUPT, ffi::SQLITE_INTERRUPT, ffi::SQLITE_CONSTRAINT] {
            let error = StoreError::from(failure(code));
            assert!(matches!(&error, StoreError::Database(cause) if cause == "it says"), "{code}: {error:?}");
            assert_eq!(error.to_string(), "database: it says");
        }
    }
}
