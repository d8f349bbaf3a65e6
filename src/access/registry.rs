//! All keys in force, in memory: every request is looked up here, and every change holds from the next request on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

use parking_lot::RwLock;

use super::key::Key;
use super::secret::{Hash, Secret, id_digits};
use super::{Access, Terms};
use crate::quota::Quota;
use crate::system::now;

/// The keys in force.
#[derive(Debug)]
pub struct Keys {
    /// By the digits of their ids. Written only when a key is made or revoked.
    by_id: RwLock<HashMap<Box<str>, Arc<Key>>>,
    /// A key was made once. Never unset: that all are revoked does not open the server again.
    required: AtomicBool,
    local: Secret,
}

impl Keys {
    /// These, of which the last of one id holds, and a fresh local key. `required` says whether a key was ever made.
    pub fn new(keys: impl IntoIterator<Item = Terms>, required: bool) -> Result<Self, getrandom::Error> {
        let local = Secret::new()?;
        let own = Key::local(local.id.clone(), local.hash());
        let all = keys.into_iter().map(Key::new).chain([own]);
        let by_id = all.map(|key| (digits(&key.id).into(), Arc::new(key))).collect();
        Ok(Self { by_id: RwLock::new(by_id), required: AtomicBool::new(required), local })
    }

    /// The key of the commands on this machine: it lives as long as the process and may do everything.
    pub fn local(&self) -> &Secret {
        &self.local
    }

    /// Whether requests need a key.
    pub fn are_required(&self) -> bool {
        self.required.load(Acquire)
    }

    /// What the key that is presented may do. Unknown, revoked and expired ones are alike, in time too.
    pub fn authenticate(&self, presented: &str) -> Option<Access> {
        let found = self.by_id.read().get(id_digits(presented)).cloned();
        let expected = found.as_deref().map_or(Hash::nobody(), |key| key.hash);
        let proven = Hash::of(presented).matches(&expected);
        let key = found.filter(|key| !key.has_expired(now()))?;
        proven.then(|| Access::of(Some(key)))
    }

    /// How much of a key's own may be stored; of one that is not in force, what is on its way already.
    pub fn quota(&self, id: &str) -> Quota {
        self.by_id.read().get(digits(id)).map(|key| key.limits.quota).unwrap_or_default()
    }

    /// A key is in force from now on, and requests need one.
    pub fn add(&self, terms: Terms) {
        let key = Key::new(terms);
        self.by_id.write().insert(digits(&key.id).into(), Arc::new(key));
        self.required.store(true, Release);
    }

    /// A key is in force no more.
    pub fn revoke(&self, id: &str) {
        self.by_id.write().remove(digits(id));
    }

    /// A key sees collections from now on.
    pub fn granted(&self, id: &str, collections: impl IntoIterator<Item = String>) {
        if let Some(key) = self.by_id.read().get(digits(id)) {
            key.grant(collections);
        }
    }

    /// A collection is gone.
    pub fn forget(&self, collection: &str) {
        self.by_id.read().values().for_each(|key| key.forget(collection));
    }
}

fn digits(id: &str) -> &str {
    id.strip_prefix("key_").unwrap_or(id)
}
