//! Names and numbers by which things are found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A collection's revision: raised by every change of its chunks or vectors, never lowered.
pub type Revision = u64;
/// A chunk's id: never used twice.
pub type ChunkId = u64;
/// A document's internal number: never used twice.
pub type DocumentKey = i64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A collection's public id, `vs_` and 24 hexadecimal digits.
    CollectionId
);
id!(
    /// A document's public id, `file-` and 24 hexadecimal digits: the id of its file.
    DocumentId
);
id!(
    /// A file's public id, `file-` and 24 hexadecimal digits.
    FileId
);
id!(
    /// The public id of a batch of documents, `vsfb_` and 24 hexadecimal digits.
    BatchId
);
