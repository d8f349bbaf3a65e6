//! Who may do what: keys, what each is for, what it sees, and how much it may ask for.
//!
//! A key is presented as `Authorization: Bearer sk-lastro-...`; [`Keys`] knows all that are in force and gives the
//! [`Access`] of the one that was presented. Every operation on a collection takes an [`Access`]. While no key was ever
//! made, whoever reaches the server gets [`Access::everything`].
//!
//! This module is a leaf: it knows no other room of the crate.

mod key;
mod limits;
mod registry;
mod scope;
mod secret;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::quota::Quota;
use key::Key;

pub use key::{Permit, Terms};
pub use limits::{Limits, Refusal};
pub use registry::Keys;
pub use scope::{Scope, Scopes};
pub use secret::{Hash, PREFIX, Secret};

/// What a caller was granted. Cheap to clone; what its key is granted later holds at once.
#[derive(Clone, Debug)]
pub struct Access {
    key: Option<Arc<Key>>,
    /// Of the collections these alone.
    within: Option<Arc<BTreeSet<String>>>,
}

impl Access {
    /// All collections, and everything but making keys: what everybody has while there are none.
    pub fn everything() -> Self {
        Self::of(None)
    }

    /// What a key was granted; without one, everything.
    fn of(key: Option<Arc<Key>>) -> Self {
        Self { key, within: None }
    }

    /// The same for these collections alone, by id; no others can be made.
    pub fn within(&self, collections: impl IntoIterator<Item = String>) -> Self {
        Self { key: self.key.clone(), within: Some(Arc::new(collections.into_iter().collect())) }
    }

    /// The same wherever collections are named.
    pub fn anywhere(&self) -> Self {
        Self { key: self.key.clone(), within: None }
    }

    /// The key that asks: what it makes is its own. None while there are no keys, and for the local key.
    pub fn owner(&self) -> Option<&str> {
        self.key.as_deref().and_then(Key::owner)
    }

    /// Whether no key was presented, since there are none.
    pub fn is_anybodys(&self) -> bool {
        self.key.is_none()
    }

    /// Whether this may be done. Keys are made by keys alone: without any, [`Scope::Admin`] is nobody's.
    pub fn may(&self, scope: Scope) -> bool {
        self.key.as_deref().map_or(scope != Scope::Admin, |key| key.may(scope))
    }

    /// Whether all collections exist for this caller, those of the future too.
    pub fn sees_all(&self) -> bool {
        self.within.is_none() && self.key.as_deref().is_none_or(Key::sees_all)
    }

    /// Whether a collection exists for this caller.
    pub fn sees(&self, collection: &str) -> bool {
        self.within.as_ref().is_none_or(|within| within.contains(collection))
            && self.key.as_deref().is_none_or(|key| key.sees(collection))
    }

    /// Whether what this owner made, and nobody else may see, exists for this caller.
    pub fn owns(&self, owner: Option<&str>) -> bool {
        match self.key.as_deref() {
            None => true,
            Some(key) => key.may(Scope::Admin) || key.owner().is_some() && key.owner() == owner,
        }
    }

    /// Whether new collections may be made.
    pub fn may_create(&self) -> bool {
        self.within.is_none() && self.may(Scope::Ingest)
    }

    /// A collection that this caller made is its own from now on; the store has to remember it.
    pub fn granted(&self, collection: &str) {
        if let Some(key) = &self.key {
            key.grant([collection.to_owned()]);
        }
    }

    /// The collection for chats that name none, by id.
    pub fn default_collection(&self) -> Option<String> {
        self.key.as_deref().and_then(Key::default_collection)
    }

    /// How much of it may be stored.
    pub fn quota(&self) -> Quota {
        self.key.as_deref().map(|key| key.limits.quota).unwrap_or_default()
    }

    /// Counts one request against the key's limits. What comes back is held until the answer has ended.
    pub fn take_turn(&self) -> Result<Option<Permit>, Refusal> {
        self.key.as_ref().map_or(Ok(None), |key| key.take_turn())
    }
}

#[cfg(test)]
mod tests;
