//! Who may do what. Every operation on a collection takes an [`Access`].
//!
//! There are no keys yet: whoever reaches the server, which listens on loopback alone unless told otherwise,
//! gets [`Access::everything`]. The type stands between all the same, so that keys change only where it is made.

use std::collections::BTreeSet;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Asking: chats, searches, and reading what collections hold.
    Chat,
    /// Everything of the LLM server that is not ours.
    Relay,
    /// Making, changing and deleting files, collections and documents.
    Ingest,
    /// Keys, and all collections.
    Admin,
}

/// What a caller was granted.
#[derive(Clone, Debug)]
pub struct Access {
    collections: Grant,
}

#[derive(Clone, Debug)]
enum Grant {
    All,
    Only(BTreeSet<String>),
}

impl Access {
    /// All collections.
    pub fn everything() -> Self {
        Self { collections: Grant::All }
    }

    /// These collections, by id, and no other.
    pub fn only(collections: impl IntoIterator<Item = String>) -> Self {
        Self { collections: Grant::Only(collections.into_iter().collect()) }
    }

    /// The key that asks: what it makes is its own. None while there are no keys.
    pub fn owner(&self) -> Option<&str> {
        None
    }

    /// Whether this may be done.
    pub fn may(&self, _scope: Scope) -> bool {
        true
    }

    /// Whether a collection exists for this caller.
    pub fn sees(&self, collection: &str) -> bool {
        match &self.collections {
            Grant::All => true,
            Grant::Only(ids) => ids.contains(collection),
        }
    }

    /// Whether new collections may be made.
    pub fn may_create(&self) -> bool {
        matches!(self.collections, Grant::All)
    }
}
